"""A change whose outcome nobody knows keeps its slot open until its connection is gone from the database."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from registry.core.errors import Unavailable
from registry.infra import changes as module
from registry.infra.changes import Changes
from registry.infra.db.pool import Database, open_database
from registry.infra.http.counters import CATALOG, GLOBAL, Counters, slot

ROOT = Path(__file__).parents[2]
LOCK = "SELECT pg_advisory_lock(77)"
SLOTS = (slot("a"),)


@pytest.fixture
async def holder(database_url: str) -> AsyncIterator[Any]:
    """A connection that holds a lock, for which a statement of another waits."""
    connection = await asyncpg.connect(database_url)
    await connection.execute(LOCK)
    yield connection
    await connection.close()


@pytest.fixture
async def reader(tmp_path: Path) -> AsyncIterator[Counters]:
    counters = Counters(tmp_path / "counters")
    yield counters
    counters.close()


@pytest.fixture
async def writer(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Changes]:
    monkeypatch.setattr(module, "_PAUSE", 0.01)
    counters = Counters(tmp_path / "counters")
    db = await open_database({"dsn": database_url}, 1, 2, counters.token)
    changes = Changes(db, counters)
    yield changes
    await changes.close()
    await db.close()


async def wait(db: Database, query: str) -> None:
    async with db.connection() as connection:
        await connection.execute(query)


async def waiting(holder: Any) -> int:
    """The process of the server that waits for the lock."""
    found = None
    while found is None:
        found = await holder.fetchval(
            "SELECT l.pid FROM pg_locks l JOIN pg_database d ON d.oid = l.database "
            "WHERE l.locktype = 'advisory' AND NOT l.granted AND d.datname = current_database()"
        )
    return int(found)


async def test_a_change_that_is_cancelled_is_open_until_its_connection_is_gone(
    writer: Changes, reader: Counters, holder: Any
) -> None:
    async def change() -> None:
        async with writer.of("a"):
            await wait(writer._db, LOCK)

    before = reader.stamp(SLOTS)
    task = asyncio.create_task(change())
    pid = await waiting(holder)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    while await holder.fetchval("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", pid):
        assert reader.stamp(SLOTS) is None
        await holder.execute("SELECT pg_advisory_unlock(77)")
    await asyncio.gather(*writer._settling)
    assert (writer._db.lost, reader.abandoned()) == (set(), [])
    assert reader.stamp(SLOTS) is not None
    assert before is not None
    assert not reader.holds(before)


async def test_a_change_that_the_server_refused_is_over_at_once(writer: Changes, reader: Counters) -> None:
    async def change() -> None:
        async with writer.of("a"):
            await wait(writer._db, "SELECT 1 / 0")

    with pytest.raises(asyncpg.DivisionByZeroError):
        await change()
    assert reader.stamp(SLOTS) is not None
    assert writer._settling == set()


async def test_a_server_that_ends_the_connection_is_waited_for(writer: Changes, reader: Counters, holder: Any) -> None:
    async def change() -> None:
        async with writer.of("a"):
            await wait(writer._db, LOCK)

    task = asyncio.create_task(change())
    pid = await waiting(holder)
    await holder.execute("SELECT pg_terminate_backend($1)", pid)
    with pytest.raises(Unavailable):
        await task
    await asyncio.gather(*writer._settling)
    assert reader.stamp(SLOTS) is not None


async def test_a_process_that_ends_leaves_what_is_not_settled_to_the_others(
    writer: Changes, reader: Counters, database_url: str, holder: Any
) -> None:
    other = Counters(reader.path)
    db = await open_database({"dsn": database_url}, 1, 1, other.token)
    changes = Changes(db, other)

    async def change() -> None:
        async with changes.of("a"):
            await wait(db, LOCK)

    task = asyncio.create_task(change())
    pid = await waiting(holder)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await changes.close()
    if await holder.fetchval("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", pid):
        await writer.recover()
        alive = await holder.fetchval("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", pid)
        assert reader.stamp(SLOTS) is None or not alive
    await holder.execute("SELECT pg_advisory_unlock(77)")
    await db.close()
    while reader.stamp(SLOTS) is None:
        await writer.recover()


KILLED = """
import asyncio, sys
from pathlib import Path
from registry.infra.changes import Changes
from registry.infra.db.pool import open_database
from registry.infra.http.counters import Counters

async def main():
    counters = Counters(Path(sys.argv[1]))
    db = await open_database({"dsn": sys.argv[2]}, 1, 1, counters.token)
    async with Changes(db, counters).of("a"), db.connection() as connection:
        await connection.execute("SELECT pg_advisory_lock(77)")

asyncio.run(main())
"""


async def test_a_writer_that_is_killed_is_read_through_until_its_backends_are_gone(
    writer: Changes, reader: Counters, database_url: str, holder: Any
) -> None:
    command = [sys.executable, "-c", KILLED, str(reader.path), database_url]
    before = reader.stamp(SLOTS)
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})
    pid = await waiting(holder)
    await writer.recover()
    assert reader.stamp(SLOTS) is None
    process.kill()
    await process.wait()
    await writer.recover()
    assert await holder.fetchval("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", pid) == 1
    assert reader.stamp(SLOTS) is None
    await holder.execute("SELECT pg_advisory_unlock(77)")
    while reader.stamp(SLOTS) is None:
        await writer.recover()
    assert await holder.fetchval("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", pid) == 0
    assert before is not None
    assert not reader.holds(before)


async def test_a_repository_is_announced_until_it_is_known_to_be_there(writer: Changes, reader: Counters) -> None:
    async def announces(query: str = "SELECT 1") -> bool:
        seen = False
        with contextlib.suppress(asyncpg.DivisionByZeroError):
            async with writer.making("new", changing=False):
                seen = reader.stamp((CATALOG,)) is None
                await wait(writer._db, query)
        return seen

    assert await announces("SELECT 1 / 0")
    assert await announces()
    assert not await announces()
    async with writer.making("new", changing=True):
        assert reader.stamp((slot("new"),)) is None
        assert reader.stamp((CATALOG,)) is not None


async def test_a_repository_is_announced_again_when_its_name_may_have_been_taken_away(
    writer: Changes, reader: Counters
) -> None:
    """Also by another process, and while it is being made."""

    async def announces() -> bool:
        async with writer.making("name", changing=False):
            return reader.stamp((CATALOG,)) is None

    assert await announces()
    assert not await announces()
    reader.begin((GLOBAL,))
    assert await announces()
    reader.finish((GLOBAL,))
    assert await announces()
    assert not await announces()
    before = reader.stamp((CATALOG,))
    assert before is not None
    async with writer.making("name", changing=False):
        reader.begin((GLOBAL,))
        reader.finish((GLOBAL,))
        assert reader.holds(before)
    assert not reader.holds(before)
    assert await announces()


async def test_a_change_in_a_repository_that_is_renamed_meanwhile_is_announced_under_every_name(
    writer: Changes, reader: Counters
) -> None:
    other = reader.stamp((slot("new name"),))
    assert other is not None
    async with writer.of("old name"):
        reader.begin((GLOBAL,))
        reader.finish((GLOBAL,))
        assert reader.holds(other)
    assert not reader.holds(other)
    other = reader.stamp((slot("new name"),))
    assert other is not None
    async with writer.of("old name"):
        pass
    assert reader.holds(other)


async def test_nothing_is_announced_where_nothing_is_remembered(writer: Changes) -> None:
    async with Changes(writer._db, None).of("a"):
        pass
