"""Statements on namespaces and their slugs. Each takes a connection."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from registry.namespaces.model import Namespace, Policies

if TYPE_CHECKING:
    from registry.namespaces.catalog import Visible

_COLUMNS: Final = (
    "id, kind, slug, display_name, description, visibility, generation, state, policies::text AS policies, created_at, "
    "version"
)
_COLUMNS_OF_N: Final = (
    "n.id, n.kind, n.slug, n.display_name, n.description, n.visibility, n.generation, n.state, "
    "n.policies::text AS policies, n.created_at, n.version"
)

_RANKED: Final = "ARRAY['read', 'write', 'admin', 'owner']"
_HIGHEST: Final = (
    f"(SELECT ({_RANKED})[max(array_position({_RANKED}, role))] FROM ("
    "SELECT role FROM members m WHERE m.namespace = n.id AND m.account = $1 "
    "AND (m.expires_at IS NULL OR m.expires_at > clock_timestamp()) UNION ALL "
    "SELECT g.role FROM grants g JOIN team_members t ON t.team = g.team "
    "WHERE g.namespace = n.id AND g.repo IS NULL AND t.account = $1) AS held)"
)


@dataclass(frozen=True, slots=True)
class Slug:
    """A row of the pool of names: `standing` is current, alias or tombstone."""

    skeleton: str
    kind: str
    slug: str
    namespace: int
    standing: str


async def insert(connection: Any, kind: str, slug: str, display_name: str) -> int | None:
    """A new private namespace; None where one of this kind has the slug."""
    found = await connection.fetchval(
        "INSERT INTO namespaces (kind, slug, display_name) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING id",
        kind,
        slug,
        display_name,
    )
    return None if found is None else int(found)


async def claim(connection: Any, slug: Slug) -> bool:
    """Put a name into the pool, unless it, or one that looks like it, was ever there; waits for who is doing it."""
    found = await connection.fetchval(
        "INSERT INTO slugs (skeleton, kind, slug, namespace, standing) VALUES ($1, $2, $3, $4, $5) "
        "ON CONFLICT DO NOTHING RETURNING true",
        slug.skeleton,
        slug.kind,
        slug.slug,
        slug.namespace,
        slug.standing,
    )
    return found is not None


async def lock_slugs(connection: Any, skeleton: str, kind: str, slug: str) -> list[Slug]:
    """The rows of this look or of this very name, locked."""
    rows = await connection.fetch(
        "SELECT skeleton, kind, slug, namespace, standing FROM slugs "
        "WHERE skeleton = $1 OR (kind = $2 AND slug = $3) ORDER BY skeleton FOR UPDATE",
        skeleton,
        kind,
        slug,
    )
    return [Slug(**row) for row in rows]


async def stand(connection: Any, namespace: int, standing: str, slug: str | None = None) -> None:
    """All names of a namespace, or one of them, stand like this from now on."""
    await connection.execute(
        "UPDATE slugs SET standing = $2, since = clock_timestamp() WHERE namespace = $1 "
        "AND ($3::text IS NULL OR slug = $3)",
        namespace,
        standing,
        slug,
    )


async def aliases(connection: Any, namespace: int) -> list[str]:
    """The former slugs of a namespace, in order."""
    rows = await connection.fetch(
        "SELECT slug FROM slugs WHERE namespace = $1 AND standing = 'alias' ORDER BY slug", namespace
    )
    return [row["slug"] for row in rows]


async def select(connection: Any, namespace: int) -> Namespace | None:
    """A namespace that is not deleted, also one that is being deleted."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM namespaces WHERE id = $1 AND state <> 'deleted'", namespace
    )
    return _namespace(row) if row is not None else None


async def lock(connection: Any, namespace: int) -> Namespace | None:
    """A live namespace, whose members, policies and name nobody else changes until the transaction ends."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM namespaces WHERE id = $1 AND state = 'live' FOR NO KEY UPDATE", namespace
    )
    return _namespace(row) if row is not None else None


async def lock_going(connection: Any, namespace: int) -> Namespace | None:
    """A namespace that is being deleted, locked."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM namespaces WHERE id = $1 AND state = 'deleting' FOR NO KEY UPDATE", namespace
    )
    return _namespace(row) if row is not None else None


async def hold_names(connection: Any, namespace: int) -> None:
    """Wait for those who are making a repository in a namespace, and let nobody begin until the transaction ends."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('names of ' || $1, 0))", str(namespace))


async def by_slug(connection: Any, kind: str, slug: str) -> Namespace | None:
    """The live namespace that has, or had, this slug."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS_OF_N} FROM slugs s JOIN namespaces n ON n.id = s.namespace "
        "WHERE s.kind = $1 AND s.slug = $2 AND s.standing <> 'tombstone' AND n.state = 'live'",
        kind,
        slug,
    )
    return _namespace(row) if row is not None else None


async def of_account(connection: Any, account: int, after: int, limit: int) -> list[tuple[Namespace, str]]:
    """Live namespaces that an account is a member of, by id, with its role in each."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS_OF_N}, m.role FROM members m JOIN namespaces n ON n.id = m.namespace "
        "WHERE m.account = $1 AND n.id > $2 AND n.state = 'live' "
        "AND (m.expires_at IS NULL OR m.expires_at > clock_timestamp()) ORDER BY n.id LIMIT $3",
        account,
        after,
        limit,
    )
    return [(_namespace({key: row[key] for key in row.keys() if key != "role"}), row["role"]) for row in rows]  # noqa: SIM118 - a record iterates over its values


async def seen(
    connection: Any, account: int | None, seen: "Visible", after: int, limit: int
) -> list[tuple[Namespace, str | None]]:
    """Live namespaces that somebody has a role in, or all, within the limits of a key, by id, with the highest role."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS_OF_N}, {_HIGHEST} AS role FROM namespaces n WHERE n.state = 'live' AND n.id > $2 "
        "AND ($3 OR n.id = ANY ($4::bigint[])) AND NOT n.id = ANY ($5::bigint[]) AND (n.visibility = 'public' "
        "OR ($6::bigint[] IS NULL OR n.id = ANY ($6)) AND $7::bigint[] IS NULL) ORDER BY n.id LIMIT $8",
        account,
        after,
        seen.everything,
        seen.namespaces,
        seen.closed,
        seen.only_namespaces,
        seen.only_repositories,
        limit,
    )
    return [(_namespace({key: row[key] for key in row.keys() if key != "role"}), row["role"]) for row in rows]  # noqa: SIM118 - a record iterates over its values


async def after(connection: Any, last: int, limit: int) -> list[Namespace]:
    """Live namespaces by id."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM namespaces WHERE id > $1 AND state = 'live' ORDER BY id LIMIT $2", last, limit
    )
    return [_namespace(row) for row in rows]


async def going(connection: Any, limit: int) -> list[int]:
    """Namespaces whose deletion has begun."""
    rows = await connection.fetch("SELECT id FROM namespaces WHERE state = 'deleting' ORDER BY id LIMIT $1", limit)
    return [row["id"] for row in rows]


async def describe(connection: Any, namespace: int, display_name: str, description: str) -> None:
    """What people read about a namespace."""
    await connection.execute(
        "UPDATE namespaces SET display_name = $2, description = $3, version = version + 1 WHERE id = $1",
        namespace,
        display_name,
        description,
    )


async def set_visibility(connection: Any, namespace: int, visibility: str) -> None:
    """Who may see a namespace and those of its repositories that have no visibility of their own."""
    await connection.execute(
        "UPDATE namespaces SET visibility = $2, version = version + 1 WHERE id = $1", namespace, visibility
    )


async def set_policies(connection: Any, namespace: int, policies: Policies) -> None:
    """What holds in a namespace."""
    await connection.execute(
        "UPDATE namespaces SET policies = $2::jsonb, version = version + 1 WHERE id = $1",
        namespace,
        json.dumps(policies.to_json()),
    )


async def rename(connection: Any, namespace: int, slug: str) -> None:
    """The slug that a namespace has now."""
    await connection.execute("UPDATE namespaces SET slug = $2, version = version + 1 WHERE id = $1", namespace, slug)


async def change_hands(connection: Any, namespace: int, state: str) -> None:
    """The namespace belongs to somebody else from now on, or to nobody: what was made for it before is void."""
    await connection.execute(
        "UPDATE namespaces SET state = $2, generation = generation + 1, version = version + 1 WHERE id = $1",
        namespace,
        state,
    )


async def set_deleted(connection: Any, namespace: int) -> None:
    """Nothing is left of a namespace but its names."""
    await connection.execute("UPDATE namespaces SET state = 'deleted' WHERE id = $1", namespace)


def _namespace(row: Any) -> Namespace:
    fields = dict(row)
    return Namespace(**fields | {"policies": Policies.parse(fields["policies"])})
