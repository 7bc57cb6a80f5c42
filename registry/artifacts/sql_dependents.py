"""Statements on who depends on an artifact. Each takes a connection."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Dependent:
    """A published release of another artifact that names this one."""

    name: str
    version: str
    wanted: str
    reference: str
    digest: str | None


async def of(connection: Any, repo: int) -> list[Dependent]:
    """The published releases of other repositories that name a repository by any of its names, and need it."""
    rows = await connection.fetch(
        "SELECT r.name, l.version, d.wanted, d.reference, d.digest FROM dependencies d "
        "JOIN releases l ON l.id = d.release AND l.state = 'published' AND l.repo <> $1 "
        "JOIN repositories r ON r.id = l.repo AND r.state = 'live' "
        "WHERE NOT d.is_optional AND d.relation <> 'dev' AND d.target IN ("
        "SELECT name FROM repositories WHERE id = $1 UNION SELECT name FROM repository_aliases WHERE repo = $1) "
        "ORDER BY r.name, l.precedence DESC",
        repo,
    )
    return [Dependent(**dict(row)) for row in rows]


async def others(connection: Any, repo: int, version: str) -> list[str]:
    """The other published versions of an artifact."""
    rows = await connection.fetch(
        "SELECT version FROM releases WHERE repo = $1 AND version <> $2 AND state = 'published'", repo, version
    )
    return [row["version"] for row in rows]
