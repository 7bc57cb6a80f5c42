"""What goes on beside the requests: sealing in the worker, writing down refusals in every web process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from registry.audit.denials import Denials
from registry.audit.sealing import BATCH, seal
from registry.infra.db.pool import Database
from registry.infra.jobs.repeating import attempt, repeat

INTERVAL: Final = 0.5


async def keep_sealing(db: Database, stop: asyncio.Event) -> None:
    """Seal what was committed, half a second later at most, until `stop` is set; then once more."""

    async def seal_all() -> None:
        while await seal(db) == BATCH:
            pass

    await repeat(seal_all, stop, INTERVAL)
    await attempt(seal_all)


@asynccontextmanager
async def writing(denials: Denials, db: Database) -> AsyncIterator[None]:
    """Inside, refusals are written as they come; leaving writes what is left."""
    stop = asyncio.Event()
    task = asyncio.create_task(repeat(lambda: denials.flush(db), stop, INTERVAL))
    try:
        yield
    finally:
        stop.set()
        await task
        await attempt(lambda: denials.flush(db, is_last=True))
