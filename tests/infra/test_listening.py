import asyncio
from typing import Any

from registry.infra.jobs.listening import listen

TELL = "SELECT pg_notify('a_channel', '')"
CUT_OFF = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
)


async def test_a_listener_hears_what_is_told_and_comes_back_when_it_was_cut_off(shelf: Any) -> None:
    woken, stop = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(listen(shelf.db, "a_channel", woken, stop))
    for statement in (TELL, CUT_OFF, TELL):
        async with asyncio.timeout(30):
            await woken.wait()
        woken.clear()
        async with shelf.db.connection() as connection:
            await connection.fetch(statement)
    async with asyncio.timeout(30):
        await woken.wait()
    assert not task.done()
    stop.set()
    await task


async def test_who_is_told_to_stop_wakes_those_who_wait_and_ends(shelf: Any) -> None:
    woken, stop = asyncio.Event(), asyncio.Event()
    stop.set()
    await listen(shelf.db, "a_channel", woken, stop)
    assert woken.is_set()
