"""Statements on repositories as wholes. Each takes a connection."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository by its id, and the namespace that it belongs to, if any."""

    id: int
    namespace: int | None


async def namespace(connection: Any, repo: int) -> int | None:
    """The namespace that a repository belongs to."""
    found = await connection.fetchval("SELECT namespace FROM repositories WHERE id = $1", repo)
    return None if found is None else int(found)


async def policies(connection: Any, repo: int) -> str | None:
    """The policies of the namespace that a repository belongs to, as JSON; None where it belongs to none."""
    found = await connection.fetchval(
        "SELECT n.policies::text FROM repositories r JOIN namespaces n ON n.id = r.namespace WHERE r.id = $1", repo
    )
    return None if found is None else str(found)


async def begin_deleting(connection: Any, name: str) -> Repository | None:
    """Nobody finds the live repository of this name any more; None where there is none."""
    row = await connection.fetchrow(
        "UPDATE repositories SET state = 'deleting' WHERE name = $1 AND state = 'live' RETURNING id, namespace", name
    )
    return Repository(**dict(row)) if row else None


async def holders(connection: Any, digest: str, limit: int) -> list[str]:
    """At most `limit` live repositories that have a blob, any of them."""
    rows = await connection.fetch(
        "SELECT r.name FROM blob_links l JOIN repositories r ON r.id = l.repo "
        "WHERE l.digest = $1 AND r.state = 'live' LIMIT $2",
        digest,
        limit,
    )
    return [row["name"] for row in rows]


async def take_deleting(connection: Any, after: int) -> Repository | None:
    """The next repository that is being deleted, locked; one that an action still works in is left for later."""
    row = await connection.fetchrow(
        "SELECT id, namespace FROM repositories WHERE state = 'deleting' AND id > $1 "
        "ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED",
        after,
    )
    return Repository(**dict(row)) if row else None


async def open_uploads(connection: Any, repo: int, limit: int) -> list[tuple[str, str | None]]:
    """At most `limit` sessions that are not done: their ids, and the digests that they were becoming."""
    rows = await connection.fetch(
        "SELECT id::text, digest FROM uploads WHERE repo = $1 AND state <> 'done' ORDER BY id LIMIT $2", repo, limit
    )
    return [(row["id"], row["digest"]) for row in rows]


async def delete_uploads(connection: Any, repo: int, ids: list[str]) -> None:
    """Forget these sessions, and all that are done."""
    await connection.execute(
        "DELETE FROM uploads WHERE repo = $1 AND (state = 'done' OR id = ANY ($2::text[]::uuid[]))", repo, ids
    )


async def delete_links(connection: Any, repo: int, limit: int) -> list[str]:
    """Take at most `limit` blobs out of the repository: their digests."""
    return await _delete_some(connection, "blob_links", repo, limit)


async def delete_tags(connection: Any, repo: int, limit: int) -> int:
    """Remove at most `limit` tags: how many."""
    rows = await connection.fetch(
        "WITH chosen AS MATERIALIZED (SELECT name FROM tags WHERE repo = $1 ORDER BY name LIMIT $2 FOR UPDATE) "
        "DELETE FROM tags t USING chosen c WHERE t.repo = $1 AND t.name = c.name RETURNING 1",
        repo,
        limit,
    )
    return len(rows)


async def delete_manifests(connection: Any, repo: int, limit: int) -> list[str]:
    """Remove at most `limit` manifests, which have no tags any more: their digests."""
    return await _delete_some(connection, "manifests", repo, limit)


async def _delete_some(connection: Any, table: str, repo: int, limit: int) -> list[str]:
    rows = await connection.fetch(
        f"WITH chosen AS MATERIALIZED (SELECT digest FROM {table} WHERE repo = $1 ORDER BY digest LIMIT $2 FOR UPDATE) "
        f"DELETE FROM {table} t USING chosen c WHERE t.repo = $1 AND t.digest = c.digest RETURNING t.digest",
        repo,
        limit,
    )
    return [row["digest"] for row in rows]


async def queue_blobs(connection: Any, digests: list[str]) -> None:
    """Let the sweep look whether anybody still has these blobs."""
    await connection.execute("SELECT queue_review('blob', 0, $1, clock_timestamp())", digests)


async def delete(connection: Any, repo: int) -> None:
    """Remove an empty repository, with its grants and the names that led to it."""
    await connection.execute("DELETE FROM repositories WHERE id = $1", repo)
