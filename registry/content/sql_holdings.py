"""Statements on what namespaces hold. Each takes a connection."""

from typing import Any, Final

_FOLDING: Final = 7_205_759_407


async def used(connection: Any, namespace: int) -> int:
    """The bytes of the distinct digests that a namespace holds."""
    return int(
        await connection.fetchval("SELECT coalesce(sum(bytes), 0)::bigint FROM usage WHERE namespace = $1", namespace)
    )


async def used_beside(connection: Any, name: str, digest: str) -> int | None:
    """What the namespace of a repository, there or not, uses; None when it holds the digest or there is none."""
    found = await connection.fetchval(
        "WITH n AS (SELECT coalesce((SELECT namespace FROM repositories WHERE name = $1 AND state = 'live'), "
        "namespace_of($1)) AS id) "
        "SELECT (SELECT coalesce(sum(bytes), 0)::bigint FROM usage WHERE namespace = n.id) FROM n "
        "WHERE n.id IS NOT NULL AND NOT EXISTS (SELECT FROM holdings h WHERE h.namespace = n.id AND h.digest = $2)",
        name,
        digest,
    )
    return None if found is None else int(found)


async def queue(connection: Any, repo: int, digests: list[str]) -> None:
    """Let the sweep look whether the namespace of the repository still holds these digests."""
    await connection.execute("SELECT queue_holdings($1, $2)", repo, digests)


async def lock(connection: Any, namespace: int, digest: str) -> None:
    """Lock a holding for removal: who makes it anew waits for the end of this transaction."""
    await connection.execute(
        "SELECT 1 FROM holdings WHERE namespace = $1 AND digest = $2 FOR UPDATE", namespace, digest
    )


async def delete_if_free(connection: Any, namespace: int, digest: str) -> None:
    """Let go of a locked holding that no live repository of the namespace has, and count it out."""
    await connection.execute(
        "WITH gone AS (DELETE FROM holdings WHERE namespace = $1 AND digest = $2 AND NOT has_digest($1, $2) "
        "RETURNING size) INSERT INTO usage (namespace, bytes) SELECT $1, -size FROM gone",
        namespace,
        digest,
    )


async def add_missing(connection: Any, namespace: int, limit: int) -> int:
    """Count in at most `limit` digests that repositories of the namespace have and it does not hold; how many."""
    return int(
        await connection.fetchval(
            "WITH found AS (SELECT l.digest, b.size FROM repositories r JOIN blob_links l ON l.repo = r.id "
            "JOIN blobs b ON b.digest = l.digest WHERE r.namespace = $1 AND r.state = 'live' "
            "UNION SELECT m.digest, octet_length(m.bytes) FROM repositories r JOIN manifests m ON m.repo = r.id "
            "WHERE r.namespace = $1 AND r.state = 'live'), "
            "made AS (INSERT INTO holdings (namespace, digest, size) SELECT $1, digest, size FROM found f "
            "WHERE NOT EXISTS (SELECT FROM holdings h WHERE h.namespace = $1 AND h.digest = f.digest) "
            "ORDER BY digest LIMIT $2 ON CONFLICT DO NOTHING RETURNING size), "
            "counted AS (INSERT INTO usage (namespace, bytes) SELECT $1, sum(size) FROM made HAVING count(*) > 0) "
            "SELECT count(*) FROM made",
            namespace,
            limit,
        )
    )


async def queue_unheld(connection: Any, namespace: int) -> None:
    """Let the sweep look at every holding that no live repository of the namespace seems to have."""
    await connection.execute(
        "SELECT queue_review('holding', $1, array(SELECT digest FROM holdings WHERE namespace = $1 EXCEPT "
        "SELECT l.digest FROM repositories r JOIN blob_links l ON l.repo = r.id "
        "WHERE r.namespace = $1 AND r.state = 'live' EXCEPT "
        "SELECT m.digest FROM repositories r JOIN manifests m ON m.repo = r.id "
        "WHERE r.namespace = $1 AND r.state = 'live'), clock_timestamp())",
        namespace,
    )


async def lock_folding(connection: Any) -> bool:
    """Be the only one who folds until the end of the transaction; False where another is."""
    return bool(await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", _FOLDING))


async def loose(connection: Any, limit: int) -> list[int]:
    """At most `limit` namespaces with changes that are not folded yet."""
    rows = await connection.fetch("SELECT DISTINCT namespace FROM usage WHERE NOT is_sum LIMIT $1", limit)
    return [row["namespace"] for row in rows]


async def fold(connection: Any, namespace: int) -> None:
    """Make one row of the ledger's first 10,000: in one statement, so every reader sees the same sum."""
    await connection.execute(
        "WITH chosen AS MATERIALIZED (SELECT id FROM usage WHERE namespace = $1 ORDER BY id LIMIT 10000), "
        "gone AS (DELETE FROM usage u USING chosen c WHERE u.id = c.id RETURNING u.bytes) "
        "INSERT INTO usage (namespace, bytes, is_sum) SELECT $1, sum(bytes), true FROM gone HAVING count(*) > 0",
        namespace,
    )
