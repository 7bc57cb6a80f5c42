"""What the client asks of a registry by the OCI specification, with one that fails at will."""

import os
import random
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from registry.cli import downloading, uploading, wire
from registry.cli.addresses import parse
from registry.cli.oci import Oci
from registry.cli.output import Output
from registry.cli.problems import Missing, NotSignedIn, Problem, Tampered, Unreachable
from registry.cli.progress import Bars
from registry.cli.session import Fixed
from registry.cli.transfer import Blob, Wanted, pull_all, push_all
from tests.cli.conftest import ROOT
from tests.cli.moody import Moody, Refusal, being_moody, digest

HOME = "users/alice/hello"
MEBIBYTE = 1 << 20
LARGE = random.Random(1).randbytes(2 * MEBIBYTE)  # noqa: S311 - bytes to send, no secret
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing waits for long."""
    for module in (wire, uploading, downloading):
        monkeypatch.setattr(module, "_PAUSES", (0.0,) * 5)


@pytest.fixture
def moody() -> Iterator[Moody]:
    """The registry."""
    with being_moody() as found:
        yield found


@pytest.fixture
def client(moody: Moody, tmp_path: Path) -> Iterator[Callable[..., Oci]]:
    """Makes clients of it that share a cache, as processes of one user do."""
    made: list[Oci] = []

    def make(token: str | None = None) -> Oci:
        credential = None if token is None else Fixed(token)
        made.append(Oci(parse(moody.url), Output(), credential, tmp_path / "cache"))
        return made[-1]

    yield make
    for one in made:
        one.__exit__()


def push(oci: Oci, content: bytes, moved: Callable[[int], None] = lambda _: None) -> None:
    oci.push_blob(HOME, digest(content), len(content), lambda: BytesIO(content), moved)


def test_a_small_blob_goes_in_one_request(moody: Moody, client: Callable[..., Oci]) -> None:
    push(client(), b"hello")
    assert moody.blobs == {digest(b"hello"): b"hello"}
    assert moody.methods() == ["HEAD", "POST"]


def test_a_large_blob_goes_as_one_stream(moody: Moody, client: Callable[..., Oci]) -> None:
    moved: list[int] = []
    push(client(), LARGE, moved.append)
    assert moody.blobs[digest(LARGE)] == LARGE
    assert moody.methods() == ["HEAD", "POST", "PATCH", "PUT"]
    assert sum(moved) == len(LARGE)


def test_what_is_there_is_not_sent_again(moody: Moody, client: Callable[..., Oci]) -> None:
    moody.blobs[digest(LARGE)] = LARGE
    moved: list[int] = []
    push(client(), LARGE, moved.append)
    assert moody.methods() == ["HEAD"]
    assert moved == [len(LARGE)]


def test_an_upload_goes_on_where_the_connection_broke(moody: Moody, client: Callable[..., Oci]) -> None:
    moody.cuts = [MEBIBYTE // 2, MEBIBYTE // 2]
    moved: list[int] = []
    push(client(), LARGE, moved.append)
    assert moody.blobs[digest(LARGE)] == LARGE
    assert moody.received == len(LARGE)
    assert sum(moved) == len(LARGE)


def test_an_upload_that_was_given_up_goes_on_with_the_next_command(
    moody: Moody, client: Callable[..., Oci], tmp_path: Path
) -> None:
    moody.cuts = [MEBIBYTE]
    moody.refusals = [("GET", "/uploads/", Refusal(503))] * 6
    with pytest.raises(Unreachable):
        push(client(), LARGE)
    (kept,) = (tmp_path / "cache" / "uploads").iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600
    push(client(), LARGE)
    assert moody.blobs[digest(LARGE)] == LARGE
    assert moody.received == len(LARGE)
    assert not kept.exists()


def test_an_upload_begins_anew_when_the_registry_has_forgotten_it(moody: Moody, client: Callable[..., Oci]) -> None:
    moody.cuts = [MEBIBYTE]
    moody.refusals = [("GET", "/uploads/", Refusal(404, {}, "BLOB_UPLOAD_UNKNOWN"))]
    push(client(), LARGE)
    assert moody.blobs[digest(LARGE)] == LARGE
    assert moody.methods("/uploads/").count("POST") == 2


def test_an_upload_whose_earlier_bytes_were_wrong_begins_anew(moody: Moody, client: Callable[..., Oci]) -> None:
    moody.cuts = [MEBIBYTE]
    moody.refusals = [("GET", "/uploads/", Refusal(503))] * 6
    with pytest.raises(Unreachable):
        push(client(), LARGE)
    (held,) = moody.sessions.values()
    held[0] ^= 1
    push(client(), LARGE)
    assert moody.blobs[digest(LARGE)] == LARGE


def test_a_file_that_is_not_what_its_digest_says_is_refused(moody: Moody, client: Callable[..., Oci]) -> None:
    with pytest.raises(Problem, match="changed meanwhile"):
        client().push_blob(HOME, digest(b"other"), len(LARGE), lambda: BytesIO(LARGE))
    assert moody.blobs == {}


def test_chunks_are_sent_where_something_between_refuses_long_requests(
    moody: Moody, client: Callable[..., Oci], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploading, "CHUNK", MEBIBYTE // 2)
    moody.largest = MEBIBYTE // 2
    push(client(), LARGE)
    assert moody.blobs[digest(LARGE)] == LARGE
    assert moody.methods("/uploads/").count("PATCH") == 1 + 4


def test_a_blob_that_is_too_large_even_in_chunks_is_refused(
    moody: Moody, client: Callable[..., Oci], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploading, "CHUNK", MEBIBYTE // 2)
    moody.largest = 1000
    with pytest.raises(Problem, match="takes no blob"):
        push(client(), LARGE)


class Watch:
    """Instead of the event that ends all: it notes for how long is waited, and waits not at all."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    def is_set(self) -> bool:
        return False

    def wait(self, seconds: float) -> bool:
        self.pauses.append(seconds)
        return False


def test_a_registry_that_is_busy_is_asked_again_when_it_says(moody: Moody, client: Callable[..., Oci]) -> None:
    moody.refusals = [
        ("POST", "/uploads/", Refusal(429, {"Retry-After": "7"})),
        ("PATCH", "/uploads/", Refusal(503, {"Retry-After": "3"})),
    ]
    oci: Any = client()
    oci._wire.halted = watch = Watch()
    push(oci, LARGE)
    assert moody.blobs[digest(LARGE)] == LARGE
    assert watch.pauses == [7, 3]


def test_a_registry_that_is_busy_for_an_hour_is_not_waited_for(moody: Moody, client: Callable[..., Oci]) -> None:
    moody.refusals = [("HEAD", "/blobs/", Refusal(429, {"Retry-After": "3600"}))]
    with pytest.raises(Unreachable):
        push(client(), b"hello")


def test_a_refusal_is_told_in_the_words_of_the_registry_and_not_repeated(
    moody: Moody, client: Callable[..., Oci]
) -> None:
    moody.refusals = [("POST", "/uploads/", Refusal(403, {}, "DENIED", "alice may not push here."))]
    with pytest.raises(Problem, match=r"alice may not push here\.") as caught:
        push(client(), b"hello")
    assert (caught.value.status, caught.value.code) == (6, "DENIED")
    assert moody.methods() == ["HEAD", "POST"]


def test_a_token_that_ends_in_the_middle_of_a_push_is_replaced(
    moody: Moody, client: Callable[..., Oci], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploading, "CHUNK", MEBIBYTE // 2)
    moody.tokens = set()
    moody.largest = MEBIBYTE // 2

    def moved(_: int) -> None:
        if moody.received == MEBIBYTE:
            moody.tokens = set()

    push(client("secret"), LARGE, moved)
    assert moody.blobs[digest(LARGE)] == LARGE
    assert moody.received == len(LARGE)
    assert len(moody.tokens) == 1


def test_a_token_is_asked_for_before_it_ends(moody: Moody, client: Callable[..., Oci]) -> None:
    moody.tokens, moody.expires_in = set(), 0
    push(client("secret"), b"hello")
    assert len(moody.tokens) == 2


def test_the_credential_goes_to_the_registry_itself_whatever_host_its_challenge_names(
    moody: Moody, client: Callable[..., Oci]
) -> None:
    moody.tokens = set()
    with being_moody() as other:
        moody.realm = f"{other.url}/token"
        push(client("secret"), b"hello")
        assert other.asked == []
    secrets = [path for _, path, fields in moody.asked if fields.get("authorization") == "Bearer secret"]
    assert secrets == ["/token?service=moody&scope=repository%3Ausers%2Falice%2Fhello%3Apull%2Cpush"]


def test_whoever_needs_a_credential_and_has_none_is_told_so(moody: Moody, client: Callable[..., Oci]) -> None:
    moody.tokens = set()
    moody.refusals = [
        ("GET", "/manifests/", Refusal(401, {"WWW-Authenticate": 'Bearer realm="x"'}, "UNAUTHORIZED"))
    ] * 2
    with pytest.raises(NotSignedIn):
        client().manifest(HOME, "v1")


def test_a_blob_that_lies_elsewhere_is_fetched_there_without_the_token(
    moody: Moody, client: Callable[..., Oci], tmp_path: Path
) -> None:
    moody.tokens = set()
    with being_moody() as other:
        other.blobs[digest(LARGE)] = LARGE
        place = f"{other.url}/v2/elsewhere/blobs/{digest(LARGE)}"
        moody.refusals = [("GET", "/blobs/", Refusal(307, {"Location": place}))]
        client("secret").pull_blob(HOME, digest(LARGE), len(LARGE), tmp_path / "large")
        ((_, _, fields),) = other.asked
    assert "authorization" not in fields
    assert (tmp_path / "large").read_bytes() == LARGE


def test_an_upload_is_sent_nowhere_else(moody: Moody, client: Callable[..., Oci]) -> None:
    moody.refusals = [("POST", "/uploads/", Refusal(202, {"Location": "http://127.0.0.2:9/x"}))]
    with pytest.raises(Unreachable, match=r"127\.0\.0\.2"):
        push(client(), LARGE)


def test_a_download_goes_on_where_the_connection_broke(
    moody: Moody, client: Callable[..., Oci], tmp_path: Path
) -> None:
    moody.blobs[digest(LARGE)] = LARGE
    moody.cuts = [MEBIBYTE // 2, MEBIBYTE // 2]
    moved: list[int] = []
    client().pull_blob(HOME, digest(LARGE), len(LARGE), tmp_path / "large", moved.append)
    assert (tmp_path / "large").read_bytes() == LARGE
    ranges = [fields.get("range") for _, _, fields in moody.asked]
    assert ranges == [None, f"bytes={MEBIBYTE // 2}-", f"bytes={MEBIBYTE}-"]
    assert sum(moved) == len(LARGE)


def test_what_an_earlier_command_fetched_is_used(moody: Moody, client: Callable[..., Oci], tmp_path: Path) -> None:
    moody.blobs[digest(LARGE)] = LARGE
    (tmp_path / "large.part").write_bytes(LARGE[:-10])
    client().pull_blob(HOME, digest(LARGE), len(LARGE), tmp_path / "large")
    assert [fields.get("range") for _, _, fields in moody.asked] == [f"bytes={len(LARGE) - 10}-"]
    assert sorted(tmp_path.glob("large*")) == [tmp_path / "large"]


@pytest.mark.parametrize("before", [b"x" * 1000, b"x" * (len(LARGE) + 1)])
def test_what_an_earlier_command_fetched_wrongly_is_fetched_again(
    moody: Moody, client: Callable[..., Oci], tmp_path: Path, before: bytes
) -> None:
    moody.blobs[digest(LARGE)] = LARGE
    (tmp_path / "large.part").write_bytes(before)
    client().pull_blob(HOME, digest(LARGE), len(LARGE), tmp_path / "large")
    assert (tmp_path / "large").read_bytes() == LARGE


@pytest.mark.parametrize("change", [lambda content: b"x" + content[1:], lambda content: content + b"x"])
def test_a_blob_that_is_not_what_its_digest_says_is_not_kept(
    moody: Moody, client: Callable[..., Oci], tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    moody.blobs[digest(LARGE)] = change(LARGE)
    (tmp_path / "large").write_bytes(b"before")
    with pytest.raises(Tampered) as caught:
        client().pull_blob(HOME, digest(LARGE), len(LARGE), tmp_path / "large")
    assert caught.value.status == 4
    assert (tmp_path / "large").read_bytes() == b"before"
    assert not (tmp_path / "large.part").exists()


def test_a_blob_that_is_read_is_verified_and_bounded(moody: Moody, client: Callable[..., Oci]) -> None:
    moody.blobs = {digest(b"hello"): b"hullo", digest(LARGE): LARGE}
    with pytest.raises(Tampered):
        client().read_blob(HOME, digest(b"hello"), 100)
    with pytest.raises(Unreachable, match="more than 64 KiB"):
        client().read_blob(HOME, digest(LARGE), 1 << 16)


def test_a_manifest_comes_as_it_went_or_not_at_all(moody: Moody, client: Callable[..., Oci]) -> None:
    oci, raw = client(), b'{"schemaVersion": 2}'
    assert oci.push_manifest(HOME, "v1", raw, OCI_MANIFEST) == digest(raw)
    fetched = oci.manifest(HOME, "v1")
    assert (fetched.raw, fetched.media_type, fetched.digest) == (raw, OCI_MANIFEST, digest(raw))
    assert oci.digest(HOME, "v1") == digest(raw)
    assert oci.digest(HOME, "v2") is None
    moody.manifests[f"{HOME}:{digest(raw)}"] = (OCI_MANIFEST, b"{}")
    with pytest.raises(Tampered):
        oci.manifest(HOME, digest(raw))
    with pytest.raises(Missing):
        oci.manifest(HOME, "v2")


def test_a_warning_of_the_registry_is_told_once(
    moody: Moody, client: Callable[..., Oci], capsys: pytest.CaptureFixture[str]
) -> None:
    moody.sent = {"Warning": '299 - "hello 1.0.0 is deprecated: it \\"loses\\" data"'}
    oci = client()
    oci.push_manifest(HOME, "v1", b"{}", OCI_MANIFEST)
    assert oci.manifest(HOME, "v1").warnings == ('hello 1.0.0 is deprecated: it "loses" data',)
    assert capsys.readouterr().err == 'Warning: hello 1.0.0 is deprecated: it "loses" data\n'


def test_many_blobs_go_and_come_at_once(moody: Moody, client: Callable[..., Oci], tmp_path: Path) -> None:
    contents = [b"%d" % number for number in range(40)] + [b"0"]
    blobs = [Blob(digest(one), len(one), lambda one=one: BytesIO(one)) for one in contents]  # type: ignore[misc]
    with Bars(Output()) as bars:
        push_all(client(), HOME, blobs, bars)
        pull_all(client(), [Wanted(HOME, one.digest, one.size, tmp_path / one.digest) for one in blobs], bars)
    assert len(moody.blobs) == 40
    assert all((tmp_path / digest(one)).read_bytes() == one for one in contents)


def test_the_first_error_of_many_ends_all(moody: Moody, client: Callable[..., Oci]) -> None:
    moody.refusals = [("POST", "/uploads/", Refusal(403, {}, "DENIED", "Not here."))]
    contents = [b"%d" % number for number in range(100)]
    blobs = [Blob(digest(one), len(one), lambda one=one: BytesIO(one)) for one in contents]  # type: ignore[misc]
    with pytest.raises(Problem, match=r"Not here\."), Bars(Output()) as bars:
        push_all(client(), HOME, blobs, bars)
    assert len(moody.blobs) < 100


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_upload_that_is_interrupted_goes_on_with_the_next_command(
    moody: Moody, client: Callable[..., Oci], tmp_path: Path, number: signal.Signals
) -> None:
    (tmp_path / "large").write_bytes(LARGE)
    moody.stalls = MEBIBYTE
    program = f"""
        import signal
        import sys
        from pathlib import Path
        from registry.cli.addresses import parse
        from registry.cli.oci import Oci
        from registry.cli.output import Output
        from registry.cli.progress import Bars
        from registry.cli.transfer import Blob, push_all
        signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever started the tests may ignore it
        place = Path({str(tmp_path / "large")!r})
        oci = Oci(parse({moody.url!r}), Output(), None, Path({str(tmp_path / "cache")!r}))
        try:
            push_all(oci, {HOME!r}, [Blob({digest(LARGE)!r}, {len(LARGE)}, lambda: place.open("rb"))], Bars(Output()))
        except KeyboardInterrupt:
            sys.exit(1)
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}) as process:
        assert moody.stalled.wait(60)
        process.send_signal(number)
        assert process.wait(30) == (1 if number is signal.SIGINT else -signal.SIGKILL)
    moody.stalls = None
    moody.released.set()
    before = moody.received
    push(client(), LARGE)
    assert moody.blobs[digest(LARGE)] == LARGE
    assert moody.received - before < len(LARGE)
