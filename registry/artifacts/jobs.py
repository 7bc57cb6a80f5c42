"""What a push leaves to the worker: layers read whole, referrers that had not come, waits for signatures and scans.

A release is leased while it is looked at. A worker that ends in the middle leaves it as it was: when the lease is over,
another one looks. What fails for other reasons than the artifact is tried again, later each time, eight times in all;
then the release is rejected as `UNCHECKED`, and may be pushed again.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import structlog

from registry.artifacts import checking, releases, sql_jobs, submitting
from registry.artifacts import sql_releases as sql
from registry.artifacts.catalogue import BY_NAME
from registry.artifacts.formats import image_files
from registry.artifacts.judging import Judged, judge
from registry.artifacts.model import CONFIG_LIMIT, GATI_MANIFEST, Layer
from registry.artifacts.resolving import MayPull
from registry.artifacts.sql_jobs import Lease
from registry.artifacts.sql_releases import CHANNEL, Artifact, Release
from registry.artifacts.states import HELD, State
from registry.artifacts.steps import NO_STEPS, Steps
from registry.artifacts.submitting import Submitted
from registry.audit.model import By
from registry.content import sql_repositories
from registry.content.shelf import Shelf
from registry.content.terms import Terms
from registry.core.errors import RegistryError, Unavailable
from registry.infra.jobs.listening import listen
from registry.infra.uncancelled import to_its_end
from registry.namespaces.model import Policies
from registry.namespaces.rights import account_may_pull

LANES: Final = 2
ATTEMPTS: Final = 8
LEASE: Final = timedelta(minutes=5)
_SOON: Final = 15.0
_LATEST: Final = 3600.0
_REFUSALS: Final = range(400, 500)
_IN_IMAGE: Final = "etc/gati/manifest.json"
_WORKER: Final = "gati-registry"
_log = structlog.get_logger("registry.releases")
Change = Callable[[Any, Artifact, Release], Awaitable[None]]


async def keep_publishing(shelf: Shelf, stop: asyncio.Event, interval: float, steps: Steps = NO_STEPS) -> None:
    """Look at releases when they are due: at once when a push says so, else every `interval` seconds; until `stop`."""
    woken = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(listen(shelf.db, CHANNEL, woken, stop))
        for _ in range(LANES):
            group.create_task(_work(shelf, woken, stop, interval, steps))


async def _work(shelf: Shelf, woken: asyncio.Event, stop: asyncio.Event, interval: float, steps: Steps) -> None:
    while not stop.is_set():
        woken.clear()
        try:
            if await publish_next(shelf, steps):
                continue
        except Unavailable as error:
            _log.warning("waiting", reason=error.message)
        except Exception:  # noqa: BLE001 - one failed look must not end the worker
            _log.exception("failed")
        if stop.is_set():
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(woken.wait(), interval)


async def publish_next(shelf: Shelf, steps: Steps = NO_STEPS) -> bool:
    """Look at the next release that is due; False when none was."""
    async with shelf.db.transaction() as connection:
        lease = await sql_jobs.lease(connection, LEASE)
    if lease is None:
        return False
    try:
        await _judge(shelf, lease, steps)
    except Unavailable as error:
        await _postpone(shelf, lease, error)
    except Exception as error:  # noqa: BLE001 - whatever it is, the release is tried again
        _log.exception("failed", repository=lease.name, version=lease.release.version)
        await _postpone(shelf, lease, error)
    return True


async def _judge(shelf: Shelf, lease: Lease, steps: Steps) -> None:
    """Look, and reject what is refused."""
    try:
        await _look(shelf, lease, steps)
    except RegistryError as error:
        if error.status not in _REFUSALS:
            raise
        detail = error.detail if isinstance(error.detail, dict) else {}
        await _reject(shelf, lease, {"reason": error.code} | detail | {"message": error.message})


async def _look(shelf: Shelf, lease: Lease, steps: Steps) -> None:
    release = lease.release
    if release.state is not State.RECEIVED:
        await _settle(shelf, lease, None, steps)
        return
    kind = BY_NAME[release.type]
    found = await submitting.stored(shelf, kind, lease.name, release.digest, (release.tag, *release.floating))
    if found is None:
        async with shelf.db.connection() as connection:
            await sql_jobs.forget(connection, release.id)
        return
    async with _leased(shelf, lease):
        judged = await judge(shelf, found, _may_pull(shelf, release))
        if GATI_MANIFEST in judged.missing and release.reason is None:
            inside = await _inside(shelf, found)
            judged = await judge(shelf, found, _may_pull(shelf, release), inside)
        if not judged.missing:
            for layer in judged.pending:
                await _read_whole(shelf, found, judged, layer)
    await _settle(shelf, lease, judged, steps)


async def _read_whole(shelf: Shelf, found: Submitted, judged: Judged, layer: Layer) -> None:
    def read() -> None:
        with submitting.open_part(shelf, found.parts[layer.digest]) as file:
            checking.check_whole(judged.submission, layer, file)

    await to_its_end(asyncio.to_thread(read))


async def _inside(shelf: Shelf, found: Submitted) -> bytes | None:
    """The Gati manifest that an image holds itself, as its highest layer that says something of it has it."""

    def read() -> bytes | None:
        for layer in reversed(found.submission.layers):
            if "tar" not in layer.media_type or layer.media_type.endswith("zstd"):
                continue
            gzipped = layer.media_type.endswith("gzip")
            with submitting.open_part(shelf, found.parts[layer.digest]) as file:
                held = image_files.find(file, _IN_IMAGE, CONFIG_LIMIT, gzipped=gzipped)
            if held is not None:
                return held or None
        return None

    return await to_its_end(asyncio.to_thread(read))


@asynccontextmanager
async def _leased(shelf: Shelf, lease: Lease) -> AsyncIterator[None]:
    """While this is entered, the lease is lengthened; `lease.due` is not: whoever comes after asks the row."""

    async def lengthen() -> None:
        due: datetime | None = lease.due
        while due is not None:
            await asyncio.sleep(LEASE.total_seconds() / 3)
            with contextlib.suppress(Unavailable):
                async with shelf.db.connection() as connection:
                    due = await sql_jobs.extend(connection, lease.release.id, due, LEASE)

    task = asyncio.create_task(lengthen())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _settle(shelf: Shelf, lease: Lease, judged: Judged | None, steps: Steps) -> None:
    """Write the verdict, or what is waited for, unless the release has become another meanwhile."""

    async def write(connection: Any, artifact: Artifact, release: Release) -> None:
        terms = await _terms(connection, lease)
        if judged is not None and lease.release.config is None:
            await releases.describe(connection, release, judged)
        if judged is not None and judged.missing:
            await _await_referrers(connection, lease, artifact, release, judged.missing)
            return
        after = await releases.advance(connection, artifact, release, steps, terms)
        if after.state is State.AWAITING_SIGNATURE and await sql_jobs.is_over(
            connection, release.pushed_at, steps.patience
        ):
            await releases.expire(connection, shelf, artifact, after, terms)

    await _change(shelf, lease, write)


async def _change(shelf: Shelf, lease: Lease, change: Change) -> None:
    """Change the release that was looked at, if it is the same still; announced under the name that it has by then."""

    async def write(connection: Any, announced: str) -> str | None:
        artifact = await sql.lock_artifact(connection, lease.repo)
        release = await _unchanged(connection, lease)
        if artifact is None or release is None:
            return None
        if artifact.name != announced:
            return artifact.name
        await change(connection, artifact, release)
        return None

    name: str | None = lease.name
    while name is not None:
        async with shelf.changes.of(name):
            name = await shelf.db.retry(partial(write, announced=name))


async def _unchanged(connection: Any, lease: Lease) -> Release | None:
    """The release, when it is still the one that was looked at."""
    await sql.lock_release(connection, lease.release.id)
    found = await sql.of_id(connection, lease.release.id)
    if found is None or found.upload != lease.release.upload or found.state not in HELD:
        return None
    return found


async def _await_referrers(
    connection: Any, lease: Lease, artifact: Artifact, release: Release, missing: tuple[str, ...]
) -> None:
    named = ", ".join(missing)
    reason = {
        "reason": "REFERRER_MISSING",
        "message": f"It waits for referrers of it: {named}.",
        "missing": list(missing),
        "suggestion": f"Attach {named} to {release.digest}.",
    }
    was_woken = release.due is not None and release.due < lease.due
    await releases.wait(connection, artifact, release, State.RECEIVED, reason)
    if was_woken:  # one has come since they were looked for
        await sql.wake(connection, release.id)


async def _terms(connection: Any, lease: Lease) -> Terms:
    """What the namespace demands; the audit names the worker, where there are accounts."""
    policies = await sql_repositories.policies(connection, lease.repo)
    by = None if lease.release.pushed_by is None else By(None, _WORKER)
    return Terms(by, () if policies is None else Policies.parse(policies).immutable_tags)


async def _reject(shelf: Shelf, lease: Lease, reason: dict[str, Any]) -> None:
    async def write(connection: Any, artifact: Artifact, release: Release) -> None:
        await releases.reject(connection, artifact, release, reason, await _terms(connection, lease))

    await _change(shelf, lease, write)


async def _postpone(shelf: Shelf, lease: Lease, error: Exception) -> None:
    """Look again, later each time; after the last attempt the release is rejected."""
    attempts = lease.release.attempts
    if attempts >= ATTEMPTS:
        _log.error("unchecked", repository=lease.name, version=lease.release.version, attempts=attempts)
        reason = {
            "reason": "UNCHECKED",
            "message": f"The registry could not check it, {attempts} times: its log says why.",
            "suggestion": "Push it again; ask whoever runs the registry when that does not help.",
        }
        await _reject(shelf, lease, reason)
        return
    _log.warning("again", repository=lease.name, version=lease.release.version, reason=type(error).__name__)
    wait = timedelta(seconds=min(_SOON * 2 ** (attempts - 1), _LATEST))
    async with shelf.db.connection() as connection:
        await sql_jobs.postpone(connection, lease.release.id, lease.due, wait)


def _may_pull(shelf: Shelf, release: Release) -> MayPull | None:
    """Whether who published may pull from a repository; None where the push has resolved all that is named.

    Everybody may where there were no accounts.
    """
    account = release.pushed_by
    if release.config is not None:
        return None

    async def may_pull(name: str) -> bool:
        return account is None or await account_may_pull(shelf.db, account, name)

    return may_pull
