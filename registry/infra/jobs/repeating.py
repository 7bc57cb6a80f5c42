"""Work that is done again and again beside everything else; one failure does not end it."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from registry.core.errors import Unavailable

TROUBLE: Final = 5.0
_log = structlog.get_logger("registry.jobs")


async def repeat(step: Callable[[], Awaitable[None]], stop: asyncio.Event, interval: float) -> None:
    """`step`, then a pause of `interval` seconds, after a failure of five, until `stop` is set."""
    while not stop.is_set():
        wait = interval if await attempt(step) else TROUBLE
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), wait)


async def attempt(step: Callable[[], Awaitable[None]]) -> bool:
    """Whether `step` did its work; the log has the reason where it did not."""
    try:
        await step()
    except Unavailable as error:
        _log.warning("waiting", reason=error.message)
    except Exception:  # noqa: BLE001 - one failed pass must not end those that follow
        _log.exception("failed")
    else:
        return True
    return False
