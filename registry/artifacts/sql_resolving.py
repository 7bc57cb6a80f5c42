"""Statements on what references of artifacts lead to. Each takes a connection."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Found:
    """A published release of a repository that was `asked` for by this name, perhaps a former one."""

    asked: str
    name: str
    release: int
    version: str
    digest: str
    type: str
    tags: list[str]


async def published(connection: Any, names: list[str]) -> list[Found]:
    """The published releases of the repositories of these names, with the tags that name them now."""
    rows = await connection.fetch(
        "SELECT w.name AS asked, r.name, l.id AS release, l.version, l.digest, l.type, "
        "array(SELECT t.name FROM tags t WHERE t.repo = l.repo AND t.digest = l.digest) AS tags "
        "FROM unnest($1::text[]) AS w (name) JOIN repositories r ON r.id = find_repository(w.name) AND r.gated "
        "JOIN releases l ON l.repo = r.id AND l.state = 'published'",
        names,
    )
    return [Found(**dict(row)) for row in rows]


async def names(connection: Any, homes: list[str], limit: int) -> list[str]:
    """At most `limit` artifacts of these namespaces that have something published."""
    rows = await connection.fetch(
        "SELECT r.name FROM repositories r JOIN artifacts a ON a.repo = r.id WHERE r.state = 'live' "
        "AND a.latest IS NOT NULL AND r.name LIKE ANY (SELECT h || '/%' FROM unnest($1::text[]) h) LIMIT $2",
        homes,
        limit,
    )
    return [row["name"] for row in rows]
