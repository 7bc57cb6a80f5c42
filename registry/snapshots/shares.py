"""Links that show a snapshot to whoever has one: the document itself, and nothing of what it names."""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Final

from registry.artifacts.sql_reading import Release
from registry.audit.model import By, Event
from registry.audit.record import record
from registry.core.errors import Conflict, InvalidCredentials, NotFound, Unprocessable
from registry.infra.db.pool import Database
from registry.snapshots import sql_shares as sql
from registry.snapshots.sql_shares import Share, Shown

MOST: Final = 100
LONGEST: Final = timedelta(days=365)
USUAL: Final = timedelta(days=7)
_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Made:
    """A new share, and its secret, which nobody can look up again."""

    share: Share
    token: str


@dataclass(frozen=True, slots=True)
class Place:
    """Whose snapshot: its release, and the id of its namespace, if it has one."""

    release: Release
    namespace: int | None


async def create(db: Database, by: By, place: Place, life: timedelta) -> Made:
    """A new link to a published snapshot.

    Raises:
        Conflict: it is not published, or has as many links as it may.
        Unprocessable: it is no snapshot.
    """
    found = place.release
    if found.type != "snapshot":
        raise Unprocessable(f"{found.repository}@{found.version} is no snapshot: only snapshots are shared.")
    if found.state != "published":
        raise Conflict(f"{found.repository}@{found.version} is {found.state}: only what is published is shared.")
    token = secrets.token_urlsafe(_BYTES)
    async with db.transaction() as connection:
        if await sql.count(connection, found.id) >= MOST:
            raise Conflict(f"{found.repository}@{found.version} has {MOST} links, the most it may: revoke some.")
        share = await sql.insert(connection, found.id, _hash(token), by.account, life)
        await _note(connection, by, place, "snapshot.shared", share.id)
    return Made(share, token)


async def listed(db: Database, found: Release, after: int, limit: int) -> list[Share]:
    """Links of a snapshot, those that are over too."""
    async with db.connection() as connection:
        return await sql.of_release(connection, found.id, after, limit)


async def revoke(db: Database, by: By, place: Place, share: int) -> None:
    """End a link: who follows it from now on finds that it is over.

    Raises:
        NotFound: there is none of this id.
    """
    async with db.transaction() as connection:
        if not await sql.revoke(connection, place.release.id, share):
            raise NotFound("There is no such share.")
        await _note(connection, by, place, "snapshot.unshared", share)


async def follow(db: Database, token: str) -> Shown:
    """What a link leads to, be it over.

    Raises:
        InvalidCredentials: no link has this secret.
    """
    async with db.connection() as connection:
        found = await sql.find(connection, _hash(token))
    if found is None:
        raise InvalidCredentials("No link has this secret.")
    return found


async def _note(connection: object, by: By, place: Place, action: str, share: int) -> None:
    target = f"{place.release.repository}@{place.release.version}"
    await record(connection, by, Event(action, target, place.namespace, {"share": share}))


def _hash(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
