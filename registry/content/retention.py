"""Lets go what the retention policies of namespaces do not keep. Off where a namespace has none."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from registry.audit.model import By
from registry.content import manifests
from registry.content import sql_retention as sql
from registry.content.keeping import Expiry, expired_manifests, expired_tags
from registry.content.shelf import Shelf
from registry.content.sql_retention import Space
from registry.content.terms import Terms
from registry.core.digest import parse_digest
from registry.core.errors import Conflict, NotFound, Unsupported
from registry.infra.jobs.repeating import repeat
from registry.infra.telemetry import metrics
from registry.namespaces.model import Policies, Retention

ACTOR: Final = By(None, "retention")


@dataclass(frozen=True, slots=True)
class Leaving:
    """What goes from which repository, under the terms of its namespace."""

    name: str
    expiry: Expiry
    terms: Terms


async def dry_run(shelf: Shelf, namespace: int) -> list[Leaving]:
    """What a run would take from a namespace now, and why; nothing where it has no policy.

    Manifests that lose their last tag in a run are told, and go, by the next one.
    """
    async with shelf.db.connection() as connection:
        spaces = await sql.kept(connection, namespace)
    return [leaving for space in spaces async for leaving in _leaving(shelf, space)]


async def run(shelf: Shelf) -> int:
    """Take what no policy keeps: how much went. What changes at the same moment stays."""
    async with shelf.db.connection() as connection:
        spaces = await sql.kept(connection, None)
    return sum([await _remove(shelf, leaving) for space in spaces async for leaving in _leaving(shelf, space)])


async def keep_retention(shelf: Shelf, stop: asyncio.Event, pause: float) -> None:
    """Run, and again after a pause of so many seconds, until `stop` is set."""

    async def once() -> None:
        metrics.SWEPT.labels("retention").inc(await run(shelf))

    await repeat(once, stop, pause)


async def _leaving(shelf: Shelf, space: Space) -> AsyncIterator[Leaving]:
    policies = Policies.parse(space.policies)
    if policies.retention is None:
        return
    terms = Terms(ACTOR, policies.immutable_tags)
    async with shelf.db.connection() as connection:
        repositories = await sql.repositories(connection, space.id)
    for repo, name in repositories:
        for expiry in await _expired(shelf, repo, policies.retention, terms):
            yield Leaving(name, expiry, terms)


async def _expired(shelf: Shelf, repo: int, retention: Retention, terms: Terms) -> list[Expiry]:
    async with shelf.db.connection() as connection:
        now = await sql.now(connection)
        found = expired_tags(retention, terms, await sql.tagged(connection, repo), now)
        if retention.untagged_days is not None:
            found += expired_manifests(retention, await sql.untagged(connection, repo), now)
    return found


async def _remove(shelf: Shelf, leaving: Leaving) -> bool:
    name, expiry = leaving.name, leaving.expiry
    try:
        if expiry.tag is not None:
            await manifests.delete_tag(shelf, name, expiry.tag, leaving.terms, partial(_is_tagged, expiry))
        else:
            digest = parse_digest(expiry.digest)
            await manifests.delete(shelf, name, digest, leaving.terms, partial(_is_untagged, expiry))
    except (Conflict, NotFound, Unsupported):
        return False
    return True


async def _is_tagged(expiry: Expiry, connection: Any, repo: int) -> bool:
    return await sql.still_tagged(connection, repo, expiry)


async def _is_untagged(expiry: Expiry, connection: Any, repo: int) -> bool:
    return await sql.still_untagged(connection, repo, expiry)
