"""Statements of the worker that looks at releases. Each takes a connection."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from registry.artifacts import sql_releases as sql
from registry.artifacts.sql_releases import Release


@dataclass(frozen=True, slots=True)
class Lease:
    """A release that one worker looks at until `due`, of a repository by the name that it has now."""

    release: Release
    repo: int
    name: str
    due: datetime


async def lease(connection: Any, span: timedelta) -> Lease | None:
    """The next release that is due, for one worker; one that this happened to before and that did not end counts."""
    row = await connection.fetchrow(
        "UPDATE releases l SET due = clock_timestamp() + $1::interval, attempts = attempts + 1 "
        "FROM repositories r WHERE r.id = l.repo AND l.id = (SELECT x.id FROM releases x "
        "WHERE x.due <= clock_timestamp() ORDER BY x.due LIMIT 1 FOR UPDATE SKIP LOCKED) "
        "RETURNING l.id, l.repo, l.due, r.name",
        span,
    )
    if row is None:
        return None
    release = await sql.of_id(connection, row["id"])
    assert release is not None  # noqa: S101 - it is locked
    return Lease(release, row["repo"], row["name"], row["due"])


async def extend(connection: Any, release: int, due: datetime, span: timedelta) -> datetime | None:
    """Lengthen a lease; None where somebody has woken the release since."""
    found: datetime | None = await connection.fetchval(
        "UPDATE releases SET due = clock_timestamp() + $3::interval WHERE id = $1 AND due = $2 RETURNING due",
        release,
        due,
        span,
    )
    return found


async def postpone(connection: Any, release: int, due: datetime, wait: timedelta) -> None:
    """Look again later, unless somebody has woken the release since."""
    await connection.execute(
        "UPDATE releases SET due = clock_timestamp() + $3::interval WHERE id = $1 AND due = $2", release, due, wait
    )


async def forget(connection: Any, release: int) -> None:
    """Nothing of it is due any more."""
    await connection.execute("UPDATE releases SET due = NULL WHERE id = $1", release)


async def is_over(connection: Any, since: datetime, patience: timedelta) -> bool:
    """Whether so much time has passed."""
    return bool(await connection.fetchval("SELECT $1::timestamptz + $2::interval < clock_timestamp()", since, patience))
