"""The sweep: one item a transaction, row locks, no walk, no read-only mode."""

import json
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import asyncpg

from registry.content import events, holdings, repositories, sql_blobs, sql_manifests, sql_uploads
from registry.content import sql_sweep as sql
from registry.content.repositories import places
from registry.content.shelf import Shelf
from registry.content.sql_sweep import Review

READER: Final = timedelta(hours=1)
_LATER: Final = timedelta(seconds=5)
_WRITER: Final = timedelta(minutes=1)
_BATCH: Final = 100


@dataclass(frozen=True, slots=True)
class SweepReport:
    """What one pass did."""

    reviews: int
    uploads: int
    objects: int


async def sweep(shelf: Shelf, reader: timedelta = READER) -> SweepReport:
    """Look at everything that is due; an object stays `reader` longer than its row, for those who are reading it."""
    await repositories.clear(shelf)
    uploads = await _count(lambda: _expire(shelf))
    reviews = await _count(lambda: _review(shelf, reader))
    objects = await _count(lambda: _unlink(shelf))
    await holdings.fold(shelf)
    return SweepReport(reviews, uploads, objects)


async def _count(step: Any) -> int:
    done = 0
    while await step():
        done += 1
    return done


async def _expire(shelf: Shelf) -> bool:
    """Forget one expired session; one that is being written to lives on, and none is opened until the commit."""
    async with shelf.db.connection() as connection:
        found = await sql_uploads.expired(connection)
        if found is None:
            return False
        upload_id, text = found
        keys = places(upload_id, text)
        with shelf.store.idle(keys) as is_idle:
            if not is_idle:
                await sql_uploads.postpone(connection, upload_id, max(_WRITER, shelf.policy.upload_expiry))
                return True
            async with connection.transaction():
                if await sql_uploads.expire(connection, upload_id):
                    await sql_uploads.doom(connection, keys)
    return True


async def _review(shelf: Shelf, reader: timedelta) -> bool:
    async with AsyncExitStack() as announced, shelf.db.transaction() as connection:
        await connection.execute("SET LOCAL lock_timeout = '100ms'")
        review = await sql.take_review(connection)
        if review is None:
            return False
        if review.name:
            await announced.enter_async_context(shelf.changes.of(review.name))
        try:
            async with connection.transaction():
                done = await _look(connection, shelf, review, reader)
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
            done = False
        if done:
            await sql.end_review(connection, review)
        else:
            await sql.postpone_review(connection, review, max(_LATER, shelf.policy.grace / 10))
    return True


async def _look(connection: Any, shelf: Shelf, review: Review, reader: timedelta) -> bool:
    if review.kind == "link":
        return await _link(connection, review)
    if review.kind == "blob":
        return await _blob(connection, review, reader)
    if review.kind == "child":
        return await _child(connection, shelf, review)
    if review.kind == "holding":
        return await holdings.look(connection, review)
    return await _subject(connection, shelf, review)


async def _link(connection: Any, review: Review) -> bool:
    if not await sql_blobs.lock_link(connection, review.repo, review.key):
        return True
    if not await sql.is_referenced(connection, review.repo, review.key):
        await sql_blobs.delete_link(connection, review.repo, review.key)
    return True


async def _blob(connection: Any, review: Review, reader: timedelta) -> bool:
    await sql.lock_blob(connection, review.key)
    key = await sql.delete_blob_if_free(connection, review.key)
    if key is not None:
        await sql.doom(connection, key, reader)
    return True


async def _child(connection: Any, shelf: Shelf, review: Review) -> bool:
    """Remove a former child that nobody has wanted since; wanted, it is a manifest like any other."""
    repo, digest = review.repo, review.key
    if not await sql.lock_manifest(connection, repo, digest):
        return not await sql.exists(connection, repo, digest)
    kept = await sql.is_kept(connection, repo, digest)
    if not kept and not await sql.is_wanted(connection, repo, digest, review.since):
        await _remove(connection, shelf, repo, digest)
    return True


async def _subject(connection: Any, shelf: Shelf, review: Review) -> bool:
    if await sql.lock_present(connection, review.repo, review.key):
        return True
    found = await sql.referrers(connection, review.repo, review.key, _BATCH)
    gone = [await _referrer(connection, shelf, review.repo, digest) for digest in found]
    return all(gone) and len(found) < _BATCH


async def _referrer(connection: Any, shelf: Shelf, repo: int, digest: str) -> bool:
    """Remove a manifest whose subject is absent; False where it must be looked at again."""
    if not await sql.lock_manifest(connection, repo, digest):
        return not await sql.exists(connection, repo, digest)
    if await sql.is_kept(connection, repo, digest):
        return True
    if await sql.is_recent(connection, repo, digest, shelf.policy.grace):
        return False
    await _remove(connection, shelf, repo, digest)
    return True


async def _remove(connection: Any, shelf: Shelf, repo: int, digest: str) -> None:
    await sql_manifests.delete(connection, repo, digest, shelf.policy.grace)
    await sql_manifests.emit(connection, events.MANIFEST_DELETED, repo, json.dumps({"digest": digest}))


async def _unlink(shelf: Shelf) -> bool:
    async with shelf.db.transaction() as connection:
        key = await sql.take_doomed(connection)
        if key is None:
            return False
        if await shelf.store.unlink(key):
            await sql.end_doomed(connection, key)
        else:
            await sql.postpone_doomed(connection, key, _LATER)
    return True
