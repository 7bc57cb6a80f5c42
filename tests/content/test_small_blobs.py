"""Blobs that lie in their rows."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from registry.content import uploads
from registry.content.chunks import Chunk
from registry.content.fsck import compare
from registry.core.digest import digest_of
from registry.core.errors import BlobUploadUnknown

SMALL = b"small" * 100
LARGE = b"large" * 1000
EMPTY = b""


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    """As an operator finds it, but for the size."""
    return environ | {"SMALL_BLOB": "1000"}


async def start(client: httpx.AsyncClient) -> str:
    return str((await client.post("/v2/a/blobs/uploads/")).headers["location"])


async def close(client: httpx.AsyncClient, location: str, content: bytes, named: str | None = None) -> httpx.Response:
    return await client.put(location, params={"digest": named or digest(content)}, content=content)


def objects(shelf: Any) -> list[str]:
    found = list(shelf.store.keys())
    return [key for key, _, _ in found]


@pytest.mark.parametrize("content", [SMALL, EMPTY], ids=["small", "empty"])
@pytest.mark.parametrize("at_once", [True, False], ids=["post", "put"])
async def test_a_small_blob_is_served_without_an_object(
    client: httpx.AsyncClient, shelf: Any, content: bytes, at_once: bool
) -> None:
    if at_once and content:
        answer = await client.post("/v2/a/blobs/uploads/", params={"digest": digest(content)}, content=content)
    else:
        answer = await close(client, await start(client), content)
    assert answer.status_code == 201
    assert objects(shelf) == []
    found = await client.get(f"/v2/a/blobs/{digest(content)}")
    assert (found.status_code, found.content) == (200, content)
    head = await client.head(f"/v2/a/blobs/{digest(content)}")
    assert head.headers["content-length"] == str(len(content))


async def test_a_range_of_it_is_a_range(client: httpx.AsyncClient) -> None:
    await close(client, await start(client), SMALL)
    found = await client.get(f"/v2/a/blobs/{digest(SMALL)}", headers={"Range": "bytes=5-9"})
    assert (found.status_code, found.content) == (206, b"small")
    assert found.headers["content-range"] == f"bytes 5-9/{len(SMALL)}"


async def test_a_larger_one_is_an_object(client: httpx.AsyncClient, shelf: Any) -> None:
    assert (await close(client, await start(client), LARGE)).status_code == 201
    assert len(objects(shelf)) == 1
    assert (await client.get(f"/v2/a/blobs/{digest(LARGE)}")).content == LARGE


async def test_one_that_came_in_chunks_is_an_object(client: httpx.AsyncClient, shelf: Any) -> None:
    location = await start(client)
    assert (await client.patch(location, content=SMALL[:100])).status_code == 202
    assert (await close(client, location, SMALL[100:], digest(SMALL))).status_code == 201
    assert len(objects(shelf)) == 1
    assert (await client.get(f"/v2/a/blobs/{digest(SMALL)}")).content == SMALL


async def test_a_wrong_digest_ends_the_session(client: httpx.AsyncClient) -> None:
    location = await start(client)
    answer = await close(client, location, SMALL, digest(LARGE))
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "DIGEST_INVALID")
    assert (await client.get(location)).status_code == 404


async def test_a_repeated_closing_put_is_201_for_the_same_digest_alone(client: httpx.AsyncClient) -> None:
    location = await start(client)
    for _ in range(2):
        assert (await close(client, location, SMALL)).status_code == 201
    assert (await close(client, location, LARGE)).status_code == 404


async def test_what_came_before_a_lost_connection_counts(client: httpx.AsyncClient, shelf: Any) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield SMALL[:100]
        raise ConnectionError

    session = await uploads.start(shelf, "a", "anybody", "sha256")
    with pytest.raises(ConnectionError):
        await uploads.finish(shelf, session, digest_of(SMALL), Chunk(broken(), size=len(SMALL)))
    assert (await uploads.status(shelf, session)).received == 100
    location = f"/v2/a/blobs/uploads/{session.id}"
    assert (await close(client, location, SMALL[100:], digest(SMALL))).status_code == 201


async def test_what_came_before_a_lost_connection_does_not_follow_what_another_request_brought(
    client: httpx.AsyncClient, shelf: Any
) -> None:
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def broken() -> AsyncIterator[bytes]:
        yield SMALL[:100]
        arrived.set()
        await go_on.wait()
        raise ConnectionError

    session = await uploads.start(shelf, "a", "anybody", "sha256")
    put = asyncio.ensure_future(uploads.finish(shelf, session, digest_of(SMALL), Chunk(broken(), size=len(SMALL))))
    await arrived.wait()
    location = f"/v2/a/blobs/uploads/{session.id}"
    assert (await client.patch(location, content=SMALL[:200])).status_code == 202
    go_on.set()
    with pytest.raises(ConnectionError):
        await put
    assert (await uploads.status(shelf, session)).received == 200
    assert (await close(client, location, SMALL[200:], digest(SMALL))).status_code == 201


async def test_a_patch_that_meets_the_closing_put_is_refused_and_leaves_nothing(
    client: httpx.AsyncClient, shelf: Any
) -> None:
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"x"
        arrived.set()
        await go_on.wait()

    session = await uploads.start(shelf, "a", "anybody", "sha256")
    patch = asyncio.ensure_future(uploads.append(shelf, session, Chunk(slow())))
    await arrived.wait()
    assert (await close(client, f"/v2/a/blobs/uploads/{session.id}", SMALL)).status_code == 201
    go_on.set()
    with pytest.raises(BlobUploadUnknown):
        await patch
    assert (await client.get(f"/v2/a/blobs/{digest(SMALL)}")).content == SMALL


async def test_the_same_bytes_pushed_as_an_object_before_stay_one(client: httpx.AsyncClient, shelf: Any) -> None:
    location = await start(client)
    await client.patch(location, content=SMALL)
    await close(client, location, b"", digest(SMALL))
    assert (
        await client.post("/v2/b/blobs/uploads/", params={"digest": digest(SMALL)}, content=SMALL)
    ).status_code == 201
    assert len(objects(shelf)) == 1
    assert (await client.get(f"/v2/b/blobs/{digest(SMALL)}")).content == SMALL


async def test_comparing_hashes_them(client: httpx.AsyncClient, shelf: Any) -> None:
    await close(client, await start(client), SMALL)
    found = await compare(shelf, rehash=False)
    assert (found.blobs, found.is_clean) == (1, True)
    async with shelf.db.connection() as connection:
        await connection.execute("UPDATE blobs SET content = content || 'x'::bytea")
    assert (await compare(shelf, rehash=False)).corrupt == [digest(SMALL)]


async def test_one_that_is_shorter_than_its_row_says_is_no_answer(client: httpx.AsyncClient, shelf: Any) -> None:
    """The Content-Length would promise bytes that are those of the next answer."""
    await close(client, await start(client), SMALL)
    async with shelf.db.connection() as connection:
        await connection.execute("UPDATE blobs SET content = substring(content FROM 2)")
    assert (await client.get(f"/v2/a/blobs/{digest(SMALL)}")).status_code == 500
