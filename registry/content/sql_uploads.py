"""Statements on uploads. Each takes a connection."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from registry.content.sql_blobs import Lease


@dataclass(frozen=True, slots=True)
class Upload:
    """A session: `received` bytes are durable; `state` is open, finishing or done."""

    id: str
    algorithm: str
    received: int
    hash_state: bytes | None
    state: str
    digest: str | None


@dataclass(frozen=True, slots=True)
class Start:
    """A new session: whose, for which digest algorithm, how long it lives, beside how many others at most.

    `who` makes the repository, when that is absent (`Terms.who`).
    """

    owner: str
    algorithm: str
    life: timedelta
    limit: int
    who: str | None = None


async def start(connection: Any, name: str, upload_id: str, new: Start) -> None:
    """Open a session (`start_upload` of migrations/); the repository is made when absent."""
    statement = "SELECT start_upload($1, $2, $3, $4, $5, $6, $7)"
    await connection.fetchval(statement, name, upload_id, new.owner, new.algorithm, new.life, new.limit, new.who)


async def select(connection: Any, name: str, upload_id: str, owner: str) -> Upload | None:
    """The session of this repository, under the name that it has or had, and caller."""
    row = await connection.fetchrow(
        "SELECT u.id::text, u.algorithm, u.received, u.hash_state, u.state, u.digest FROM uploads u "
        "JOIN repositories r ON r.id = u.repo WHERE u.id = $1 AND u.owner = $3 AND r.state = 'live' "
        "AND (r.name = $2 OR r.id = find_repository($2))",
        upload_id,
        name,
        owner,
    )
    return Upload(**dict(row)) if row else None


async def advance(connection: Any, upload_id: str, received: int, hash_state: bytes | None, life: timedelta) -> bool:
    """Move an open session to `received`; False when it is not open any more."""
    done = await connection.fetchval(
        "UPDATE uploads SET received = $2, hash_state = $3, expires_at = clock_timestamp() + $4::interval "
        "WHERE id = $1 AND state = 'open' RETURNING true",
        upload_id,
        received,
        hash_state,
        life,
    )
    return bool(done)


async def renew(connection: Any, upload_id: str, life: timedelta) -> None:
    """Let an open session live on."""
    await connection.execute(
        "UPDATE uploads SET expires_at = clock_timestamp() + $2 WHERE id = $1 AND state = 'open'", upload_id, life
    )


async def finishing(connection: Any, upload_id: str, received: int, digest: str, life: timedelta) -> bool:
    """Say which blob an open session becomes, before its bytes move; False when it is not open any more."""
    done = await connection.fetchval(
        "UPDATE uploads SET state = 'finishing', received = $2, digest = $3, "
        "expires_at = clock_timestamp() + $4::interval WHERE id = $1 AND state = 'open' RETURNING true",
        upload_id,
        received,
        digest,
        life,
    )
    return bool(done)


@dataclass(frozen=True, slots=True)
class Sealed:
    """The bytes of an upload: durable under a key, or here."""

    digest: str
    size: int
    key: str | None
    content: bytes | None = None


async def finish(connection: Any, name: str, upload_id: str, sealed: Sealed, lease: Lease) -> None:
    """Record the blob and its link, and end the session (`finish_upload` of migrations/)."""
    statement = "SELECT finish_upload($1, $2, $3, $4, $5, $6, $7, $8)"
    bytes_of = (sealed.digest, sealed.size, sealed.key, sealed.content)
    await connection.fetchval(statement, name, upload_id, *bytes_of, lease.grace, lease.terms.quota)


async def delete(connection: Any, upload_id: str) -> bool:
    """Forget an open session; False when there is none."""
    return bool(
        await connection.fetchval("DELETE FROM uploads WHERE id = $1 AND state = 'open' RETURNING true", upload_id)
    )


async def give_up(connection: Any, upload_id: str) -> bool:
    """Forget a session that is not done; False when there is none."""
    return bool(
        await connection.fetchval("DELETE FROM uploads WHERE id = $1 AND state <> 'done' RETURNING true", upload_id)
    )


async def exists(connection: Any, upload_id: str) -> bool:
    """Whether there is such a session, whoever's and wherever."""
    return bool(await connection.fetchval("SELECT EXISTS (SELECT FROM uploads WHERE id = $1)", upload_id))


async def expired(connection: Any) -> tuple[str, str | None] | None:
    """A session whose time is over, not locked: its id, and the digest that it was becoming."""
    row = await connection.fetchrow(
        "SELECT id::text, CASE WHEN state = 'finishing' THEN digest END FROM uploads "
        "WHERE expires_at <= clock_timestamp() ORDER BY expires_at LIMIT 1"
    )
    return (row[0], row[1]) if row else None


async def postpone(connection: Any, upload_id: str, wait: timedelta) -> None:
    """Look at a session again later: somebody holds it."""
    await connection.execute("UPDATE uploads SET expires_at = clock_timestamp() + $2 WHERE id = $1", upload_id, wait)


async def expire(connection: Any, upload_id: str) -> bool:
    """Forget a session whose time is over; False when it lives on after all."""
    return bool(
        await connection.fetchval(
            "DELETE FROM uploads WHERE id = $1 AND expires_at <= clock_timestamp() RETURNING true", upload_id
        )
    )


async def doom(connection: Any, keys: list[str]) -> None:
    """Leave objects to the sweep, now."""
    await connection.execute(
        "INSERT INTO doomed (object_key, due) SELECT k, clock_timestamp() FROM unnest($1::text[]) k "
        "ON CONFLICT DO NOTHING",
        keys,
    )
