"""Statements from ids to names. Each takes a connection."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Space:
    """A live namespace, and who may see it."""

    id: int
    kind: str
    slug: str
    visibility: str


@dataclass(frozen=True, slots=True)
class Inner:
    """A live repository, and who may see it."""

    id: int
    name: str
    namespace: int | None
    visibility: str | None


async def namespaces(connection: Any, ids: Sequence[int]) -> list[Space]:
    """The live ones of these namespaces."""
    rows = await connection.fetch(
        "SELECT id, kind, slug, visibility FROM namespaces WHERE id = ANY ($1::bigint[]) AND state = 'live'", ids
    )
    return [Space(**row) for row in rows]


async def repositories(connection: Any, ids: Sequence[int]) -> list[Inner]:
    """The live ones of these repositories."""
    rows = await connection.fetch(
        "SELECT r.id, r.name, r.namespace, coalesce(r.visibility, n.visibility) AS visibility "
        "FROM repositories r LEFT JOIN namespaces n ON n.id = r.namespace "
        "WHERE r.id = ANY ($1::bigint[]) AND r.state = 'live' AND (n.id IS NULL OR n.state = 'live')",
        ids,
    )
    return [Inner(**row) for row in rows]
