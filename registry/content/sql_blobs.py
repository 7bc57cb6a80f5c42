"""Statements on blobs and their links. Each takes a connection."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from registry.content import sql_holdings
from registry.content.terms import Terms


@dataclass(frozen=True, slots=True)
class Lease:
    """How long a new link lives unreferenced, and the terms that it is made under.

    Of repositories that are `guarded` what is for their writers alone is not mounted.
    """

    grace: timedelta
    terms: Terms
    guarded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Blob:
    """A blob of a repository: its size in bytes, where they are, and who may read it.

    The bytes lie under `object_key`; without one they are `content`, which a writer's look leaves out. `reach` is `all`
    where a manifest refers to it that all may pull who may pull anything there; else `linked`: for all the same, but
    the sweep may take it; or `writers`: for these alone.
    """

    size: int
    object_key: str | None
    content: bytes | None
    reach: str


async def select(connection: Any, name: str, digest: str) -> Blob | None:
    """The blob, when it is linked to the repository."""
    row = await connection.fetchrow(
        "SELECT b.size, b.object_key, b.content, CASE WHEN NOT r.gated "
        "AND EXISTS (SELECT FROM refs f WHERE f.repo = l.repo AND f.digest = l.digest) THEN 'all' "
        "ELSE blob_reach(l.repo, l.digest) END AS reach "
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


async def put(connection: Any, name: str, digest: str, content: bytes, lease: Lease) -> None:
    """Record a small blob and its link (`put_blob` of migrations/); the repository is made when absent."""
    statement = "SELECT put_blob($1, $2, $3, $4, $5, $6)"
    await connection.fetchval(statement, name, digest, content, lease.grace, lease.terms.quota, lease.terms.who)


async def mount(connection: Any, sources: list[str] | None, target: str, digest: str, lease: Lease) -> bool:
    """Link the blob of the first of `sources` that has it, None: of any repository; False when there is none."""
    statement = "SELECT mount_blob($1, $2, $3, $4, $5, $6, $7)"
    arguments = (sources, lease.guarded, target, digest, lease.grace, lease.terms.quota, lease.terms.who)
    return bool(await connection.fetchval(statement, *arguments))


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
    """Take the blob from the repository and queue a look at the blob itself and at what the namespace holds."""
    await connection.execute("DELETE FROM blob_links WHERE repo = $1 AND digest = $2", repo, digest)
    await connection.execute("SELECT queue_review('blob', 0, ARRAY[$1], clock_timestamp())", digest)
    await sql_holdings.queue(connection, repo, [digest])
