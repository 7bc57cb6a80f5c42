"""Two actions at the worst moment of each other: one has done its work and not committed, the other comes."""

import asyncio
import json
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

import httpx
import pytest

from registry.content import jobs, sql_blobs, sql_manifests, sql_sweep
from registry.content.model import parse_manifest
from registry.content.sql_manifests import Rules
from tests.content.faults import all_time_passes
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

LAYER = b"layer"
NAMED = digest(LAYER)


def index() -> bytes:
    entries = [descriptor(image(LAYER), OCI_MANIFEST)]
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()


async def stuck(shelf: Any, task: asyncio.Task[Any]) -> None:
    """Return when the task waits for a lock, or has ended."""
    statement = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with asyncio.timeout(30), shelf.db.connection() as connection:
        while not task.done() and not await connection.fetchval(statement):  # noqa: ASYNC110 - let the other run
            await asyncio.sleep(0)


async def commit_under(shelf: Any, transaction: Any, other: Coroutine[Any, Any, Any]) -> Any:
    """Begin `other` while `transaction` is about to commit; what it answers in the end."""
    async with shelf.db.transaction() as connection:
        await transaction(connection)
        task = asyncio.ensure_future(other)
        await stuck(shelf, task)
    return await task


async def repository(connection: Any) -> int:
    found = await sql_manifests.lock_repository(connection, "a")
    assert found is not None
    return found


async def removing_the_link(connection: Any) -> None:
    """As the sweep does."""
    repo = await repository(connection)
    await connection.execute("DELETE FROM review WHERE kind = 'link' AND key = $1", NAMED)
    assert await sql_blobs.lock_link(connection, repo, NAMED)
    await sql_blobs.delete_link(connection, repo, NAMED)


async def removing_the_blob(connection: Any) -> None:
    """As the sweep does when no link is left."""
    await removing_the_link(connection)
    await sql_sweep.lock_blob(connection, NAMED)
    key = await sql_sweep.delete_blob_if_free(connection, NAMED)
    assert key is not None
    await sql_sweep.doom(connection, key, timedelta())


def pushing(raw: bytes, media_type: str = OCI_MANIFEST) -> Any:
    """As a push does."""

    async def push(connection: Any) -> None:
        await sql_manifests.push(connection, "a", parse_manifest(raw, media_type), [], Rules("none", None))

    return push


async def removing_the_image(connection: Any) -> None:
    """As a DELETE does."""
    repo, named = await repository(connection), digest(image(LAYER))
    assert await sql_manifests.lock(connection, repo, named)
    await sql_manifests.delete(connection, repo, named, timedelta(hours=1))


@pytest.fixture(autouse=True)
def strict(shelf: Any) -> None:
    """Nothing may be missing."""
    object.__setattr__(shelf.policy, "sparse", "none")


async def expect_image(client: httpx.AsyncClient, shelf: Any) -> None:
    await all_time_passes(shelf)
    assert (await client.get(f"/v2/a/manifests/{digest(image(LAYER))}")).content == image(LAYER)
    for content in (EMPTY, LAYER):
        assert (await client.get(f"/v2/a/blobs/{digest(content)}")).content == content


async def blobs(client: httpx.AsyncClient) -> None:
    for content in (EMPTY, LAYER):
        await push_blob(client, "a", content)


async def test_a_push_that_commits_while_the_sweep_waits_keeps_its_blobs(client: httpx.AsyncClient, shelf: Any) -> None:
    await blobs(client)
    async with shelf.db.connection() as connection:
        await connection.execute("UPDATE review SET due = clock_timestamp()")
    await commit_under(shelf, pushing(image(LAYER)), jobs.sweep(shelf))
    await expect_image(client, shelf)


@pytest.mark.parametrize("removing", [removing_the_link, removing_the_blob])
async def test_a_push_that_comes_while_its_blob_goes_is_refused_not_broken(
    client: httpx.AsyncClient, shelf: Any, removing: Any
) -> None:
    await blobs(client)
    answer = await commit_under(shelf, removing, push_manifest(client, "a", image(LAYER)))
    assert (answer.status_code, answer.json()["errors"][0]["detail"]) == (400, {"digests": [NAMED]})
    await blobs(client)
    assert (await push_manifest(client, "a", image(LAYER))).status_code == 201
    await expect_image(client, shelf)


@pytest.mark.parametrize("removing", [removing_the_link, removing_the_blob])
async def test_an_upload_that_ends_while_the_same_blob_goes_makes_it_anew(
    client: httpx.AsyncClient, shelf: Any, removing: Any
) -> None:
    await blobs(client)
    await commit_under(shelf, removing, push_blob(client, "a", LAYER))
    assert (await push_manifest(client, "a", image(LAYER))).status_code == 201
    await expect_image(client, shelf)


@pytest.mark.parametrize("removing", [removing_the_link, removing_the_blob])
@pytest.mark.parametrize("source", [{"from": "a"}, {}])
async def test_a_mount_while_the_blob_goes_is_a_session_or_a_blob(
    client: httpx.AsyncClient, shelf: Any, removing: Any, source: dict[str, str]
) -> None:
    await blobs(client)
    mount = client.post("/v2/b/blobs/uploads/", params={"mount": NAMED} | source)
    answer = await commit_under(shelf, removing, mount)
    assert answer.status_code == 202
    assert (await client.head(f"/v2/b/blobs/{NAMED}")).status_code == 404


@pytest.mark.parametrize("removing", [removing_the_link, removing_the_blob])
async def test_a_writer_who_looks_for_a_blob_while_it_goes_does_not_see_it(
    client: httpx.AsyncClient, shelf: Any, removing: Any
) -> None:
    await blobs(client)
    async with shelf.db.connection() as connection:
        await connection.execute("UPDATE review SET due = clock_timestamp()")
    answer = await commit_under(shelf, removing, client.head(f"/v2/a/blobs/{NAMED}"))
    assert answer.status_code == 404


async def test_a_blob_deleted_while_a_push_of_it_commits_is_refused(client: httpx.AsyncClient, shelf: Any) -> None:
    await blobs(client)
    answer = await commit_under(shelf, pushing(image(LAYER)), client.delete(f"/v2/a/blobs/{NAMED}"))
    assert answer.status_code == 405
    await expect_image(client, shelf)


async def test_an_image_deleted_while_an_index_of_it_commits_is_refused(client: httpx.AsyncClient, shelf: Any) -> None:
    named = await push_image(client, "a", LAYER)
    answer = await commit_under(shelf, pushing(index(), OCI_INDEX), client.delete(f"/v2/a/manifests/{named}"))
    assert (answer.status_code, answer.json()["errors"][0]["detail"]) == (405, {"parents": [digest(index())]})
    await expect_image(client, shelf)


async def test_an_index_that_comes_while_its_image_is_deleted_is_refused(client: httpx.AsyncClient, shelf: Any) -> None:
    named = await push_image(client, "a", LAYER)
    answer = await commit_under(shelf, removing_the_image, push_manifest(client, "a", index(), "all", OCI_INDEX))
    assert (answer.status_code, answer.json()["errors"][0]["detail"]) == (400, {"digests": [named]})


async def test_an_image_pushed_again_while_it_is_deleted_is_there(client: httpx.AsyncClient, shelf: Any) -> None:
    await push_image(client, "a", LAYER)
    answer = await commit_under(shelf, removing_the_image, push_manifest(client, "a", image(LAYER), "again"))
    assert answer.status_code == 201
    assert (await client.get("/v2/a/tags/list")).json()["tags"] == ["again"]
    await expect_image(client, shelf)


async def test_a_former_image_of_an_index_stays_when_another_index_takes_it_as_the_sweep_comes(
    client: httpx.AsyncClient, shelf: Any
) -> None:
    await push_image(client, "a", LAYER)
    assert (await client.delete("/v2/a/manifests/latest")).status_code == 202
    first = index() + b" "
    assert (await push_manifest(client, "a", first, "all", OCI_INDEX)).status_code == 201
    assert (await client.delete(f"/v2/a/manifests/{digest(first)}")).status_code == 202
    async with shelf.db.connection() as connection:
        await connection.execute("UPDATE review SET due = clock_timestamp()")
    await commit_under(shelf, pushing(index(), OCI_INDEX), jobs.sweep(shelf))
    await expect_image(client, shelf)
