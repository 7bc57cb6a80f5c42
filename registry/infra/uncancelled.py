"""Work that has ended when its caller goes on, however often that is cancelled."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def to_its_end(work: Awaitable[T], hurry: Callable[[], None] | None = None) -> T:
    """The result of `work`. Cancelled, this calls `hurry`, waits all the same, and is cancelled then.

    Who hands a descriptor to a thread must not close it before the thread has left: the number would soon be another's.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if hurry is not None:
            hurry()
        while not task.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([task])
        if not task.cancelled():
            task.exception()
        raise
