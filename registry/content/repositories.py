"""Repositories as wholes: who has a blob, and how they go."""

import json

import asyncpg

from registry.audit.model import By, Event
from registry.content import events, sql_manifests, sql_uploads, trail
from registry.content import sql_holdings as ledger
from registry.content import sql_repositories as sql
from registry.content.refusals import unknown_name
from registry.content.shelf import Shelf
from registry.content.sql_repositories import Repository
from registry.content.terms import Terms
from registry.core.digest import Digest, parse_digest
from registry.infra.http.counters import CATALOG, GLOBAL, slot
from registry.infra.storage.keys import blob_key, upload_key

_BATCH = 500


async def delete(shelf: Shelf, name: str, by: By | None) -> None:
    """Nobody finds the repository from now on, and its name is free; the sweep takes what is in it, and its grants.

    Raises:
        NameUnknown: there is no such repository.
    """
    async with shelf.changes.around((GLOBAL, CATALOG, slot(name))), shelf.db.transaction() as connection:
        found = await sql.begin_deleting(connection, name)
        if found is None:
            raise unknown_name(name)
        await sql_manifests.emit(connection, events.REPOSITORY_DELETED, found.id, json.dumps({"name": name}))
        await trail.note(connection, Terms(by), found.id, Event("repository.deleted", name))


async def holders(shelf: Shelf, digest: Digest, limit: int) -> list[str]:
    """At most `limit` repositories that have the blob, any of them."""
    async with shelf.db.connection() as connection:
        return await sql.holders(connection, str(digest), limit)


async def clear(shelf: Shelf) -> None:
    """Take what is in repositories that are being deleted, some of it a transaction; what is in use comes next time."""
    repo: int | None = 0
    while repo is not None:
        repo = await _clear_some(shelf, repo)


async def _clear_some(shelf: Shelf, after: int) -> int | None:
    """Where to go on: `after` itself or a repository's predecessor while there is more in it; None at the end."""
    try:
        async with shelf.db.transaction() as connection:
            await connection.execute("SET LOCAL lock_timeout = '100ms'")
            found = await sql.take_deleting(connection, after)
            if found is None:
                return None
            if await _take_some(connection, found):
                return found.id - 1
        await _end(shelf, found.id)
    except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
        return None
    return found.id


async def _take_some(connection: object, found: Repository) -> bool:
    """Remove a batch of one kind, links first, tags before what they name; False when none is left."""
    links = await sql.delete_links(connection, found.id, _BATCH)
    if links:
        await sql.queue_blobs(connection, links)
        await ledger.queue(connection, found.id, links)
        return True
    if await sql.delete_tags(connection, found.id, _BATCH):
        return True
    manifests = await sql.delete_manifests(connection, found.id, _BATCH)
    await ledger.queue(connection, found.id, manifests)
    return bool(manifests)


async def _end(shelf: Shelf, repo: int) -> None:
    """Remove the emptied row, once nobody writes to a session of it any more."""
    while await _end_upload(shelf, repo):
        pass
    async with shelf.db.transaction() as connection:
        if not await sql.open_uploads(connection, repo, 1):
            await sql.delete_uploads(connection, repo, [])
            await sql.delete(connection, repo)


async def _end_upload(shelf: Shelf, repo: int) -> bool:
    """Doom the bytes of a session under the lock of its file; False when none is left that nobody holds."""
    async with shelf.db.connection() as connection:
        for upload, digest in await sql.open_uploads(connection, repo, _BATCH):
            keys = places(upload, digest)
            with shelf.store.idle(keys) as is_idle:
                if is_idle:
                    async with connection.transaction():
                        await sql.delete_uploads(connection, repo, [upload])
                        await sql_uploads.doom(connection, keys)
                    return True
    return False


def places(upload: str, digest: str | None) -> list[str]:
    """Where the bytes of a session may lie: its own key, and that of the blob that it was becoming."""
    if digest is None:
        return [upload_key(upload)]
    parsed = parse_digest(digest)
    return [upload_key(upload), blob_key(parsed.algorithm, parsed.encoded, upload)]
