"""Statements on repositories. Each takes a connection."""

from typing import Any


async def exists(connection: Any, name: str) -> bool:
    """Whether a live repository has this name."""
    found = await connection.fetchval("SELECT 1 FROM repositories WHERE name = $1 AND state = 'live'", name)
    return found is not None


async def ensure(connection: Any, name: str) -> int:
    """The id of the live repository of this name, made when absent, locked against deletion."""
    return int(await connection.fetchval("SELECT ensure_repository($1)", name))


async def names_after(connection: Any, last: str, limit: int) -> list[str]:
    """At most `limit` names of live repositories after `last`, in byte order."""
    rows = await connection.fetch(
        "SELECT name FROM repositories WHERE state = 'live' AND name > $1 ORDER BY name LIMIT $2", last, limit
    )
    return [row["name"] for row in rows]
