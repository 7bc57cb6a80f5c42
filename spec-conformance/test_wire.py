"""What no client library sends: broken connections, short bodies, raw targets, odd headers."""

from collections.abc import Callable

import httpx
import pytest
from clauses import MUST, RULING, SHOULD, clause
from client import Repository, Session, expect, with_query
from data import OCTETS, Content, Maker
from wire import Answer, Wire

RESUME = "Use Cases: Resumable Push"
SEMANTICS = "API: HTTP semantics of RFC 9110"
NAMES = "Pulling manifests: names"
ATTEMPTS = 200
"""How often a client asks again while the registry still holds a connection that broke."""

Connect = Callable[[], Wire]


def target(url: httpx.URL) -> str:
    """What stands in the request line."""
    return url.raw_path.decode()


def credentials(repository: Repository) -> dict[str, str]:
    """The header that the account needs, if there is one."""
    sent = repository.blob("sha256:" + "0" * 64, "HEAD").request.headers
    return {"Authorization": sent["Authorization"]} if "Authorization" in sent else {}


def resume(session: Session, blob: Content) -> list[int]:
    """Go on with an upload as clients do: ask how far it is, send the rest; returns the offsets tried.

    A registry that has not yet seen the other connection die may refuse a while, with 416 or 5xx.
    """
    tried: list[int] = []
    for _ in range(ATTEMPTS):
        response = session.status()
        if response.status_code != 204:
            continue
        last = int(expect(response, 204).headers["Range"].removeprefix("bytes=").split("-")[1])
        tried.append(last + 1 if last else 0)
        response = session.patch(blob.body[tried[-1] :], tried[-1])
        if response.status_code == 202:
            return tried
        assert response.status_code in {416, 409, 423, 429, 500, 503}, response.status_code
    raise AssertionError(f"the upload cannot be resumed: {tried[:10]}")


@pytest.fixture
def blob(make: Maker) -> Content:
    """A blob large enough to break off in the middle."""
    return make.blob(100_000)


@clause("end-5", RESUME)
@pytest.mark.parametrize("how", ["reset", "close"])
def test_an_upload_goes_on_after_the_connection_broke(
    how: str, repository: Repository, blob: Content, connect: Connect
) -> None:
    session, wire = repository.session(), connect()
    wire.head(
        "PATCH",
        target(session.location),
        Content_Length=str(len(blob.body)),
        Content_Range=f"0-{len(blob.body) - 1}",
        Content_Type=OCTETS,
        **credentials(repository),
    )
    wire.send(blob.body[:60_000])
    getattr(wire, how)()
    resume(session, blob)
    expect(session.put(blob.digest), 201)
    assert expect(repository.blob(blob.digest), 200).content == blob.body


@clause("end-5", RESUME, RULING)
def test_what_came_before_the_connection_broke_is_kept(repository: Repository, blob: Content, connect: Connect) -> None:
    session, wire = repository.session(), connect()
    size = str(len(blob.body))
    wire.head("PATCH", target(session.location), Content_Length=size, Expect="100-continue", **credentials(repository))
    assert wire.answer().status == 100
    wire.send(blob.body[:60_000])
    wire.close()
    assert resume(session, blob)[-1] == 60_000
    expect(session.put(blob.digest), 201)


@clause("end-5", RESUME)
def test_a_chunked_body_that_breaks_off_can_be_resumed(repository: Repository, blob: Content, connect: Connect) -> None:
    session, wire = repository.session(), connect()
    wire.head("PATCH", target(session.location), Transfer_Encoding="chunked", **credentials(repository))
    wire.send(b"%x\r\n%b\r\n" % (40_000, blob.body[:40_000]))
    wire.send(b"%x\r\n%b" % (40_000, blob.body[40_000:50_000]))
    wire.reset()
    resume(session, blob)
    expect(session.put(blob.digest), 201)
    assert expect(repository.blob(blob.digest), 200).content == blob.body


@clause("end-6", RESUME)
@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_a_body_that_ends_too_soon_makes_no_blob(
    method: str, repository: Repository, blob: Content, connect: Connect
) -> None:
    """The bytes that came are themselves a blob, by whose digest the request goes."""
    half, wire = Content(OCTETS, blob.body[:50_000]), connect()
    start = repository.url("blobs/uploads/") if method == "POST" else repository.session().location
    url = with_query(start, {"digest": half.digest})
    wire.head(method, target(url), Content_Length=str(len(blob.body)), **credentials(repository))
    wire.send(half.body)
    wire.finish()
    wire.drain()
    expect(repository.blob(half.digest, "HEAD"), 404)


@clause("end-7a", "Pushing Manifests")
def test_a_manifest_that_ends_too_soon_is_not_stored(repository: Repository, make: Maker, connect: Connect) -> None:
    image, wire = repository.push(make.image(), "whole"), connect()
    url = repository.url("manifests/short")
    size = str(len(image.body) + 10)
    wire.head("PUT", target(url), Content_Length=size, Content_Type=image.media_type, **credentials(repository))
    wire.send(image.body)
    wire.finish()
    wire.drain()
    expect(repository.manifest("short", "HEAD"), 404)


@clause("-", SEMANTICS, SHOULD)
def test_a_client_that_asks_before_it_sends_is_told_to_go_on(
    repository: Repository, blob: Content, connect: Connect
) -> None:
    session, wire = repository.session(), connect()
    url = with_query(session.location, {"digest": blob.digest})
    wire.head("PUT", target(url), Content_Length=str(len(blob.body)), Expect="100-continue", **credentials(repository))
    assert wire.answer().status == 100
    wire.send(blob.body)
    assert wire.answer().status == 201
    expect(repository.blob(blob.digest, "HEAD"), 200)


@clause("-", SEMANTICS, RULING)
def test_a_client_that_asks_first_is_refused_without_sending(
    repository: Repository, blob: Content, connect: Connect
) -> None:
    wire, url = connect(), repository.url("blobs/uploads/00000000-0000-4000-8000-000000000000")
    wire.head("PATCH", target(url), Content_Length="5000000", Expect="100-continue", **credentials(repository))
    assert wire.answer().status == 404


@clause("-", SEMANTICS, SHOULD)
def test_an_answer_before_the_body_reaches_a_client_that_sends_on(
    repository: Repository, make: Maker, connect: Connect
) -> None:
    """The client that first sends everything and then listens gets the refusal, not a reset."""
    blob, wire = make.blob(3_000_000), connect()
    url = repository.url("blobs/uploads/00000000-0000-4000-8000-000000000000")
    wire.head("PATCH", target(url), Content_Length=str(len(blob.body)), **credentials(repository))
    wire.send(blob.body)
    assert wire.answer().status == 404


HOSTILE = [
    "/v2/a%2Fb/manifests/latest",
    "/v2/%2e%2e/%2e%2e/etc/passwd",
    "/v2/../../etc/passwd",
    "/v2/a/../b/manifests/latest",
    "/v2/a/manifests/..",
    "/v2/a/manifests/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "/v2/a/manifests/%00",
    "/v2/a%00/tags/list",
    "/v2//manifests/latest",
    "/v2/a//manifests/latest",
    "/v2/a/blobs/sha256:%00",
    "/v2/a/blobs/sha256%2F..%2F..%2Fx",
    "/v2/a/blobs/uploads/..%2f..%2fx",
    "/v2/a/blobs/uploads/%2e%2e",
    "/v2/a/tags/list/",
    "/v2/a/tags/list/extra",
    "/v2/%ff%fe/tags/list",
    "/v2/%C3%A4/tags/list",
    "/v2/a%0d%0aSet-Cookie:%20x=y/tags/list",
    "/v2/a/manifests/%",
    "/v2/a/manifests/%zz",
    "/v2/a;b=c/tags/list",
    "/v2/" + "a/" * 3000 + "tags/list",
]


@clause("-", NAMES)
@pytest.mark.parametrize("path", HOSTILE, ids=lambda path: path[:40])
def test_a_target_that_is_no_address_finds_nothing(path: str, repository: Repository, connect: Connect) -> None:
    wire = connect()
    wire.head("GET", path, **credentials(repository))
    answer = wire.answer()
    assert 300 <= answer.status < 500
    assert b"root:" not in answer.body
    assert "set-cookie" not in answer.headers


@clause("-", NAMES, RULING)
@pytest.mark.parametrize("path", HOSTILE, ids=lambda path: path[:40])
def test_a_target_that_is_no_address_is_no_redirect(path: str, repository: Repository, connect: Connect) -> None:
    wire = connect()
    wire.head("GET", path, **credentials(repository))
    assert wire.answer().status in {400, 404, 405, 414, 431}


@clause("-", NAMES, MUST)
def test_an_encoded_slash_does_not_separate_names(repository: Repository, make: Maker, connect: Connect) -> None:
    repository.push(make.image(), "here")
    wire = connect()
    encoded = repository.name.replace("/", "%2F")
    wire.head("GET", f"/v2/{encoded}/manifests/here", Accept="*/*", **credentials(repository))
    assert wire.answer().status in {400, 404, 301, 307, 308, 200}


@clause("-", NAMES, RULING)
def test_an_encoded_slash_is_refused(repository: Repository, make: Maker, connect: Connect) -> None:
    repository.push(make.image(), "here")
    wire = connect()
    encoded = repository.name.replace("/", "%2F")
    wire.head("GET", f"/v2/{encoded}/manifests/here", **credentials(repository))
    assert wire.answer().status in {400, 404}


@clause("end-2", SEMANTICS, SHOULD)
def test_an_encoded_colon_in_a_digest_is_a_colon(repository: Repository, make: Maker, connect: Connect) -> None:
    blob = make.blob()
    repository.push_blob(blob)
    for spelling in ("%3A", "%3a"):
        wire = connect()
        path = target(repository.url(f"blobs/{blob.digest}")).replace(":", spelling)
        wire.head("GET", path, **credentials(repository))
        answer = wire.answer()
        assert answer.status == 200
        assert answer.body == blob.body


def ask(wire: Wire, raw: bytes) -> Answer | None:
    """Send these bytes; the answer, or None where the registry only closes the connection."""
    wire.send(raw)
    try:
        return wire.answer()
    except ConnectionError:
        return None


@clause("-", SEMANTICS)
@pytest.mark.parametrize(
    "head",
    [
        "GET /v2/ HTTP/1.1\r\n\r\n",
        "GET /v2/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: {}\r\nContent-Length: -1\r\n\r\n",
        "POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: {}\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        "POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: {}\r\nContent-Length: ten\r\n\r\n",
        "PUT /v2/a/manifests/b HTTP/1.1\r\nHost: {}\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "GET /v2/ HTTP/1.1\r\nHost: {}\r\nNo colon here\r\n\r\n",
        "GET /v2/ HTTP/9.9\r\nHost: {}\r\n\r\n",
        "nonsense\r\n\r\n",
    ],
    ids=range(9),
)
def test_a_request_that_is_none_is_refused_and_the_registry_lives(
    head: str, http: httpx.Client, root: httpx.URL, connect: Connect
) -> None:
    wire = connect()
    answer = ask(wire, head.format(wire.host).encode())
    assert answer is None or answer.status < 500 or answer.status in {501, 505}
    expect(http.get(root.join("/v2/")), 200)


@clause("-", SEMANTICS, RULING)
def test_length_and_chunks_together_are_not_read_as_two_requests(
    repository: Repository, http: httpx.Client, root: httpx.URL, connect: Connect
) -> None:
    """The second request, hidden in the body of the first, must not be answered."""
    wire = connect()
    hidden = "GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n"
    head = f"PATCH /v2/a/blobs/uploads/x HTTP/1.1\r\nHost: {wire.host}\r\nContent-Length: {len(hidden) + 5}\r\n"
    ask(wire, f"{head}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}".encode())
    try:
        second = wire.answer().status
    except (ConnectionError, TimeoutError):
        second = 0
    assert second != 200
    expect(http.get(root.join("/v2/")), 200)


@clause("-", SEMANTICS, SHOULD)
def test_headers_without_end_are_refused(root: httpx.URL, http: httpx.Client, connect: Connect) -> None:
    wire = connect()
    try:
        answer = ask(wire, f"GET /v2/ HTTP/1.1\r\nHost: {wire.host}\r\nX: {'x' * 2_000_000}\r\n\r\n".encode())
    except ConnectionError:
        answer = None
    assert answer is None or answer.status in {400, 413, 431}
    expect(http.get(root.join("/v2/")), 200)


@clause("-", SEMANTICS)
def test_several_requests_on_one_connection_are_answered_in_order(
    repository: Repository, make: Maker, connect: Connect
) -> None:
    blobs, wire = [make.blob(300), make.blob(400), make.blob(500)], connect()
    for blob in blobs:
        repository.push_blob(blob)
    head = credentials(repository)
    for blob in blobs:
        wire.head("GET", target(repository.url(f"blobs/{blob.digest}")), **head)
    assert [wire.answer().body for _ in blobs] == [blob.body for blob in blobs]


@clause("-", SEMANTICS)
def test_head_keeps_the_connection_in_step(repository: Repository, make: Maker, connect: Connect) -> None:
    blob, wire = make.blob(300), connect()
    repository.push_blob(blob)
    head, path = credentials(repository), target(repository.url(f"blobs/{blob.digest}"))
    wire.head("HEAD", path, **head)
    wire.head("GET", path, **head)
    assert wire.answer(bodiless=True).headers["content-length"] == "300"
    assert wire.answer().body == blob.body
