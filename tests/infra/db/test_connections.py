import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import pytest

from registry.core.errors import Unavailable
from registry.infra.db import connections
from registry.infra.db.connections import Connections
from registry.infra.db.pool import Database, open_database


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Connections]:
    async def connect() -> Any:
        return await asyncpg.connect(database_url)

    found = Connections(connect, 1, 2)
    await found.open()
    yield found
    found.terminate()
    await found.close()


async def test_the_one_given_back_last_is_taken_next(pool: Connections) -> None:
    first, second = await pool.acquire(), await pool.acquire()
    assert first is not second
    pool.release(second)
    pool.release(first)
    assert await pool.acquire() is first
    assert pool.sizes == (1, 2)


async def test_over_the_maximum_the_next_in_line_gets_what_is_given_back(pool: Connections) -> None:
    held = [await pool.acquire(), await pool.acquire()]
    waiting = [asyncio.ensure_future(pool.acquire()) for _ in range(2)]
    await asyncio.sleep(0)
    pool.release(held[0])
    assert await waiting[0] is held[0]
    assert not waiting[1].done()
    pool.release(held[1])
    assert await waiting[1] is held[1]


async def test_one_that_broke_makes_room_for_a_new_one(pool: Connections) -> None:
    held = [await pool.acquire(), await pool.acquire()]
    waiting = asyncio.ensure_future(pool.acquire())
    await asyncio.sleep(0)
    held[0].terminate()
    pool.release(held[0])
    found = await waiting
    assert found not in held
    assert await found.fetchval("SELECT 1") == 1


async def test_one_in_the_middle_of_a_transaction_is_not_used_again(pool: Connections) -> None:
    connection = await pool.acquire()
    await connection.execute("BEGIN")
    pool.release(connection)
    assert await pool.acquire() is not connection


async def test_who_gives_up_waiting_loses_nothing_for_the_others(pool: Connections) -> None:
    held = [await pool.acquire(), await pool.acquire()]
    first, second = asyncio.ensure_future(pool.acquire()), asyncio.ensure_future(pool.acquire())
    await asyncio.sleep(0)
    pool.release(held[0])
    first.cancel()
    assert await second is held[0]
    assert first.cancelled()


async def test_waiting_ends(pool: Connections, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_WAIT_SECONDS", 0.01)
    _ = [await pool.acquire(), await pool.acquire()]
    with pytest.raises(TimeoutError):
        await pool.acquire()


async def test_a_quiet_pool_shrinks_to_its_minimum(pool: Connections, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_IDLE_SECONDS", 0.01)
    held = [await pool.acquire(), await pool.acquire()]
    for connection in held:
        pool.release(connection)
    await asyncio.wait_for(_until(lambda: pool.sizes == (0, 1)), 10)


async def test_a_closed_pool_refuses_those_who_wait(pool: Connections) -> None:
    held = [await pool.acquire(), await pool.acquire()]
    waiting = asyncio.ensure_future(pool.acquire())
    await asyncio.sleep(0)
    closing = asyncio.ensure_future(pool.close())
    with pytest.raises(asyncpg.InterfaceError):
        await waiting
    for connection in held:
        pool.release(connection)
    await closing
    assert all(connection.is_closed() for connection in held)


async def test_one_that_cannot_be_opened_makes_room_for_the_next_in_line(database_url: str) -> None:
    go_on = asyncio.Event()

    async def connect() -> Any:
        if not go_on.is_set():
            await go_on.wait()
            raise ConnectionError
        return await asyncpg.connect(database_url)

    pool = Connections(connect, 0, 1)
    opening = asyncio.ensure_future(pool.acquire())
    await asyncio.sleep(0)
    waiting = asyncio.ensure_future(pool.acquire())
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(ConnectionError):
        await opening
    pool.release(await waiting)
    await pool.close()


async def test_who_gives_up_while_connecting_makes_room_for_the_next_in_line(database_url: str) -> None:
    first = [True]

    async def connect() -> Any:
        if first:
            first.clear()
            await asyncio.Event().wait()
        return await asyncpg.connect(database_url)

    pool = Connections(connect, 0, 1)
    opening = asyncio.ensure_future(pool.acquire())
    await asyncio.sleep(0)
    waiting = asyncio.ensure_future(pool.acquire())
    await asyncio.sleep(0)
    opening.cancel()
    pool.release(await waiting)
    await pool.close()


async def test_closing_waits_for_one_in_use_though_all_were_broken_before(pool: Connections) -> None:
    broken = await pool.acquire()
    broken.terminate()
    pool.release(broken)
    connection = await pool.acquire()
    closing = asyncio.ensure_future(pool.close())
    assert await connection.fetchval("SELECT 1 FROM pg_sleep(0.1)") == 1
    assert not closing.done()
    pool.release(connection)
    await closing


async def test_none_is_taken_from_a_pool_that_closes(pool: Connections) -> None:
    held = [await pool.acquire(), await pool.acquire()]
    for connection in held:
        pool.release(connection)
    closing = asyncio.ensure_future(pool.close())
    await asyncio.sleep(0)
    assert pool.take() is None
    await closing
    assert all(connection.is_closed() for connection in held)


async def test_a_pool_that_cannot_be_filled_leaves_none_open(database_url: str) -> None:
    made: list[Any] = []

    async def connect() -> Any:
        if made:
            raise ConnectionError
        made.append(await asyncpg.connect(database_url))
        return made[0]

    with pytest.raises(ConnectionError):
        await Connections(connect, 2, 2).open()
    assert made[0].is_closed()


async def test_a_number_that_a_connection_has_again_is_not_lost(database_url: str) -> None:
    db = await open_database({"dsn": database_url}, 1, 1)
    async with db.connection() as connection:
        db.lost.add(connection.get_server_pid())
    await db.find_lost()
    assert not db.lost
    await db.close()


async def test_a_lost_connection_is_unavailable_and_its_server_process_remembered(database_url: str) -> None:
    db = await open_database({"dsn": database_url}, 1, 2)
    with pytest.raises(Unavailable):
        await _use(db, "SELECT pg_terminate_backend(pg_backend_pid())")
    assert len(db.lost) == 1
    while db.lost:
        await db.find_lost()
    await db.close()
    with pytest.raises(Unavailable):
        await _use(db, "SELECT 1")


async def _use(db: Database, statement: str) -> None:
    async with db.connection() as connection:
        await connection.fetchval(statement)


async def _until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110 - the pool tells nobody
        await asyncio.sleep(0.001)
