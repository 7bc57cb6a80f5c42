"""Statements on what an artifact is made of, as its repository holds it. Each takes a connection."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Part:
    """A blob of a repository: its bytes lie under `object_key` in the store, else they are `content`."""

    digest: str
    size: int
    object_key: str | None
    content: bytes | None


async def parts(connection: Any, name: str, digests: list[str]) -> dict[str, Part]:
    """Those of the blobs that the repository has."""
    rows = await connection.fetch(
        "SELECT b.digest, b.size, b.object_key, b.content FROM repositories r "
        "JOIN blob_links l ON l.repo = r.id JOIN blobs b ON b.digest = l.digest "
        "WHERE r.id = find_repository($1) AND l.digest = ANY ($2::text[])",
        name,
        digests,
    )
    return {row["digest"]: Part(**dict(row)) for row in rows}


async def manifests(connection: Any, name: str, digests: list[str]) -> dict[str, bytes]:
    """Those of the manifests that the repository has: their bytes."""
    rows = await connection.fetch(
        "SELECT m.digest, m.bytes FROM manifests m WHERE m.repo = find_repository($1) AND m.digest = ANY ($2::text[])",
        name,
        digests,
    )
    return {row["digest"]: row["bytes"] for row in rows}


async def referrers(connection: Any, name: str, subject: str, artifact_types: list[str], limit: int) -> list[Any]:
    """At most `limit` referrers of a manifest of these types, the newest first: type and bytes of each."""
    found: list[Any] = await connection.fetch(
        "SELECT m.artifact_type, m.bytes FROM manifests m WHERE m.repo = find_repository($1) AND m.subject = $2 "
        "AND m.artifact_type = ANY ($3::text[]) ORDER BY m.pushed_at DESC, m.digest DESC LIMIT $4",
        name,
        subject,
        artifact_types,
        limit,
    )
    return found
