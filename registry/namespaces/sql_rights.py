"""The statement that says what a repository's name means to an account."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

_ROLES: Final = ("read", "write", "admin", "owner")


@dataclass(frozen=True, slots=True)
class Row:
    """What the tables say now: `repository` and `visibility` of a repository that there is, `role` of the account."""

    name: str
    namespace: int
    slug: str
    generation: int
    policies: str
    namespace_visibility: str
    repository: int | None
    visibility: str | None
    role: str | None
    role_until: datetime | None


async def find(
    connection: Any, parts: tuple[str, str, str, str], account: int | None, *, of_repository: bool = True
) -> Row | None:
    """The namespace and, if asked, the repository of `parts` (kind, prefix, slug, rest), aliases followed.

    None where no live namespace has, or had, the slug.
    """
    row = await connection.fetchrow(_FIND, *parts, account, of_repository)
    if row is None:
        return None
    rank = row["rank"]
    fields = {key: value for key, value in row.items() if key != "rank"}
    return Row(**fields, role=None if rank is None else _ROLES[rank - 1])


async def kind_of(connection: Any, slug: str) -> str | None:
    """The kind of the namespace that has this slug, or had it."""
    found = await connection.fetchval(
        "SELECT kind FROM slugs WHERE slug = $1 AND standing <> 'tombstone' "
        "ORDER BY standing DESC, array_position(ARRAY['user', 'org', 'plain'], kind) LIMIT 1",
        slug,
    )
    return None if found is None else str(found)


async def open_home(connection: Any, homes: list[str], name: str) -> str:
    """Which of `homes` is meant where nobody owns any: that with a repository `name`, else with any, else the first."""
    found = await connection.fetchval(
        "SELECT home FROM unnest($1::text[]) WITH ORDINALITY AS h (home, place) ORDER BY "
        "EXISTS (SELECT FROM repositories r WHERE r.state = 'live' AND r.name = home || '/' || $2) DESC, "
        "EXISTS (SELECT FROM repositories r WHERE r.state = 'live' AND r.name > home || '/' AND r.name < home || '0') "
        "DESC, place LIMIT 1",
        homes,
        name,
    )
    return str(found)


_FIND: Final = """
WITH place AS (
    SELECT n.id, n.slug, n.generation, n.policies::text AS policies, n.visibility,
        $2::text || n.slug || $4::text AS name
    FROM slugs s JOIN namespaces n ON n.id = s.namespace
    WHERE s.kind = $1 AND s.slug = $3 AND s.standing <> 'tombstone' AND n.state = 'live'
), found AS (
    SELECT r.id, r.name, r.visibility FROM repositories r JOIN place p ON r.namespace = p.id AND r.name = p.name
    WHERE r.state = 'live' AND $6::boolean
    UNION ALL
    SELECT r.id, r.name, r.visibility FROM repository_aliases a JOIN place p ON a.name = p.name
    JOIN repositories r ON r.id = a.repo AND r.namespace = p.id WHERE r.state = 'live' AND $6
    LIMIT 1
), held AS (
    SELECT m.role, m.expires_at FROM members m JOIN place p ON m.namespace = p.id
    WHERE m.account = $5 AND (m.expires_at IS NULL OR m.expires_at > clock_timestamp())
    UNION ALL
    SELECT g.role, NULL FROM grants g JOIN place p ON g.namespace = p.id
    WHERE g.account = $5 AND g.repo = (SELECT id FROM found) AND NOT EXISTS (
        SELECT FROM members m WHERE m.namespace = p.id AND m.account = $5 AND m.expires_at <= clock_timestamp()
    )
    UNION ALL
    SELECT g.role, m.expires_at FROM grants g JOIN place p ON g.namespace = p.id
    JOIN team_members t ON t.team = g.team AND t.account = $5
    JOIN members m ON m.namespace = p.id AND m.account = $5
    WHERE (g.repo IS NULL OR g.repo = (SELECT id FROM found))
    AND (m.expires_at IS NULL OR m.expires_at > clock_timestamp())
)
SELECT coalesce((SELECT name FROM found), p.name) AS name, p.id AS namespace, p.slug, p.generation, p.policies,
    p.visibility AS namespace_visibility, (SELECT id FROM found) AS repository,
    (SELECT visibility FROM found) AS visibility,
    (SELECT max(array_position(ARRAY['read', 'write', 'admin', 'owner'], role)) FROM held) AS rank,
    (SELECT min(expires_at) FROM held) AS role_until
FROM place p
"""
