"""Statements on blobs and their links. Each takes a connection."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any


@dataclass(frozen=True, slots=True)
class Blob:
    """A blob of a repository: its size in bytes, where they are, and whether a manifest there refers to it.

    The bytes lie under `object_key`; without one they are `content`, which a writer's look leaves out.
    """

    size: int
    object_key: str | None
    content: bytes | None
    referenced: bool


async def select(connection: Any, name: str, digest: str) -> Blob | None:
    """The blob, when it is linked to the repository."""
    row = await connection.fetchrow(
        "SELECT b.size, b.object_key, b.content, "
        "EXISTS (SELECT FROM refs f WHERE f.repo = l.repo AND f.digest = l.digest) AS referenced "
        "FROM repositories r JOIN blob_links l ON l.repo = r.id "
        "JOIN blobs b ON b.digest = l.digest WHERE r.name = $1 AND r.state = 'live' AND l.digest = $2",
        name,
        digest,
    )
    return Blob(**dict(row)) if row else None


async def lease(connection: Any, name: str, digest: str, grace: timedelta) -> Blob | None:
    """The same for a writer: unreferenced, it stays for another grace period (`lease_blob` of migrations/)."""
    row = await connection.fetchrow("SELECT * FROM lease_blob($1, $2, $3)", name, digest, grace)
    return Blob(**dict(row)) if row else None


async def put(connection: Any, name: str, digest: str, content: bytes, grace: timedelta) -> None:
    """Record a small blob and its link (`put_blob` of migrations/); the repository is made when absent."""
    await connection.fetchval("SELECT put_blob($1, $2, $3, $4)", name, digest, content, grace)


async def mount(connection: Any, source: str | None, target: str, digest: str, grace: timedelta) -> bool:
    """Link a blob of `source`, or of any repository, to `target`; False when there is none."""
    return bool(await connection.fetchval("SELECT mount_blob($1, $2, $3, $4)", source, target, digest, grace))


async def is_referenced(connection: Any, repo: int, digest: str) -> bool:
    """Whether the repository has the blob and a manifest that refers to it."""
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM refs WHERE repo = $1 AND digest = $2) "
            "AND EXISTS (SELECT FROM blob_links WHERE repo = $1 AND digest = $2)",
            repo,
            digest,
        )
    )


async def lock_link(connection: Any, repo: int, digest: str) -> bool:
    """Lock the link for removal; False when there is none."""
    row = await connection.fetchrow("SELECT 1 FROM blob_links WHERE repo = $1 AND digest = $2 FOR UPDATE", repo, digest)
    return row is not None


async def delete_link(connection: Any, repo: int, digest: str) -> None:
    """Take the blob from the repository and queue a look at the blob itself."""
    await connection.execute("DELETE FROM blob_links WHERE repo = $1 AND digest = $2", repo, digest)
    await connection.execute("SELECT queue_review('blob', 0, ARRAY[$1], clock_timestamp())", digest)
