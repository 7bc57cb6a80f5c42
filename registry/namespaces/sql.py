"""Statements on the names of repositories. Each takes a connection."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from registry.core.listing import Listing
from registry.namespaces.sql_grants import Repository

if TYPE_CHECKING:
    from registry.namespaces.catalog import Visible


async def exists(connection: Any, name: str) -> bool:
    """Whether a live repository has this name."""
    found = await connection.fetchval("SELECT 1 FROM repositories WHERE name = $1 AND state = 'live'", name)
    return found is not None


async def names_after(connection: Any, last: str, limit: int, seen: "Visible | None") -> Listing:
    """At most `limit` names of live repositories after `last`, in byte order; their grammar needs no escapes."""
    condition, values = seen_by(seen, 3)
    return Listing(**dict(await connection.fetchrow(_PAGE.format(condition), last, limit, *values)))


async def of_namespace(connection: Any, namespace: int, after: str, limit: int, seen: "Visible") -> list[Repository]:
    """Live repositories of a namespace that are seen, by name, from the one after `after`."""
    condition, values = seen_by(seen, 4)
    rows = await connection.fetch(
        "SELECT r.id, r.name, r.visibility, r.created_at FROM repositories r "
        f"WHERE r.namespace = $3 AND r.state = 'live' AND r.name > $1 AND {condition} ORDER BY r.name LIMIT $2",
        after,
        limit,
        namespace,
        *values,
    )
    return [Repository(**row) for row in rows]


async def count(connection: Any, namespace: int) -> int:
    """How many live repositories a namespace has."""
    return int(
        await connection.fetchval(
            "SELECT count(*) FROM repositories WHERE namespace = $1 AND state = 'live'", namespace
        )
    )


_PAGE: Final = """
WITH page AS MATERIALIZED (
    SELECT name FROM repositories r WHERE state = 'live' AND name > $1 AND {0} ORDER BY name LIMIT $2
)
SELECT string_agg('"' || name || '"', ',' ORDER BY name) AS items, max(name) AS last,
    (SELECT true FROM repositories r WHERE state = 'live' AND name > (SELECT max(name) FROM page) AND {0}
    ORDER BY name LIMIT 1) IS NOT NULL AS more
FROM page
"""
_SEEN: Final = """EXISTS (
    SELECT FROM namespaces n, coalesce(r.visibility, n.visibility) AS shown
    WHERE n.id = r.namespace AND n.state = 'live' AND NOT n.id = ANY (${6}::bigint[]) AND (
        shown = 'public'
        OR (${0} OR shown = ANY (${1}::text[]) OR n.id = ANY (${2}::bigint[]) OR r.id = ANY (${3}::bigint[]))
        AND (${4}::bigint[] IS NULL OR n.id = ANY (${4})) AND (${5}::bigint[] IS NULL OR r.id = ANY (${5}))
        AND NOT n.id = ANY (${7}::bigint[])
    ){held}
)"""
_HELD: Final = """ AND (
        NOT r.gated
        OR (${8} OR n.id = ANY (${9}::bigint[]) OR r.id = ANY (${10}::bigint[]))
        AND (${4}::bigint[] IS NULL OR n.id = ANY (${4})) AND (${5}::bigint[] IS NULL OR r.id = ANY (${5}))
        AND NOT n.id = ANY (${7}::bigint[])
        OR shows_anything(r.id)
    )"""


def seen_by(seen: "Visible | None", first: int, *, is_published: bool = False) -> tuple[str, tuple[Any, ...]]:
    """The condition that the repository `r` is seen, and its parameters, which begin with the number `first`.

    None: all are, as in an open registry. `is_published`: the statement looks for what is published there anyway.
    """
    if seen is None:
        return "true", ()
    values: tuple[Any, ...] = (
        seen.everything,
        seen.visibilities,
        seen.namespaces,
        seen.repositories,
        seen.only_namespaces,
        seen.only_repositories,
        seen.closed,
        seen.stale,
    )
    if is_published:
        return _SEEN.format(*range(first, first + len(values)), held=""), values
    values += (seen.pushes.everywhere, seen.pushes.namespaces, seen.pushes.repositories)
    numbers = range(first, first + len(values))
    return _SEEN.format(*numbers, held=_HELD.format(*numbers)), values


async def restricted(connection: Any) -> list[tuple[int, str]]:
    """The namespaces that some addresses or keys are kept from, with their policies."""
    rows = await connection.fetch(
        "SELECT id, policies::text FROM namespaces WHERE state = 'live' AND policies ?| ARRAY['addresses', 'keyDays']"
    )
    return [(row["id"], row["policies"]) for row in rows]


@dataclass(frozen=True, slots=True)
class Held:
    """The namespaces and the single repositories that an account has a role in, and those with one to push."""

    namespaces: list[int]
    repositories: list[int]
    push_namespaces: list[int]
    push_repositories: list[int]


async def held(connection: Any, account: int | None, pushing: list[str]) -> Held:
    """Where an account has a role, and where one of those that are `pushing`."""
    row = await connection.fetchrow(
        "WITH joined AS (SELECT namespace, role FROM members WHERE account = $1 "
        "AND (expires_at IS NULL OR expires_at > clock_timestamp())), "
        "mine AS (SELECT namespace, repo, role FROM grants WHERE account = $1 AND namespace NOT IN "
        "(SELECT namespace FROM members WHERE account = $1 AND expires_at <= clock_timestamp()) "
        "UNION ALL SELECT namespace, repo, role FROM grants "
        "WHERE team IN (SELECT team FROM team_members WHERE account = $1) "
        "AND namespace IN (SELECT namespace FROM joined)), "
        "all_of AS (SELECT namespace, NULL AS repo, role FROM joined UNION ALL SELECT * FROM mine) "
        "SELECT array(SELECT DISTINCT namespace FROM all_of WHERE repo IS NULL) AS namespaces, "
        "array(SELECT repo FROM all_of WHERE repo IS NOT NULL) AS repositories, "
        "array(SELECT DISTINCT namespace FROM all_of WHERE repo IS NULL AND role = ANY ($2)) AS push_namespaces, "
        "array(SELECT repo FROM all_of WHERE repo IS NOT NULL AND role = ANY ($2)) AS push_repositories",
        account,
        pushing,
    )
    return Held(**dict(row))
