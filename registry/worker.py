"""The worker: facts to their handlers, the sweep on its schedule, seals on the audit rows."""

import asyncio
import contextlib
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import structlog

from registry.audit.jobs import keep_sealing
from registry.content import retention
from registry.content.jobs import sweep
from registry.content.shelf import Shelf
from registry.core.errors import Unavailable
from registry.infra.jobs.outbox import Handler, deliver, depth
from registry.infra.telemetry import metrics

HANDLERS: Mapping[str, list[Handler]] = {}
_log = structlog.get_logger("registry.worker")


@dataclass(frozen=True, slots=True)
class Schedule:
    """The pause of the sweep when nothing was due, and that between two runs of the retention policies."""

    sweep: timedelta
    retention: timedelta


async def run(shelf: Shelf, schedule: Schedule, stop: asyncio.Event) -> None:
    """Work until `stop` is set; a database that is gone is waited for."""
    async with asyncio.TaskGroup() as group:
        group.create_task(keep_sealing(shelf.db, stop))
        await _deliver_and_sweep(shelf, schedule, stop)


async def _deliver_and_sweep(shelf: Shelf, schedule: Schedule, stop: asyncio.Event) -> None:
    retained = -math.inf
    while not stop.is_set():
        busy = False
        try:
            busy = await deliver(shelf.db, HANDLERS) > 0
            await _sweep(shelf)
            if time.monotonic() - retained >= schedule.retention.total_seconds():
                retained = time.monotonic()
                await _retain(shelf)
        except Unavailable as error:
            _log.warning("waiting", reason=error.message)
        except Exception:  # noqa: BLE001 - one failed pass must not end the worker
            _log.exception("failed")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 0.01 if busy else schedule.sweep.total_seconds())


async def _sweep(shelf: Shelf) -> None:
    report = await sweep(shelf)
    await shelf.changes.recover()
    metrics.QUEUE_DEPTH.labels("outbox").set(await depth(shelf.db))
    for kind in ("reviews", "uploads", "objects"):
        metrics.SWEPT.labels(kind).inc(getattr(report, kind))


async def _retain(shelf: Shelf) -> None:
    report = await retention.run(shelf)
    metrics.SWEPT.labels("retention").inc(report.removed)
    for namespace in report.unreadable:
        _log.warning("a retention policy has another form and keeps everything", namespace=namespace)
