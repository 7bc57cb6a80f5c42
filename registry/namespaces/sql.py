"""Statements on repositories. Each takes a connection."""

from typing import Any

from registry.core.listing import Listing


async def exists(connection: Any, name: str) -> bool:
    """Whether a live repository has this name."""
    found = await connection.fetchval("SELECT 1 FROM repositories WHERE name = $1 AND state = 'live'", name)
    return found is not None


async def names_after(connection: Any, last: str, limit: int) -> Listing:
    """At most `limit` names of live repositories after `last`, in byte order; their grammar needs no escapes."""
    row = await connection.fetchrow(
        "WITH page AS MATERIALIZED (SELECT name FROM repositories WHERE state = 'live' AND name > $1 "
        "ORDER BY name LIMIT $2) "
        "SELECT string_agg('\"' || name || '\"', ',' ORDER BY name) AS items, max(name) AS last, "
        "(SELECT true FROM repositories WHERE state = 'live' AND name > (SELECT max(name) FROM page) "
        "ORDER BY name LIMIT 1) IS NOT NULL AS more FROM page",
        last,
        limit,
    )
    return Listing(**dict(row))
