"""Statements of retention and of pull times. Each takes a connection."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from registry.content.keeping import Expiry, Tagged, Untagged

_UNTAGGED = (
    "NOT EXISTS (SELECT FROM tags t WHERE t.repo = m.repo AND t.digest = m.digest) "
    "AND NOT EXISTS (SELECT FROM refs f WHERE f.repo = m.repo AND f.digest = m.digest) "
    "AND NOT EXISTS (SELECT FROM manifests s WHERE s.repo = m.repo AND s.digest = m.subject) "
    "AND NOT is_released(m.repo, m.digest)"
)


@dataclass(frozen=True, slots=True)
class Space:
    """A namespace that has a retention policy, and its policies as JSON."""

    id: int
    policies: str


async def is_wanted(connection: Any) -> bool:
    """Whether any namespace has a retention policy."""
    return bool(await connection.fetchval("SELECT EXISTS (SELECT FROM namespaces WHERE policies ? 'retention')"))


async def kept(connection: Any, namespace: int | None) -> list[Space]:
    """The namespace, or all of them, as far as they live and have a retention policy."""
    rows = await connection.fetch(
        "SELECT id, policies FROM namespaces "
        "WHERE policies ? 'retention' AND state = 'live' AND ($1::bigint IS NULL OR id = $1) ORDER BY id",
        namespace,
    )
    return [Space(**dict(row)) for row in rows]


async def repositories(connection: Any, namespace: int) -> list[tuple[int, str]]:
    """The live repositories of a namespace: their ids and names."""
    rows = await connection.fetch(
        "SELECT id, name FROM repositories WHERE namespace = $1 AND state = 'live' ORDER BY name", namespace
    )
    return [(row["id"], row["name"]) for row in rows]


async def now(connection: Any) -> datetime:
    """The time by the clock of the database."""
    found: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return found


async def tagged(connection: Any, repo: int) -> list[Tagged]:
    """Every tag of a repository, but for those of releases, which no policy takes."""
    rows = await connection.fetch(
        "SELECT t.name, t.digest, t.moved_at, m.pulled_at FROM tags t "
        "JOIN manifests m ON m.repo = t.repo AND m.digest = t.digest "
        "WHERE t.repo = $1 AND NOT is_released(t.repo, t.digest)",
        repo,
    )
    return [Tagged(**dict(row)) for row in rows]


async def untagged(connection: Any, repo: int) -> list[Untagged]:
    """Every manifest of a repository that no tag, index, subject or release keeps."""
    rows = await connection.fetch(
        "SELECT m.digest, m.pushed_at, m.pulled_at FROM manifests m "
        f"WHERE m.repo = $1 AND {_UNTAGGED} ORDER BY m.digest",
        repo,
    )
    return [Untagged(**dict(row)) for row in rows]


async def still_tagged(connection: Any, repo: int, expiry: Expiry) -> bool:
    """Whether the tag names the same manifest since the same time, locked until the end of the transaction."""
    found = await connection.fetchval(
        "SELECT true FROM tags WHERE repo = $1 AND name = $2 AND digest = $3 AND moved_at = $4 "
        "AND NOT is_released(repo, digest) FOR UPDATE",
        repo,
        expiry.tag,
        expiry.digest,
        expiry.since,
    )
    return bool(found)


async def still_untagged(connection: Any, repo: int, expiry: Expiry) -> bool:
    """Whether the locked manifest was not pushed again, and nothing keeps it now."""
    found = await connection.fetchval(
        f"SELECT true FROM manifests m WHERE m.repo = $1 AND m.digest = $2 AND m.pushed_at = $3 AND {_UNTAGGED}",
        repo,
        expiry.digest,
        expiry.since,
    )
    return bool(found)


async def note_pulls(connection: Any, names: list[str], references: list[str]) -> None:
    """Remember, to the hour, that these manifests were pulled, where a retention policy asks for it."""
    await connection.execute(
        "WITH found AS (SELECT m.repo, m.digest FROM ("
        "SELECT DISTINCT r.id AS repo, coalesce(t.digest, w.reference) AS digest "
        "FROM unnest($1::text[], $2::text[]) AS w (name, reference) "
        "JOIN repositories r ON r.id = find_repository(w.name) "
        "JOIN namespaces n ON n.id = r.namespace AND n.policies ? 'retention' "
        "LEFT JOIN tags t ON t.repo = r.id AND t.name = w.reference) AS asked "
        "JOIN manifests m ON m.repo = asked.repo AND m.digest = asked.digest "
        "WHERE m.pulled_at IS NULL OR m.pulled_at < clock_timestamp() - interval '1 hour' "
        "ORDER BY m.repo, m.digest FOR NO KEY UPDATE OF m SKIP LOCKED) "
        "UPDATE manifests m SET pulled_at = clock_timestamp() FROM found "
        "WHERE m.repo = found.repo AND m.digest = found.digest",
        names,
        references,
    )
