import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from registry.content import jobs
from registry.infra.http.boundary import Boundary
from tests.content.faults import all_time_passes, everything_falls_due
from tests.pushing import (
    EMPTY,
    OCI_INDEX,
    OCI_MANIFEST,
    descriptor,
    digest,
    image,
    push_blob,
    push_image,
    push_manifest,
)

LARGE = bytes(range(256)) * 6000


@asynccontextmanager
async def holding(shelf: Any, statement: str) -> AsyncIterator[None]:
    """Another action holds the rows of a statement; what waits for it here fails the test instead of hanging."""
    async with asyncio.timeout(20), shelf.db.transaction() as connection:
        assert await connection.fetch(statement)
        yield


async def push_index(client: httpx.AsyncClient, entry: dict[str, Any]) -> None:
    index = json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()
    assert (await push_manifest(client, "a", index, "all", OCI_INDEX)).status_code == 201


async def pull(server: Any, path: str, between: Any) -> bytes:
    """GET the whole, with something happening after its first piece."""
    parts: list[bytes] = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            if not parts:
                await between()
            parts.append(message["body"])

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b""}
    scope |= {"headers": [(b"host", b"localhost")], "http_version": "1.1", "client": ("127.0.0.1", 1)}
    await Boundary(server)(scope, receive, send)
    return b"".join(parts)


async def test_a_blob_that_is_being_served_is_served_to_its_end_though_it_goes(
    client: httpx.AsyncClient, shelf: Any, server: Any
) -> None:
    named = await push_blob(client, "a", LARGE)

    async def remove() -> None:
        assert (await client.delete(f"/v2/a/blobs/{named}")).status_code == 202
        await all_time_passes(shelf)
        assert list(shelf.store.keys()) == []

    assert await pull(server, f"/v2/a/blobs/{named}", remove) == LARGE
    assert (await client.get(f"/v2/a/blobs/{named}")).status_code == 404


async def test_the_bytes_of_a_blob_outlive_its_row_for_those_who_are_about_to_read_them(
    client: httpx.AsyncClient, shelf: Any
) -> None:
    named = await push_blob(client, "a", b"x")
    assert (await client.delete(f"/v2/a/blobs/{named}")).status_code == 202
    await jobs.sweep(shelf)
    [(key, *_)] = shelf.store.keys()
    async with shelf.db.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM blobs") == 0
        left = await connection.fetchval("SELECT due - clock_timestamp() FROM doomed WHERE object_key = $1", key)
    assert timedelta(minutes=59) < left <= timedelta(hours=1)


async def test_a_blob_pushed_again_while_its_old_bytes_are_doomed_is_whole(
    client: httpx.AsyncClient, shelf: Any
) -> None:
    for _ in range(2):
        named = await push_blob(client, "a", b"x")
        assert (await client.delete(f"/v2/a/blobs/{named}")).status_code == 202
        await jobs.sweep(shelf)
    await push_blob(client, "a", b"x")
    async with shelf.db.connection() as connection:
        await connection.execute("UPDATE doomed SET due = clock_timestamp()")
    await jobs.sweep(shelf, timedelta())
    assert (await client.get(f"/v2/a/blobs/{named}")).content == b"x"
    assert len(list(shelf.store.keys())) == 1


async def test_an_object_that_the_disk_keeps_does_not_hold_up_the_others(
    client: httpx.AsyncClient, shelf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for content in (b"x", b"y", b"z"):
        named = await push_blob(client, "a", content)
        assert (await client.delete(f"/v2/a/blobs/{named}")).status_code == 202
    unlink = Path.unlink

    def refuse(path: Path, *, missing_ok: bool = False) -> None:
        if digest(b"x").removeprefix("sha256:") in path.name:
            raise PermissionError(1, "not permitted")
        unlink(path, missing_ok=missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        await everything_falls_due(shelf)
        await everything_falls_due(shelf)
    assert len(list(shelf.store.keys())) == 1
    await everything_falls_due(shelf)
    assert list(shelf.store.keys()) == []


async def test_deleting_what_is_referred_to_is_refused_without_waiting_for_those_who_push(
    client: httpx.AsyncClient, shelf: Any
) -> None:
    """Every push holds the link of `{}`; nobody may queue before it for a lock that he will not use."""
    await push_image(client, "a")
    await push_index(client, descriptor(image(), OCI_MANIFEST))
    rows = "SELECT 1 FROM blob_links l, manifests m FOR KEY SHARE"
    async with holding(shelf, rows):
        for path in (f"blobs/{digest(EMPTY)}", f"manifests/{digest(image())}"):
            answer = await client.delete(f"/v2/a/{path}")
            assert (answer.status_code, answer.headers["allow"].startswith("GET, HEAD")) == (405, True)


async def test_deleting_what_is_referred_to_but_not_here_is_404(client: httpx.AsyncClient) -> None:
    await push_index(client, descriptor(b"x"))
    for path in ("blobs", "manifests"):
        assert (await client.delete(f"/v2/a/{path}/{digest(b'x')}")).status_code == 404


@pytest.mark.parametrize("table", ["blobs", "blob_links", "manifests", "review"])
async def test_the_sweep_yields_to_those_who_push_and_comes_back(
    client: httpx.AsyncClient, shelf: Any, table: str
) -> None:
    """What is held by somebody is looked at later, never taken for gone."""
    named = await push_image(client, "a", b"x")
    signature = image(subject=descriptor(image(b"x"), OCI_MANIFEST))
    assert (await push_manifest(client, "a", signature, digest(signature))).status_code == 201
    assert (await client.delete(f"/v2/a/manifests/{named}")).status_code == 202
    async with holding(shelf, f"SELECT 1 FROM {table} FOR KEY SHARE"):
        await everything_falls_due(shelf)
    await all_time_passes(shelf)
    assert list(shelf.store.keys()) == []
    async with shelf.db.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM review") == 0


async def test_64_pushers_of_one_tag_are_all_served_and_none_of_their_images_is_lost(
    client: httpx.AsyncClient, shelf: Any
) -> None:
    """All of them over the same `{}`, with deletes and a sweep between them."""
    raws = [image(annotations={"n": str(n)}) for n in range(64)]

    async def one(number: int) -> None:
        name = f"r{number % 4}"
        await push_blob(client, name, EMPTY)
        assert (await push_manifest(client, "one", raws[number], "tag")).status_code == 201
        if number % 8 == 0:
            assert (await client.delete(f"/v2/{name}/blobs/{digest(EMPTY)}")).status_code in {202, 404}
            await jobs.sweep(shelf, timedelta())

    await push_blob(client, "one", EMPTY)
    await asyncio.gather(*(one(number) for number in range(64)))
    assert (await client.get("/v2/one/manifests/tag")).content in raws
    assert [(await client.get(f"/v2/one/manifests/{digest(raw)}")).content for raw in raws] == raws
    assert (await client.get(f"/v2/one/blobs/{digest(EMPTY)}")).content == EMPTY
    assert len(list(shelf.store.keys())) >= 1


async def test_a_tag_moved_during_a_pull_leaves_the_image_that_was_begun(client: httpx.AsyncClient, shelf: Any) -> None:
    """The client has the old manifest and comes for its layers, one after another."""
    await push_image(client, "a", b"old")
    begun = (await client.get("/v2/a/manifests/latest")).json()
    await push_image(client, "a", b"new")
    await all_time_passes(shelf)
    [layer] = begun["layers"]
    assert (await client.get(f"/v2/a/blobs/{layer['digest']}")).content == b"old"
