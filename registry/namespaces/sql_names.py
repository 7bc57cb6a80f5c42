"""Statements on the names of repositories and their namespaces' part in them. Each takes a connection."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Prefixes:
    """What the names of a namespace's repositories began with, and what they begin with from now on."""

    namespace: int
    old: str
    new: str


async def longest(connection: Any, namespace: int) -> int:
    """The length of the longest name of a live repository of the namespace, or former name of one; 0 without any."""
    return int(
        await connection.fetchval(
            "SELECT coalesce(max(length(x.name)), 0) FROM ("
            "SELECT name FROM repositories WHERE namespace = $1 AND state = 'live' UNION ALL "
            "SELECT a.name FROM repository_aliases a JOIN repositories r ON r.id = a.repo WHERE r.namespace = $1) AS x",
            namespace,
        )
    )


async def rename_all(connection: Any, prefixes: Prefixes) -> None:
    """The repositories of a namespace, and their former names, begin with another prefix."""
    values = (prefixes.namespace, prefixes.old, prefixes.new)
    await connection.execute(
        "UPDATE repositories SET name = $3 || substr(name, length($2) + 1) WHERE namespace = $1 "
        "AND (name = $2 OR starts_with(name, $2 || '/'))",
        *values,
    )
    await connection.execute(
        "UPDATE repository_aliases a SET name = $3 || substr(a.name, length($2) + 1) FROM repositories r "
        "WHERE r.id = a.repo AND r.namespace = $1 AND (a.name = $2 OR starts_with(a.name, $2 || '/'))",
        *values,
    )


async def is_taken(connection: Any, name: str, repo: int) -> bool:
    """Whether a live repository has this name, another than `repo` had it, or one that is gone with a version of it."""
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM repositories WHERE name = $1 AND state = 'live') "
            "OR EXISTS (SELECT FROM repository_aliases WHERE name = $1 AND repo <> $2) "
            "OR EXISTS (SELECT FROM buried($1, ARRAY(SELECT tag FROM releases WHERE repo = $2)))",
            name,
            repo,
        )
    )


async def rename_one(connection: Any, repo: int, old: str, new: str) -> None:
    """Another name for a repository; the old one leads to it."""
    await connection.execute("DELETE FROM repository_aliases WHERE name = $1 AND repo = $2", new, repo)
    await connection.execute("UPDATE repositories SET name = $2 WHERE id = $1", repo, new)
    await connection.execute("INSERT INTO repository_aliases (name, repo) VALUES ($1, $2)", old, repo)


async def remaining(connection: Any, namespace: int, limit: int) -> list[str]:
    """The names of live repositories of a namespace, in order."""
    rows = await connection.fetch(
        "SELECT name FROM repositories WHERE namespace = $1 AND state = 'live' ORDER BY name LIMIT $2", namespace, limit
    )
    return [row["name"] for row in rows]
