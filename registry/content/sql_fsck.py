"""Statements that compare. Each takes a connection, and as long as the content is large."""

from typing import Any, Final

_SECONDS: Final = 24 * 3600.0


async def blobs(connection: Any) -> dict[str, tuple[str, int]]:
    """Every blob in the store: object key to digest and size."""
    statement = "SELECT object_key, digest, size FROM blobs WHERE object_key IS NOT NULL"
    rows = await connection.fetch(statement, timeout=_SECONDS)
    return {row["object_key"]: (row["digest"], row["size"]) for row in rows}


async def has_blob(connection: Any, key: str) -> bool:
    """Whether a blob has its bytes under this object key."""
    return bool(await connection.fetchval("SELECT EXISTS (SELECT FROM blobs WHERE object_key = $1)", key))


async def doomed(connection: Any) -> set[str]:
    """Keys that wait for removal."""
    rows = await connection.fetch("SELECT object_key FROM doomed", timeout=_SECONDS)
    return {row["object_key"] for row in rows}


async def uploads(connection: Any) -> list[tuple[str, str | None]]:
    """Every session: id and the digest it becomes."""
    rows = await connection.fetch("SELECT id::text, digest FROM uploads", timeout=_SECONDS)
    return [(row["id"], row["digest"]) for row in rows]


async def manifests(connection: Any) -> Any:
    """Digest and bytes of every manifest, a few at a time; inside a transaction."""
    return connection.cursor("SELECT digest, bytes FROM manifests", prefetch=20)


async def small_blobs(connection: Any) -> Any:
    """Digest and bytes of every blob that lies in its row, a few at a time; inside a transaction."""
    return connection.cursor("SELECT digest, content AS bytes FROM blobs WHERE content IS NOT NULL", prefetch=100)


async def absent(connection: Any) -> list[str]:
    """References to content that its repository does not have, as `repository@parent: digest`.

    They are allowed by policy (sparse) and by media type (foreign layers).
    """
    rows = await connection.fetch(
        "SELECT r.name, f.parent, f.digest FROM refs f JOIN repositories r ON r.id = f.repo "
        "WHERE NOT EXISTS (SELECT FROM blob_links l WHERE l.repo = f.repo AND l.digest = f.digest) "
        "AND NOT EXISTS (SELECT FROM manifests m WHERE m.repo = f.repo AND m.digest = f.digest) ORDER BY 1, 2, 3",
        timeout=_SECONDS,
    )
    return [f"{row['name']}@{row['parent']}: {row['digest']}" for row in rows]
