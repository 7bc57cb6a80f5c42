"""Statements that compare. Each takes a connection."""

from typing import Any


async def blobs(connection: Any) -> dict[str, tuple[str, int]]:
    """Every blob: object key to digest and size."""
    rows = await connection.fetch("SELECT object_key, digest, size FROM blobs")
    return {row["object_key"]: (row["digest"], row["size"]) for row in rows}


async def doomed(connection: Any) -> set[str]:
    """Keys that wait for removal."""
    return {row["object_key"] for row in await connection.fetch("SELECT object_key FROM doomed")}


async def uploads(connection: Any) -> list[tuple[str, str | None]]:
    """Every session: id and the digest it becomes."""
    return [(row["id"], row["digest"]) for row in await connection.fetch("SELECT id::text, digest FROM uploads")]


async def manifests(connection: Any) -> Any:
    """Digest and bytes of every manifest, a few at a time; inside a transaction."""
    return connection.cursor("SELECT digest, bytes FROM manifests", prefetch=20)
