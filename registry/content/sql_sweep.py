"""Statements of the sweep. Each takes a connection; the caller holds one transaction per item."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any


@dataclass(frozen=True, slots=True)
class Review:
    """One thing to look at: `since` is when it was last queued, `name` that of its repository, or empty.

    `repo` is the id of a namespace where `kind` is `holding`.
    """

    kind: str
    repo: int
    key: str
    name: str
    since: datetime


async def take_review(connection: Any) -> Review | None:
    """The next thing that is due, locked; a locked one is somebody else's."""
    row = await connection.fetchrow(
        "SELECT kind, repo, key, since, "
        "coalesce((SELECT name FROM repositories WHERE id = repo AND kind <> 'holding'), '') AS name "
        "FROM review WHERE due <= clock_timestamp() ORDER BY due LIMIT 1 FOR UPDATE SKIP LOCKED"
    )
    return Review(**dict(row)) if row else None


async def end_review(connection: Any, review: Review) -> None:
    """It has been looked at."""
    await connection.execute(
        "DELETE FROM review WHERE kind = $1 AND repo = $2 AND key = $3", review.kind, review.repo, review.key
    )


async def postpone_review(connection: Any, review: Review, wait: timedelta) -> None:
    """Look again later."""
    await connection.execute(
        "UPDATE review SET due = clock_timestamp() + $4 WHERE kind = $1 AND repo = $2 AND key = $3",
        review.kind,
        review.repo,
        review.key,
        wait,
    )


async def is_referenced(connection: Any, repo: int, digest: str) -> bool:
    """Whether a manifest of the repository refers to the digest."""
    return bool(
        await connection.fetchval("SELECT EXISTS (SELECT FROM refs WHERE repo = $1 AND digest = $2)", repo, digest)
    )


async def lock_blob(connection: Any, digest: str) -> None:
    """Lock a blob for removal."""
    await connection.execute("SELECT 1 FROM blobs WHERE digest = $1 FOR UPDATE", digest)


async def delete_blob_if_free(connection: Any, digest: str) -> str | None:
    """Remove a locked blob that no repository links and nobody pinned: the key of its bytes in the store, if any."""
    found = await connection.fetchval(
        "DELETE FROM blobs WHERE digest = $1 AND NOT pinned "
        "AND NOT EXISTS (SELECT FROM blob_links WHERE digest = $1) RETURNING object_key",
        digest,
    )
    return None if found is None else str(found)


async def doom(connection: Any, key: str, wait: timedelta) -> None:
    """Let the object go after `wait`: somebody may be reading it."""
    await connection.execute(
        "INSERT INTO doomed (object_key, due) VALUES ($1, clock_timestamp() + $2) ON CONFLICT DO NOTHING", key, wait
    )


async def lock_present(connection: Any, repo: int, digest: str) -> bool:
    """Whether the manifest is here, kept from leaving until the end of the transaction."""
    row = await connection.fetchrow(
        "SELECT 1 FROM manifests WHERE repo = $1 AND digest = $2 FOR KEY SHARE", repo, digest
    )
    return row is not None


async def referrers(connection: Any, repo: int, subject: str, limit: int) -> list[str]:
    """At most `limit` manifests that name the subject and that neither a tag nor an index keeps."""
    rows = await connection.fetch(
        "SELECT digest FROM manifests m WHERE repo = $1 AND subject = $2 "
        "AND NOT EXISTS (SELECT FROM tags t WHERE t.repo = m.repo AND t.digest = m.digest) "
        "AND NOT EXISTS (SELECT FROM refs f WHERE f.repo = m.repo AND f.digest = m.digest) ORDER BY digest LIMIT $3",
        repo,
        subject,
        limit,
    )
    return [row["digest"] for row in rows]


async def lock_manifest(connection: Any, repo: int, digest: str) -> bool:
    """Lock a manifest for removal unless somebody else has it."""
    row = await connection.fetchrow(
        "SELECT 1 FROM manifests WHERE repo = $1 AND digest = $2 FOR UPDATE SKIP LOCKED", repo, digest
    )
    return row is not None


async def exists(connection: Any, repo: int, digest: str) -> bool:
    """Whether the manifest is here: an empty SKIP LOCKED is not absence."""
    return bool(
        await connection.fetchval("SELECT EXISTS (SELECT FROM manifests WHERE repo = $1 AND digest = $2)", repo, digest)
    )


async def is_kept(connection: Any, repo: int, digest: str) -> bool:
    """Whether the manifest has a tag or a parent."""
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM tags WHERE repo = $1 AND digest = $2) "
            "OR EXISTS (SELECT FROM refs WHERE repo = $1 AND digest = $2)",
            repo,
            digest,
        )
    )


async def is_recent(connection: Any, repo: int, digest: str, age: timedelta) -> bool:
    """Whether the manifest was pushed within `age`."""
    return bool(
        await connection.fetchval(
            "SELECT pushed_at > clock_timestamp() - $3::interval FROM manifests WHERE repo = $1 AND digest = $2",
            repo,
            digest,
            age,
        )
    )


async def is_wanted(connection: Any, repo: int, digest: str, since: datetime) -> bool:
    """Whether the manifest was pushed, or pulled by its digest, after `since`."""
    return bool(
        await connection.fetchval(
            "SELECT greatest(pushed_at, pulled_at) > $3 FROM manifests WHERE repo = $1 AND digest = $2",
            repo,
            digest,
            since,
        )
    )


async def take_doomed(connection: Any) -> str | None:
    """The next object to remove, locked."""
    found = await connection.fetchval(
        "SELECT object_key FROM doomed WHERE due <= clock_timestamp() ORDER BY due LIMIT 1 FOR UPDATE SKIP LOCKED"
    )
    return None if found is None else str(found)


async def end_doomed(connection: Any, key: str) -> None:
    """The object is gone."""
    await connection.execute("DELETE FROM doomed WHERE object_key = $1", key)


async def postpone_doomed(connection: Any, key: str, wait: timedelta) -> None:
    """Somebody holds the object: later."""
    await connection.execute("UPDATE doomed SET due = clock_timestamp() + $2 WHERE object_key = $1", key, wait)
