"""What the client makes of answers, with a stand-in for the registry that gives them."""

import json
import socket
import ssl
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from registry.cli.addresses import DEFAULT, Address, parse
from registry.cli.api import Api, route
from registry.cli.output import Output
from registry.cli.problems import Clash, Missing, NotSignedIn, Problem, Refused, Unreachable
from registry.cli.session import Fixed
from tests.cli.conftest import Gati
from tests.cli.stand_in import StandIn, Told, refusal


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def api(registry: StandIn, pauses: list[float]) -> Any:
    registry.bearers["good"] = "alice"
    with Api(parse(registry.url), Output(), Fixed("good"), pauses.append) as found:
        yield found


@pytest.mark.parametrize(
    ("status", "kind", "exit_status"),
    [
        (400, Problem, 1),
        (422, Problem, 1),
        (401, NotSignedIn, 3),
        (403, Refused, 6),
        (402, Refused, 6),
        (507, Refused, 6),
        (404, Missing, 5),
        (410, Missing, 5),
        (409, Clash, 7),
        (412, Clash, 7),
        (500, Unreachable, 2),
        (503, Unreachable, 2),
    ],
)
def test_a_refusal_ends_with_its_status_and_the_words_of_the_registry(
    registry: StandIn, api: Api, status: int, kind: type[Problem], exit_status: int
) -> None:
    registry.answers.append(("GET", "/v1/x", refusal(status, "SOME_CODE", "Bob may not do that.", "Ask alice.")))
    with pytest.raises(Problem, match=r"Bob may not do that\.") as caught:
        api.get("/v1/x")
    assert type(caught.value) is kind
    assert caught.value.status == exit_status
    assert caught.value.code == "SOME_CODE"
    if status not in {401, 500}:
        assert caught.value.suggestions == ("Ask alice.",)


def test_a_failure_of_the_registry_is_found_by_its_operator(registry: StandIn, api: Api) -> None:
    registry.answers.append(("GET", "/v1/x", refusal(500, "INTERNAL", "The registry failed.")))
    with pytest.raises(Unreachable) as caught:
        api.get("/v1/x")
    assert "req_1" in caught.value.suggestions[0]


@pytest.mark.parametrize("body", [b"<html>", b"[1]", b"\xff", b"", b"[" * 100_000])
def test_a_refusal_without_words_is_told_by_its_status(registry: StandIn, api: Api, body: bytes) -> None:
    registry.answers.append(("GET", "/v1/x", Told(404, body)))
    with pytest.raises(Missing, match="The registry answered 404"):
        api.get("/v1/x")


@pytest.mark.parametrize("body", [b"<html>", b"[1]", b"\xff", b"[" * 100_000])
def test_an_answer_that_is_no_json_object_is_of_no_registry(registry: StandIn, api: Api, body: bytes) -> None:
    registry.answers.append(("GET", "/v1/x", Told(200, body)))
    with pytest.raises(Unreachable, match="no registry"):
        api.get("/v1/x")


def test_an_answer_without_end_is_given_up(registry: StandIn, api: Api) -> None:
    registry.answers.append(("GET", "/v1/x", Told(200, b" " * (9 << 20))))
    with pytest.raises(Unreachable, match="more than 8 MiB"):
        api.get("/v1/x")


def test_too_many_requests_are_waited_for_once(registry: StandIn, api: Api, pauses: list[float]) -> None:
    busy = Told(429, {"code": "RATE_LIMIT_EXCEEDED", "message": "Slowly."}, {"Retry-After": "3"})
    registry.answers += [("GET", "/v1/me", busy)]
    assert api.get("/v1/me").body["account"]["username"] == "alice"
    registry.answers += [("GET", "/v1/me", busy), ("GET", "/v1/me", busy)]
    with pytest.raises(Unreachable, match="Slowly"):
        api.get("/v1/me")
    assert pauses == [3, 3]


@pytest.mark.parametrize("after", ["100", "soon", "-1", ""])
def test_a_long_or_unknown_pause_is_left_to_the_user(
    registry: StandIn, api: Api, pauses: list[float], after: str
) -> None:
    registry.answers.append(("GET", "/v1/me", Told(429, {"message": "Slowly."}, {"Retry-After": after})))
    with pytest.raises(Unreachable, match="Slowly"):
        api.get("/v1/me")
    assert pauses == []


def test_a_redirect_to_another_host_gets_no_credential(registry: StandIn, api: Api) -> None:
    elsewhere = registry.url.replace("127.0.0.1", "localhost")
    registry.answers.append(("GET", "/v1/me", Told(307, None, {"Location": f"{elsewhere}/v1/me"})))
    with pytest.raises(Unreachable, match="sends its callers to http://localhost"):
        api.get("/v1/me")
    assert len(registry.asked) == 1


def test_a_redirect_on_the_same_host_is_followed_but_not_for_ever(registry: StandIn, api: Api) -> None:
    registry.answers.append(("GET", "/v1/old", Told(308, None, {"Location": "/v1/me"})))
    assert api.get("/v1/old").body["account"]["username"] == "alice"
    registry.answers += [("GET", "/v1/me", Told(308, None, {"Location": "/v1/me"}))] * 9
    with pytest.raises(Unreachable, match="circle"):
        api.get("/v1/me")


def test_a_change_is_sent_on_only_where_it_stays_a_change(registry: StandIn, api: Api) -> None:
    registry.answers.append(("POST", "/v1/old", Told(302, None, {"Location": "/v1/orgs"})))
    with pytest.raises(Unreachable, match="a redirect"):
        api.call("POST", "/v1/old", {"slug": "x"})
    registry.answers.append(("POST", "/v1/old", Told(307, None, {"Location": "/v1/orgs"})))
    api.call("POST", "/v1/old", {"slug": "x"})
    assert (registry.asked[-1].path, registry.asked[-1].body) == ("/v1/orgs", {"slug": "x"})


def test_every_page_of_a_list_is_read_and_none_twice(registry: StandIn, api: Api) -> None:
    pages = [({"a": 1}, "k1"), ({"a": 2}, "k2"), ({"a": 3}, None)]
    registry.answers += [("GET", "/v1/x", Told(200, {"items": [item], "next": cursor})) for item, cursor in pages]
    assert api.items("/v1/x") == [{"a": 1}, {"a": 2}, {"a": 3}]
    assert [asked.query for asked in registry.asked] == [
        {"limit": "100"},
        {"limit": "100", "after": "k1"},
        {"limit": "100", "after": "k2"},
    ]
    registry.answers += [("GET", "/v1/x", Told(200, {"items": [{"a": 1}], "next": "same"}))] * 5
    assert len(api.items("/v1/x")) == 2


def test_the_client_says_what_it_is(registry: StandIn, api: Api) -> None:
    api.get("/v1/me")
    assert registry.asked[0].headers["user-agent"].startswith("gati/")


def test_a_registry_that_is_not_there_is_told(gati: Gati) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    ended = gati.run("login", url, "-u", "alice", "--password-stdin", stdin="x\n")
    assert ended.status == 2
    assert f"{url} does not answer" in ended.err


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path, gati: Gati) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*_self_signed(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                try:
                    context.wrap_socket(connection, server_side=True).close()
                except OSError:
                    return

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"https://localhost:{server.getsockname()[1]}"
        ended = gati.run("login", url, "-u", "alice", "--password-stdin", "--json", stdin="x\n")
        thread.join()
    assert ended.status == 2
    assert ended.document["error"]["code"] == "CERTIFICATE"
    assert "SSL_CERT_FILE" in json.dumps(ended.document)


def _self_signed(folder: Path) -> tuple[Path, Path]:
    chain, key = folder / "chain.pem", folder / "key.pem"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=localhost"]
    command = ["openssl", "req", "-x509", "-nodes", "-days", "9", *kind, "-keyout", str(key), "-out", str(chain)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("openssl makes no certificate here")
    return chain, key


def test_a_proxy_is_not_told_what_is_said_to_the_own_machine(
    registry: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    registry.bearers["good"] = "alice"
    with Api(parse(registry.url), Output(), Fixed("good")) as api:
        assert api.get("/v1/me").body["account"]["username"] == "alice"


def test_names_cannot_leave_their_place_in_a_path() -> None:
    assert route("namespaces", "orgs~x", "members", "a/b?c#d") == "/v1/namespaces/orgs~x/members/a%2Fb%3Fc%23d"
    for part in ("", ".", ".."):
        with pytest.raises(Problem, match="not a name"):
            route("namespaces", part)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("registry.example.org", "https://registry.example.org"),
        ("Registry.Example.org:443/", "https://registry.example.org"),
        ("registry.example.org:8443", "https://registry.example.org:8443"),
        ("localhost:8080", "http://localhost:8080"),
        ("127.0.0.1", "http://127.0.0.1"),
        ("[::1]:5000", "http://[::1]:5000"),
        ("https://localhost", "https://localhost"),
        (DEFAULT, DEFAULT),
    ],
)
def test_a_registry_is_named_as_docker_names_it(text: str, url: str) -> None:
    assert parse(text).url == url


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ftp://x",
        "https://alice:secret@x",
        "https://x/path",
        "https://x?y",
        "x:0",
        "x:99999",
        "https://",
        "a b",
        "é",
        "[::1",
    ],
)
def test_what_is_no_address_is_told(text: str) -> None:
    with pytest.raises(Problem, match="not the address of a registry"):
        parse(text)


def test_plain_http_to_another_machine_must_be_wanted() -> None:
    with pytest.raises(Problem, match="could read your password"):
        parse("http://registry.example.org")
    assert parse("http://registry.example.org", insecure=True) == Address("http", "registry.example.org")
