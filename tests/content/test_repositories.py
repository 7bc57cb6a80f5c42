"""Repositories that go, and pushes to those that get other names."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from registry.content import jobs, repositories, uploads
from registry.content.chunks import Chunk
from registry.content.terms import Terms
from registry.core.errors import BlobUploadUnknown, NameUnknown
from registry.infra.http.counters import CATALOG, GLOBAL, slot
from registry.namespaces import sql_names
from tests.content.spaces import (
    ALICE,
    accounts,
    execute,
    fetch,
    grace_passes,
    held,
    make_namespace,
    put_blob,
    put_manifest,
    used,
)
from tests.content.test_locks import stuck
from tests.pushing import EMPTY, digest, image, push_image

PUSH = "SELECT put_blob($1, $2, $3, interval '1 hour', NULL, NULL)"


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    return environ | {"SINGLE_HOST": "true"}


@pytest.fixture
async def team(shelf: Any) -> AsyncIterator[int]:
    """A namespace of a registry with accounts."""
    async with accounts(shelf):
        yield await make_namespace(shelf, "team")


async def app(shelf: Any, name: str = "team/app") -> None:
    """An image under a tag."""
    await put_blob(shelf, name, EMPTY)
    await put_manifest(shelf, name, image(), "latest")


async def put_in(connection: Any, name: str, content: bytes) -> None:
    """A push that has not committed."""
    await connection.fetchval(PUSH, name, digest(content), content)


async def test_a_deleted_repository_is_gone_at_once_and_leaves_nothing(client: httpx.AsyncClient, shelf: Any) -> None:
    named = await push_image(client, "a", b"x")
    await push_image(client, "b", b"x")
    await client.post("/v2/a/blobs/uploads/")
    await repositories.delete(shelf, "a", None)
    for path in (f"manifests/{named}", "manifests/latest", f"blobs/{digest(b'x')}", "tags/list"):
        assert (await client.get(f"/v2/a/{path}")).status_code == 404
    assert (await client.get("/v2/_catalog")).json() == {"repositories": ["b"]}
    await grace_passes(shelf)
    for table in ("repositories", "manifests", "tags"):
        assert await fetch(shelf, f"SELECT count(*) FROM {table}") == 1
    assert await fetch(shelf, "SELECT count(*) FROM uploads WHERE state <> 'done'") == 0
    assert (await client.get(f"/v2/b/blobs/{digest(b'x')}")).content == b"x"
    await repositories.delete(shelf, "b", None)
    await grace_passes(shelf)
    assert list(shelf.store.keys()) == []
    with pytest.raises(NameUnknown):
        await repositories.delete(shelf, "b", None)


async def test_the_name_of_a_deleted_repository_is_free_before_its_content_has_gone(
    client: httpx.AsyncClient, shelf: Any
) -> None:
    await push_image(client, "a", b"old")
    await repositories.delete(shelf, "a", None)
    named = await push_image(client, "a", b"new")
    await grace_passes(shelf)
    assert (await client.get("/v2/a/manifests/latest")).headers["docker-content-digest"] == named
    assert (await client.get(f"/v2/a/blobs/{digest(b'old')}")).status_code == 404
    assert (await client.get(f"/v2/a/blobs/{digest(b'new')}")).content == b"new"


async def test_what_a_deleted_repository_held_counts_no_more(shelf: Any, team: int) -> None:
    await app(shelf)
    await app(shelf, "team/other")
    await put_blob(shelf, "team/app", b"only here")
    await repositories.delete(shelf, "team/app", ALICE)
    await jobs.sweep(shelf)
    assert await used(shelf, team) == await held(shelf, team) == len(EMPTY) + len(image())
    assert await fetch(shelf, "SELECT target FROM audit_events WHERE action = 'repository.deleted'") == "team/app"
    assert await fetch(shelf, "SELECT namespace FROM audit_events WHERE action = 'repository.deleted'") == team


async def test_a_deletion_that_ended_in_the_middle_goes_on(shelf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repositories, "_BATCH", 2)
    for number in range(5):
        await put_blob(shelf, "a", b"%d" % number)
    await put_blob(shelf, "a", EMPTY)
    for number in range(3):
        await put_manifest(shelf, "a", image(annotations={"n": str(number)}), f"t{number}", f"s{number}")
    await repositories.delete(shelf, "a", None)
    steps = 0
    while await repositories._clear_some(shelf, 0) is not None:
        steps += 1
    assert steps == 3 + 3 + 2 + 1
    assert await fetch(shelf, "SELECT count(*) FROM repositories") == 0


async def test_a_push_in_flight_ends_before_its_repository_is_emptied(shelf: Any) -> None:
    await put_blob(shelf, "a", EMPTY)
    async with shelf.db.transaction() as connection:
        await put_in(connection, "a", b"late")
        await repositories.delete(shelf, "a", None)
        await jobs.sweep(shelf)
        assert await fetch(shelf, "SELECT count(*) FROM blob_links") == 1
    await grace_passes(shelf)
    for table in ("repositories", "blob_links", "blobs"):
        assert await fetch(shelf, f"SELECT count(*) FROM {table}") == 0


async def test_an_upload_that_is_being_written_ends_before_its_bytes_go(shelf: Any) -> None:
    session = await uploads.start(shelf, "a", "u:1", "sha256")
    came, go_on = asyncio.Event(), asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        yield b"half"
        came.set()
        await go_on.wait()

    task = asyncio.ensure_future(uploads.append(shelf, session, Chunk(pieces())))
    await came.wait()
    await repositories.delete(shelf, "a", None)
    await jobs.sweep(shelf)
    assert await fetch(shelf, "SELECT count(*) FROM uploads") == 1
    go_on.set()
    await task
    with pytest.raises(BlobUploadUnknown):
        await uploads.status(shelf, session)
    await jobs.sweep(shelf)
    await jobs.sweep(shelf, timedelta())
    assert await fetch(shelf, "SELECT count(*) FROM repositories") == 0
    assert list(shelf.store.keys()) == []


async def rename(connection: Any, old: str, new: str) -> None:
    """As whoever manages the repository does."""
    found = await connection.fetchval("SELECT id FROM repositories WHERE name = $1 AND state = 'live'", old)
    await sql_names.rename_one(connection, found, old, new)


async def test_a_push_in_flight_lands_in_the_renamed_repository(shelf: Any, team: int) -> None:
    """One that looked before the rename, one that waits for it, and one that comes with the old name after it."""
    await app(shelf)
    async with shelf.db.transaction() as connection:
        await put_in(connection, "team/app", b"first")
        async with shelf.db.transaction() as other:
            await rename(other, "team/app", "team/tool")
    async with shelf.db.transaction() as connection:
        await rename(connection, "team/tool", "team/third")
        task = asyncio.ensure_future(put_blob(shelf, "team/tool", b"second"))
        await stuck(shelf, task)
    await task
    await put_blob(shelf, "team/app", b"third")
    assert await fetch(shelf, "SELECT count(*) FROM repositories") == 1
    assert await fetch(shelf, "SELECT count(*) FROM blob_links") == 4
    assert await used(shelf, team) == await held(shelf, team)


async def test_a_push_under_the_former_slug_of_a_namespace_lands_under_the_present_one(shelf: Any, team: int) -> None:
    await app(shelf)
    await execute(shelf, "UPDATE slugs SET standing = 'alias' WHERE namespace = $1", team)
    await execute(
        shelf,
        "INSERT INTO slugs (skeleton, kind, slug, namespace, standing) VALUES ('crew', 'plain', 'crew', $1, 'current')",
        team,
    )
    await execute(shelf, "UPDATE namespaces SET slug = 'crew' WHERE id = $1", team)
    await execute(shelf, "UPDATE repositories SET name = 'crew/app'")
    await put_blob(shelf, "team/app", b"late")
    await put_blob(shelf, "team/new", b"late", Terms(ALICE))
    async with shelf.db.connection() as connection:
        rows = await connection.fetch("SELECT name FROM repositories ORDER BY name")
    assert [row["name"] for row in rows] == ["crew/app", "crew/new"]


async def test_a_deletion_is_announced_to_every_process(shelf: Any) -> None:
    counters = shelf.changes.counters
    await put_blob(shelf, "a", EMPTY)
    stamps = [counters.stamp((number,)) for number in (GLOBAL, CATALOG, slot("a"))]
    await repositories.delete(shelf, "a", None)
    assert not any(counters.holds(stamp) for stamp in stamps)
