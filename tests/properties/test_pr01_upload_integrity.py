import itertools
import uuid

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.pushing import digest

PROPERTY = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))


@st.composite
def cuts(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """Content, and the same content in pieces."""
    content = draw(st.binary(max_size=1000)) * draw(st.sampled_from([1, 1, 1, 700]))
    places = sorted(draw(st.lists(st.integers(0, len(content)), max_size=4)))
    edges = [0, *places, len(content)]
    return content, [content[a:b] for a, b in itertools.pairwise(edges)]


async def upload(client: httpx.AsyncClient, name: str, pieces: list[bytes], named: str, way: str) -> httpx.Response:
    """Upload in one of the ways that there are."""
    content = b"".join(pieces)
    if way == "single" and content:
        return await client.post(f"/v2/{name}/blobs/uploads/", params={"digest": named}, content=content)
    place = (await client.post(f"/v2/{name}/blobs/uploads/")).headers["location"]
    if way in {"whole", "single"}:
        return await client.put(place, params={"digest": named}, content=content)
    at = 0
    for piece in pieces:
        headers = {"Content-Range": f"{at}-{at + len(piece) - 1}"} if piece and way == "ranged" else {}
        answer = await client.patch(place, content=piece, headers=headers)
        at += len(piece)
        assert (answer.status_code, answer.headers["range"]) == (202, f"0-{max(0, at - 1)}")
    return await client.put(place, params={"digest": named})


# Feature: gati-registry, Property 1: Upload integrity
@pytest.mark.timeout(300)
@PROPERTY
@given(
    made=cuts(),
    way=st.sampled_from(["single", "whole", "chunked", "ranged"]),
    algorithm=st.sampled_from(["sha256", "sha512"]),
    flip=st.booleans(),
    asked=st.tuples(st.integers(0, 1000), st.integers(0, 1000)),
)
async def test_what_comes_back_has_the_digest_that_went_in(
    client: httpx.AsyncClient,
    made: tuple[bytes, list[bytes]],
    way: str,
    algorithm: str,
    flip: bool,
    asked: tuple[int, int],
) -> None:
    """Whole and by ranges; content of another digest is refused and leaves nothing."""
    content, pieces = made
    name = f"pr1/{uuid.uuid4().hex}"
    named = digest(content + b"\1" if flip else content, algorithm)
    answer = await upload(client, name, pieces, named, way)
    if flip:
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "DIGEST_INVALID")
        assert (await client.get(f"/v2/{name}/blobs/{named}")).status_code == 404
        return
    assert answer.status_code == 201
    assert (await client.get(f"/v2/{name}/blobs/{named}")).content == content
    first, last = min(asked), max(asked)
    part = await client.get(f"/v2/{name}/blobs/{named}", headers={"Range": f"bytes={first}-{last}"})
    assert part.status_code == (206 if first < len(content) else 416)
    if part.status_code == 206:
        assert part.content == content[first : last + 1]
