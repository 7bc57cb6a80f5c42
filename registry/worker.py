"""The worker: facts to their handlers, verdicts on artifacts, the sweep on its schedule, seals on the audit rows."""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from registry.artifacts.jobs import keep_publishing
from registry.audit.jobs import keep_sealing
from registry.audit.model import By
from registry.auth.jobs import expire
from registry.auth.realm import Realm
from registry.content import repositories
from registry.content.jobs import sweep
from registry.content.retention import keep_retention
from registry.content.shelf import Shelf
from registry.core.errors import Unavailable
from registry.infra.jobs.outbox import Handler, deliver, depth
from registry.infra.jobs.repeating import repeat
from registry.infra.telemetry import metrics
from registry.namespaces.members import end_expired
from registry.namespaces.removal import resume

HANDLERS: Mapping[str, list[Handler]] = {}
_ACCOUNTS: Final = 10.0
_OPERATOR: Final = By(None, "gati-registry")
_log = structlog.get_logger("registry.worker")


@dataclass(frozen=True, slots=True)
class Pauses:
    """That of the sweep when nothing was due, and that between runs of the retention policies."""

    sweep: timedelta
    retention: timedelta


async def run(shelf: Shelf, realm: Realm, pauses: Pauses, stop: asyncio.Event) -> None:
    """Work until `stop` is set; a database that is gone is waited for."""
    async with asyncio.TaskGroup() as group:
        group.create_task(keep_publishing(shelf, stop, pauses.sweep.total_seconds()))
        group.create_task(keep_sealing(shelf.db, stop))
        group.create_task(keep_retention(shelf, stop, pauses.retention.total_seconds()))
        group.create_task(repeat(lambda: _look_after_accounts(shelf, realm), stop, _ACCOUNTS))
        await _deliver_and_sweep(shelf, pauses.sweep, stop)


async def _look_after_accounts(shelf: Shelf, realm: Realm) -> None:
    """End what has run out, and finish the deletions of namespaces."""
    await expire(shelf.db, realm.clock())
    await end_expired(realm)
    await resume(realm, lambda name: repositories.delete(shelf, name, _OPERATOR))


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
