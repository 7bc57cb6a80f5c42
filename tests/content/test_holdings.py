"""What a namespace uses is the sum over its distinct digests, whatever happens at once."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from registry.content import blobs, holdings, jobs, sql_holdings
from registry.content.terms import Terms
from registry.core.digest import parse_digest
from registry.core.errors import QuotaExceeded
from registry.namespaces import sql_opening
from tests.content.spaces import (
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
from tests.pushing import EMPTY, digest, image

PUSHES = 10_000
AT_ONCE = 256
SMALL = b"small"
NAMED = parse_digest(digest(SMALL))


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    return environ | {"SMALL_BLOB": "16KiB"}


@pytest.fixture(autouse=True)
async def with_accounts(shelf: Any) -> AsyncIterator[None]:
    async with accounts(shelf):
        yield


@pytest.mark.timeout(300)
async def test_ten_thousand_pushes_into_one_namespace_are_counted_exactly(shelf: Any) -> None:
    """256 at a time, into ten repositories, every second digest twice, while the ledger is folded."""
    team = await make_namespace(shelf, "team")
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with turns:
            name, content = f"team/r{number % 10}", b"%d" % (number // 3 if number % 3 else number)
            if number % 2:
                await put_blob(shelf, name, content)
            else:
                await put_manifest(shelf, name, image(annotations={"n": content.decode()}), f"t{number % 7}")
            if number % 500 == 0:
                await asyncio.gather(holdings.fold(shelf), holdings.fold(shelf))

    for number in range(10):
        await put_blob(shelf, f"team/r{number}", EMPTY)
    await asyncio.gather(*(one(number) for number in range(PUSHES)))
    assert await used(shelf, team) == await held(shelf, team) > 0
    await holdings.fold(shelf)
    assert await used(shelf, team) == await held(shelf, team)
    assert await fetch(shelf, "SELECT count(*) FROM usage") == 1


async def test_folding_never_shows_another_sum(shelf: Any) -> None:
    """Readers while several fold, and others add."""
    team = await make_namespace(shelf, "team")
    await execute(shelf, "INSERT INTO usage (namespace, bytes) SELECT $1, 1 FROM generate_series(1, 500)", team)
    folding = asyncio.gather(*(holdings.fold(shelf) for _ in range(4)))
    seen = {await used(shelf, team) for _ in range(20)}
    await folding
    assert seen == {500}
    assert await used(shelf, team) == 500


async def test_pushes_at_once_exceed_the_quota_by_what_is_in_flight_at_most(shelf: Any) -> None:
    team, terms = await make_namespace(shelf, "team"), Terms(quota=1000)
    for batch in range(20):
        pushes = (put_blob(shelf, "team/app", b"%04d" % (batch * 16 + n) * 25, terms) for n in range(16))
        answers = await asyncio.gather(*pushes, return_exceptions=True)
        assert all(isinstance(answer, str | QuotaExceeded) for answer in answers)
    assert 1000 - 99 <= await used(shelf, team) <= 1000 + 16 * 100
    assert await used(shelf, team) == await held(shelf, team)


async def test_a_digest_that_leaves_one_repository_is_still_held_for_the_other(shelf: Any) -> None:
    team = await make_namespace(shelf, "team")
    for name in ("team/a", "team/b"):
        await put_blob(shelf, name, SMALL)
    await blobs.delete(shelf, "team/a", NAMED)
    await jobs.sweep(shelf)
    assert await used(shelf, team) == len(SMALL)
    await blobs.delete(shelf, "team/b", NAMED)
    await jobs.sweep(shelf)
    assert await used(shelf, team) == 0


async def test_a_digest_that_comes_while_the_sweep_lets_it_go_is_counted_again(shelf: Any) -> None:
    team = await make_namespace(shelf, "team")
    await put_blob(shelf, "team/a", SMALL)
    async with shelf.db.connection() as connection:
        await connection.execute("DELETE FROM blob_links")
    async with shelf.db.transaction() as connection:
        await sql_holdings.lock(connection, team, str(NAMED))
        await sql_holdings.delete_if_free(connection, team, str(NAMED))
        task = asyncio.ensure_future(put_blob(shelf, "team/b", SMALL))
        await stuck(shelf, task)
        assert not task.done()
    await task
    assert await used(shelf, team) == await held(shelf, team) == len(SMALL)


async def test_a_digest_that_came_before_the_sweep_could_lock_it_stays(shelf: Any) -> None:
    """The push has locked it and not committed; the sweep yields and comes back."""
    team = await make_namespace(shelf, "team")
    await put_blob(shelf, "team/a", SMALL)
    await blobs.delete(shelf, "team/a", NAMED)
    async with shelf.db.transaction() as connection:
        await connection.fetchval("SELECT put_blob('team/b', $1, $2, interval '1 hour', NULL, NULL)", str(NAMED), SMALL)
        await jobs.sweep(shelf)
        assert await fetch(shelf, "SELECT count(*) FROM review WHERE kind = 'holding'") == 1
    await execute(shelf, "UPDATE review SET due = clock_timestamp() WHERE kind = 'holding'")
    await jobs.sweep(shelf)
    assert await used(shelf, team) == await held(shelf, team) == len(SMALL)


async def test_a_comparison_counts_in_what_came_before_the_namespace_and_out_what_is_gone(shelf: Any) -> None:
    await execute(shelf, "UPDATE instance SET has_accounts = false")
    await put_blob(shelf, "team/app", EMPTY)
    await put_manifest(shelf, "team/app", image(), "latest")
    await execute(shelf, "UPDATE instance SET has_accounts = true")
    team = await make_namespace(shelf, "team")
    await execute(shelf, "UPDATE repositories SET namespace = $1", team)
    await execute(shelf, "INSERT INTO holdings VALUES ($1, 'sha256:gone', 7)", team)
    await execute(shelf, "INSERT INTO usage (namespace, bytes) VALUES ($1, 7)", team)
    async with shelf.db.connection() as connection:
        await sql_opening.queue_comparisons(connection)
    await grace_passes(shelf)
    assert await used(shelf, team) == await held(shelf, team) == len(EMPTY) + len(image())
    assert await fetch(shelf, "SELECT count(*) FROM review WHERE kind = 'holding'") == 0


async def test_namespaces_count_apart(shelf: Any) -> None:
    one, other = await make_namespace(shelf, "one"), await make_namespace(shelf, "other")
    for name in ("one/a", "other/a"):
        await put_blob(shelf, name, SMALL)
    await blobs.delete(shelf, "one/a", NAMED)
    await grace_passes(shelf)
    assert (await used(shelf, one), await used(shelf, other)) == (0, 0)
