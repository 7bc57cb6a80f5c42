"""Statements on shares. Each takes a connection."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any


@dataclass(frozen=True, slots=True)
class Share:
    """A link to a snapshot; its secret is not known."""

    id: int
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Shown:
    """What a link leads to: `is_over` when it has expired or was revoked, or the snapshot is not published."""

    repository: str
    version: str
    digest: str
    config: str | None
    expires_at: datetime
    is_over: bool


async def insert(connection: Any, release: int, secret: bytes, account: int | None, life: timedelta) -> Share:
    """A new share of a release, under the hash of its secret."""
    row = await connection.fetchrow(
        "INSERT INTO shares (release, hash, created_by, expires_at) VALUES ($1, $2, $3, clock_timestamp() + $4) "
        "RETURNING id, created_at, expires_at, revoked_at",
        release,
        secret,
        account,
        life,
    )
    return Share(**row)


async def count(connection: Any, release: int) -> int:
    """How many shares of a release still lead somewhere, with the release locked."""
    await connection.execute("SELECT 1 FROM releases WHERE id = $1 FOR UPDATE", release)
    statement = (
        "SELECT count(*) FROM shares WHERE release = $1 AND revoked_at IS NULL AND expires_at > clock_timestamp()"
    )
    return int(await connection.fetchval(statement, release))


async def of_release(connection: Any, release: int, after: int, limit: int) -> list[Share]:
    """Shares of a release by id, behind `after`."""
    rows = await connection.fetch(
        "SELECT id, created_at, expires_at, revoked_at FROM shares WHERE release = $1 AND id > $2 ORDER BY id LIMIT $3",
        release,
        after,
        limit,
    )
    return [Share(**row) for row in rows]


async def revoke(connection: Any, release: int, share: int) -> bool:
    """End a share; False where the release has none of this id."""
    found = await connection.fetchval(
        "UPDATE shares SET revoked_at = coalesce(revoked_at, clock_timestamp()) WHERE release = $1 AND id = $2 "
        "RETURNING id",
        release,
        share,
    )
    return found is not None


async def find(connection: Any, secret: bytes) -> Shown | None:
    """What the link with this hash leads to."""
    row = await connection.fetchrow(
        "SELECT r.name AS repository, l.version, l.digest, l.config, s.expires_at, "
        "s.revoked_at IS NOT NULL OR s.expires_at <= clock_timestamp() OR l.state <> 'published' AS is_over "
        "FROM shares s JOIN releases l ON l.id = s.release JOIN repositories r ON r.id = l.repo "
        "WHERE s.hash = $1 AND r.state = 'live'",
        secret,
    )
    return None if row is None else Shown(**row)
