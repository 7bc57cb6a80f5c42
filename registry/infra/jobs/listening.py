"""Hears what transactions tell each other when they commit (LISTEN and NOTIFY), on a connection of its own.

For work that is rare and should begin at once: each NOTIFY makes its commit wait for others that have one.
"""

import asyncio
import contextlib
from typing import Any, Final

import structlog

from registry.core.errors import Unavailable
from registry.infra.db.pool import Database

_TROUBLE: Final = 5.0
_log = structlog.get_logger("registry.jobs")


async def listen(db: Database, channel: str, woken: asyncio.Event, stop: asyncio.Event) -> None:
    """Set `woken` whenever the channel is notified, and when it may have been unheard, until `stop` is set."""
    while not stop.is_set():
        try:
            async with db.apart() as connection:
                await _hear(connection, channel, woken, stop)
        except Unavailable as error:
            _log.warning("deaf", reason=error.message)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _TROUBLE)
    woken.set()


async def _hear(connection: Any, channel: str, woken: asyncio.Event, stop: asyncio.Event) -> None:
    lost = asyncio.Event()
    connection.add_termination_listener(lambda _: lost.set())
    await connection.add_listener(channel, lambda *_: woken.set())
    woken.set()
    waits = [asyncio.create_task(event.wait()) for event in (lost, stop)]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waits:
            task.cancel()
