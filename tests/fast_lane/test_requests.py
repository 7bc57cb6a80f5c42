"""However a request is written, it is answered as without the lane, and never from the wrong entry."""

import pytest

from tests.fast_lane.conftest import Registry, Start, get
from tests.pushing import EMPTY, descriptor, digest, image, push_blob, push_image, push_manifest

LATEST = "/v2/a/manifests/latest"
TAGS = "/v2/a/tags/list"
HOST = b"Host: localhost\r\n"


@pytest.fixture
async def pair(start: Start) -> tuple[Registry, Registry]:
    """A registry with a hot lane, and one without a lane on the same content."""
    hot, cold = await start(), await start({"LANE_MEMORY": "0"})
    await push_image(hot.client, "a", b"layer")
    await push_manifest(hot.client, "a", image(b"layer"), "other")
    for request in (get(LATEST), get(TAGS), get(LATEST, method="HEAD"), get("/v2/"), get(f"{TAGS}?n=1")):
        await hot.heat(request)
    return hot, cold


WRITTEN = {
    "as ever": [get(LATEST)],
    "HEAD": [get(LATEST, method="HEAD")],
    "a list": [get(TAGS)],
    "a page": [get(f"{TAGS}?n=1")],
    "a page after": [get(f"{TAGS}?n=1&last=latest")],
    "the same name twice": [get(f"{TAGS}?n=1&n=2")],
    "an unknown parameter": [get(f"{TAGS}?ns=x")],
    "a bad count": [get(f"{TAGS}?n=-1")],
    "no count": [get(f"{TAGS}?n=")],
    "a bare question mark": [get(f"{TAGS}?")],
    "a fragment": [get(f"{LATEST}#x")],
    "two Hosts": [get(LATEST, "Host: localhost")],
    "two Accepts": [get(LATEST, "Accept: a/b", "Accept: c/d")],
    "an unknown field": [get(LATEST, "X-Other: 1")],
    "a request id": [get(LATEST, "X-Request-Id: mine")],
    "no Host": [b"GET /v2/a/manifests/latest HTTP/1.1\r\n\r\n"],
    "an empty Host": [b"GET /v2/a/manifests/latest HTTP/1.1\r\nHost:\r\n\r\n"],
    "HTTP/1.0": [b"GET /v2/a/manifests/latest HTTP/1.0\r\n" + HOST + b"\r\n"],
    "percent": [get("/v2/a/manifests/lat%65st")],
    "absolute": [get(f"http://localhost{LATEST}")],
    "dots": [get("/v2/b/../a/manifests/latest")],
    "bare line feeds": [get(LATEST).replace(b"\r\n", b"\n")],
    "a bare carriage return": [get(LATEST, "Accept: a\rX: b")],
    "a folded field": [get(LATEST, "Accept: a/b,", " c/d")],
    "space before the colon": [get(LATEST, "Accept : a/b")],
    "a tab": [get(LATEST, "Accept:\ta/b\t")],
    "other case": [get(LATEST, "ACCEPT: a/b")],
    "an empty line first": [b"\r\n" + get(LATEST)],
    "two at once": [get(LATEST) + get(TAGS)],
    "two the same at once": [get(LATEST) * 2],
    "one and a field behind it": [get(LATEST) + b"Accept: a/b\r\n"],
    "one and a half": [get(LATEST) + get(TAGS)[:20], get(TAGS)[20:]],
    "a body": [get(LATEST, "Content-Length: 5") + b"hello"],
    "a body that looks like a request": [get(LATEST, f"Content-Length: {len(get(TAGS))}"), get(TAGS)],
    "a chunked body": [get(LATEST, "Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n\r\n"],
    "an offer": [get(LATEST, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c")],
    "a condition": [get(LATEST, "If-None-Match: *")],
    "close": [get(LATEST, "Connection: close")],
    "another method": [get(LATEST, method="OPTIONS")],
    "a lower case method": [get(LATEST, method="get")],
    "an expectation": [get(LATEST, "Expect: 100-continue")],
}


async def test_a_request_is_answered_as_without_the_lane(pair: tuple[Registry, Registry]) -> None:
    hot, cold = pair
    for name, segments in WRITTEN.items():
        expected = await cold.talk(*segments)
        assert (name, [await hot.talk(*segments) for _ in range(3)]) == (name, [expected] * 3)
    assert len(hot.hits) > 20


async def test_a_request_may_come_in_two_segments_cut_anywhere(pair: tuple[Registry, Registry]) -> None:
    hot, cold = pair
    request = get(LATEST)
    expected = await cold.talk(request)
    for at in range(1, len(request)):
        assert await hot.talk(request[:at], request[at:]) == expected


async def test_a_page_and_the_whole_are_told_apart(pair: tuple[Registry, Registry]) -> None:
    hot, _ = pair
    for _ in range(3):
        assert (await hot.ask(get(f"{TAGS}?n=1"))).body == b'{"name":"a","tags":["latest"]}'
        assert (await hot.ask(get(TAGS))).body == b'{"name":"a","tags":["latest","other"]}'
    assert hot.hits[-2:] == [f"GET {TAGS}"] * 2


async def test_an_answer_from_memory_has_every_field_of_the_first(pair: tuple[Registry, Registry]) -> None:
    hot, cold = pair
    first, again = await cold.ask(get(LATEST)), await hot.heat(get(LATEST))
    assert again.headers.keys() == first.headers.keys()
    assert again.headers["date"].endswith(" GMT")
    assert (await hot.ask(get(LATEST))).headers["x-request-id"] != again.headers["x-request-id"]


EVIL = ["a/b\r\nX-Evil: 1", "a/b\n\nx", "a/b\x00", "a/\u00fc\u0100"]


async def test_what_a_manifest_says_of_itself_cannot_split_a_head(pair: tuple[Registry, Registry]) -> None:
    hot, cold = pair
    await push_blob(hot.client, "a", EMPTY)
    for evil in EVIL:
        pushed = await hot.client.put("/v2/a/manifests/evil", content=image(b"layer", mediaType=evil))
        assert pushed.status_code in {400, 415}
        odd = image(b"layer", artifactType=evil, annotations={evil: evil}, subject=descriptor(image(b"layer")))
        assert (await push_manifest(hot.client, "a", odd, "odd")).status_code in {201, 400}
        for path in ("manifests/odd", "manifests/evil", f"referrers/{digest(image(b'layer'))}"):
            request = get(f"/v2/a/{path}")
            expected = await cold.talk(request)
            assert [await hot.talk(request) for _ in range(3)] == [expected] * 3
            assert b"\r\nx-evil" not in expected.lower()
