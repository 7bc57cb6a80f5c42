"""Statements on audit rows and seals. Each takes a connection."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from registry.audit.model import By, Event

_SEALER: Final = 7_205_759_404
_MICROSECONDS: Final = "trunc(extract(epoch FROM {}) * 1000000)::text"
# What a leaf is made of, in this order, as text: adding a field makes another leaf.
_FIELDS: Final = (
    f"number::text, id::text, {_MICROSECONDS.format('at')} AS at, actor::text, actor_name, credential::text, address, "
    "request_id, action, target, namespace::text, outcome, times::text, detail::text"
)
_SEAL: Final = f"first, last, {_MICROSECONDS.format('sealed_at')} AS sealed_at, root, hash"


@dataclass(frozen=True, slots=True)
class Denial:
    """So many refusals of the same kind, the last of them `age` seconds ago."""

    by: By
    event: Event
    times: int
    age: float


@dataclass(frozen=True, slots=True)
class Seal:
    """A seal as it is stored: its time in microseconds since 1970, as text; no `leaves` where they are too long."""

    first: int
    last: int
    sealed_at: str
    root: bytes
    hash: bytes
    leaves: bytes | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows: those with every value that is not None, `since` included, `until` not, numbered above `after`."""

    namespace: int | None = None
    actor: str | None = None
    action: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    after: int = 0


async def insert(connection: Any, by: By, event: Event, detail: str) -> None:
    """One thing that was done, with `detail` as JSON."""
    await connection.execute(
        "INSERT INTO audit_events "
        "(actor, actor_name, credential, address, request_id, action, target, namespace, detail) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb)",
        by.account,
        by.name,
        by.credential,
        by.address,
        by.request_id,
        event.action,
        event.target,
        event.namespace,
        detail,
    )


async def insert_denials(connection: Any, denials: list[Denial]) -> None:
    """What was refused."""
    await connection.executemany(
        "INSERT INTO audit_events "
        "(at, actor, actor_name, credential, address, request_id, action, target, namespace, outcome, times) "
        "VALUES (clock_timestamp() - make_interval(secs => $1), $2, $3, $4, $5, $6, $7, $8, $9, 'denied', $10)",
        [
            (
                denial.age,
                denial.by.account,
                denial.by.name,
                denial.by.credential,
                denial.by.address,
                denial.by.request_id,
                denial.event.action,
                denial.event.target,
                denial.event.namespace,
                denial.times,
            )
            for denial in denials
        ],
    )


async def has_unsealed(connection: Any) -> bool:
    """Whether rows wait for their number."""
    return bool(await connection.fetchval("SELECT EXISTS (SELECT FROM audit_events WHERE number IS NULL)"))


async def count_unsealed(connection: Any) -> int:
    """How many rows wait for their number."""
    return int(await connection.fetchval("SELECT count(*) FROM audit_events WHERE number IS NULL"))


async def lock_sealer(connection: Any) -> bool:
    """Be the only one that seals, until the end of the transaction; False: another process is."""
    return bool(await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", _SEALER))


async def last_seal(connection: Any) -> Seal | None:
    """The head of the chain."""
    row = await connection.fetchrow(f"SELECT {_SEAL} FROM audit_seals ORDER BY last DESC LIMIT 1")
    return Seal(**dict(row)) if row else None


async def last_number(connection: Any) -> int:
    """The highest number that a row has; 0 without one."""
    return int(await connection.fetchval("SELECT coalesce(max(number), 0) FROM audit_events"))


async def unsealed(connection: Any, after: int, limit: int) -> list[list[str | None]]:
    """The fields of the rows without number, by id, as they are once they have the numbers after `after`."""
    rows = await connection.fetch(
        f"SELECT {_FIELDS} FROM (SELECT id, at, actor, actor_name, credential, address, request_id, action, target, "
        "namespace, outcome, times, detail, $1 + row_number() OVER (ORDER BY id) AS number "
        "FROM (SELECT * FROM audit_events WHERE number IS NULL ORDER BY id LIMIT $2) taken) numbered "
        "ORDER BY numbered.number",
        after,
        limit,
    )
    return [list(row) for row in rows]


async def number(connection: Any, ids: list[int], first: int) -> None:
    """Give the rows their numbers, from `first` on."""
    await connection.execute(
        "UPDATE audit_events SET number = given.number "
        "FROM (SELECT id, $2 + ordinality - 1 AS number FROM unnest($1::bigint[]) WITH ORDINALITY AS x (id)) given "
        "WHERE audit_events.id = given.id",
        ids,
        first,
    )


async def now(connection: Any) -> str:
    """The time in microseconds since 1970."""
    return str(await connection.fetchval(f"SELECT {_MICROSECONDS.format('clock_timestamp()')}"))


async def insert_seal(connection: Any, seal: Seal) -> None:
    """Add a seal to the chain."""
    await connection.execute(
        "INSERT INTO audit_seals (first, last, sealed_at, leaves, root, hash) "
        "VALUES ($1, $2, 'epoch'::timestamptz + $3::text::bigint * interval '1 microsecond', $4, $5, $6)",
        seal.first,
        seal.last,
        seal.sealed_at,
        seal.leaves,
        seal.root,
        seal.hash,
    )


async def seal_after(connection: Any, last: int, most: int) -> Seal | None:
    """The next seal, its `leaves` where they are those of at most `most` rows."""
    row = await connection.fetchrow(
        f"SELECT {_SEAL}, CASE WHEN octet_length(leaves) <= 32 * $2 THEN leaves END AS leaves "
        "FROM audit_seals WHERE last > $1 ORDER BY last LIMIT 1",
        last,
        most,
    )
    return Seal(**dict(row)) if row else None


async def sealed(connection: Any, first: int, last: int) -> list[list[str | None]]:
    """The fields of the rows with these numbers, in order."""
    rows = await connection.fetch(
        f"SELECT {_FIELDS} FROM audit_events WHERE number BETWEEN $1 AND $2 ORDER BY audit_events.number", first, last
    )
    return [list(row) for row in rows]


async def uncovered(connection: Any) -> int | None:
    """The lowest number of a row that is before or after all seals."""
    found = await connection.fetchval(
        "SELECT min(number) FROM audit_events "
        "WHERE number < 1 OR number > (SELECT coalesce(max(last), 0) FROM audit_seals)"
    )
    return None if found is None else int(found)


async def lines(connection: Any, wanted: Filter, limit: int) -> list[Any]:
    """At most `limit` rows by number, as an export has them."""
    return list(
        await connection.fetch(
            "SELECT number, id, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') AS at, actor, "
            "actor_name, credential, action, target, namespace, outcome, times, address, request_id, detail::text "
            "FROM audit_events WHERE number > $1 AND ($2::bigint IS NULL OR namespace = $2) "
            "AND ($3::text IS NULL OR actor_name = $3) AND ($4::text IS NULL OR action = $4) "
            "AND ($5::timestamptz IS NULL OR at >= $5) AND ($6::timestamptz IS NULL OR at < $6) "
            "AND number >= coalesce("
            "(SELECT first FROM audit_seals WHERE sealed_at >= $5 ORDER BY sealed_at LIMIT 1), 0) "
            "ORDER BY number LIMIT $7",
            wanted.after,
            wanted.namespace,
            wanted.actor,
            wanted.action,
            wanted.since,
            wanted.until,
            limit,
        )
    )
