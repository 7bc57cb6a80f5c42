"""The worker: facts to their handlers, the sweep on its schedule, seals on the audit rows."""

import asyncio
import contextlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import structlog

from registry.audit.jobs import keep_sealing
from registry.content.jobs import sweep
from registry.content.retention import keep_retention
from registry.content.shelf import Shelf
from registry.core.errors import Unavailable
from registry.infra.jobs.outbox import Handler, deliver, depth
from registry.infra.telemetry import metrics

HANDLERS: Mapping[str, list[Handler]] = {}
_HOUR: Final = timedelta(hours=1)
_log = structlog.get_logger("registry.worker")


async def run(shelf: Shelf, interval: timedelta, stop: asyncio.Event, retention: timedelta = _HOUR) -> None:
    """Work until `stop` is set; a database that is gone is waited for.

    `interval` is the pause of the sweep when nothing was due, `retention` that between runs of the retention policies.
    """
    async with asyncio.TaskGroup() as group:
        group.create_task(keep_sealing(shelf.db, stop))
        group.create_task(keep_retention(shelf, stop, retention.total_seconds()))
        await _deliver_and_sweep(shelf, interval, stop)


async def _deliver_and_sweep(shelf: Shelf, interval: timedelta, stop: asyncio.Event) -> None:
    while not stop.is_set():
        busy = False
        try:
            busy = await deliver(shelf.db, HANDLERS) > 0
            report = await sweep(shelf)
            await shelf.changes.recover()
            metrics.QUEUE_DEPTH.labels("outbox").set(await depth(shelf.db))
        except Unavailable as error:
            _log.warning("waiting", reason=error.message)
        except Exception:  # noqa: BLE001 - one failed pass must not end the worker
            _log.exception("failed")
        else:
            for kind in ("reviews", "uploads", "objects"):
                metrics.SWEPT.labels(kind).inc(getattr(report, kind))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 0.01 if busy else interval.total_seconds())
