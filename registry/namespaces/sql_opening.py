"""Statements on the end of an open registry. Each takes a connection."""

from dataclasses import dataclass
from typing import Any, Final

_LONG: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Adopted:
    """A namespace of repositories that were there before it; `own` is a skeleton that it shares with nobody."""

    kind: str
    slug: str
    skeleton: str
    own: str


async def hold_repositories(connection: Any) -> None:
    """Wait for all who lock or write repositories, and keep others from it; reading goes on."""
    await connection.execute("LOCK TABLE repositories IN EXCLUSIVE MODE", timeout=_LONG)


async def lock_instance(connection: Any) -> bool:
    """Whether there ever was an account, which nobody else changes until the transaction ends."""
    return bool(await connection.fetchval("SELECT has_accounts FROM instance FOR UPDATE"))


async def has_accounts(connection: Any) -> bool:
    """Whether there ever was an account."""
    return bool(await connection.fetchval("SELECT has_accounts FROM instance"))


async def names_without_namespace(connection: Any) -> list[str]:
    """The names of the repositories that an open registry was given."""
    rows = await connection.fetch("SELECT name FROM repositories WHERE namespace IS NULL", timeout=_LONG)
    return [row["name"] for row in rows]


async def adopt(connection: Any, adopted: Adopted, account: int) -> bool:
    """A namespace of this account, unless there is one of this kind and slug."""
    made = await connection.fetchval(
        "WITH made AS (INSERT INTO namespaces (kind, slug) SELECT $1, $2 "
        "WHERE NOT EXISTS (SELECT FROM slugs WHERE kind = $1 AND slug = $2) RETURNING id), "
        "named AS (INSERT INTO slugs (skeleton, kind, slug, namespace, standing) "
        "SELECT CASE WHEN EXISTS (SELECT FROM slugs WHERE skeleton = $3) THEN $4 ELSE $3 END, $1, $2, id, 'current' "
        "FROM made) "
        "INSERT INTO members (namespace, account, role, added_by) SELECT id, $5, 'owner', $5 FROM made "
        "RETURNING namespace",
        adopted.kind,
        adopted.slug,
        adopted.skeleton,
        adopted.own,
        account,
    )
    return made is not None


async def assign(connection: Any) -> None:
    """Give each repository without a namespace the one that its name begins with."""
    await connection.execute(
        "UPDATE repositories SET namespace = namespace_of(name) WHERE namespace IS NULL", timeout=_LONG
    )


async def fill_holdings(connection: Any) -> None:
    """Count the distinct digests of every namespace, which nobody has counted yet."""
    await connection.execute(
        "WITH found AS ("
        "SELECT r.namespace, l.digest, b.size FROM repositories r JOIN blob_links l ON l.repo = r.id "
        "JOIN blobs b ON b.digest = l.digest WHERE r.state = 'live' UNION ALL "
        "SELECT r.namespace, m.digest, octet_length(m.bytes) FROM repositories r JOIN manifests m ON m.repo = r.id "
        "WHERE r.state = 'live'), "
        "held AS (INSERT INTO holdings (namespace, digest, size) SELECT namespace, digest, max(size) FROM found "
        "GROUP BY namespace, digest ON CONFLICT DO NOTHING RETURNING namespace, size) "
        "INSERT INTO usage (namespace, bytes) SELECT namespace, sum(size) FROM held GROUP BY namespace",
        timeout=_LONG,
    )


async def queue_comparisons(connection: Any) -> None:
    """Let the sweep compare what namespaces hold with what was counted, when nothing of before is under way."""
    await connection.execute(
        "INSERT INTO review (kind, repo, key, due) SELECT 'holding', id, '', clock_timestamp() + interval '1 hour' "
        "FROM namespaces n WHERE EXISTS (SELECT FROM repositories r WHERE r.namespace = n.id) ORDER BY id "
        "ON CONFLICT (kind, repo, key) DO UPDATE SET due = greatest(review.due, excluded.due)"
    )


async def close(connection: Any) -> None:
    """There are accounts from now on."""
    await connection.execute("UPDATE instance SET has_accounts = true")
