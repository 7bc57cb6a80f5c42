"""Statements on credentials. Each takes a connection; none answers a hash but that of a password, to be checked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from registry.auth.model import NO_LIMITS, Limits

_COLUMNS: Final = (
    "id, account, kind, name, hint, scope, namespaces, repositories, addresses::text[] AS addresses, email, family, "
    "parent, replaced_by, created_at, expires_at, revoked_at, last_used_at, host(last_used_from) AS last_used_from"
)
_LIVE: Final = "revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)"


@dataclass(frozen=True, slots=True)
class Credential:
    """What somebody is known by, without what proves it.

    Attributes:
        hint: the first characters of the secret.
        limits: what it may at most do.
        email: the address that a code was sent to.
        family: the row's login: a session, its renewals and what they were renewed to.
        parent: the credential that it was made with and goes with.
        replaced_by: what it was rotated to.
    """

    id: int
    account: int
    kind: str
    name: str
    hint: str
    limits: Limits
    email: str | None
    family: UUID | None
    parent: int | None
    replaced_by: int | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    last_used_from: str | None

    def is_live(self, now: datetime) -> bool:
        """Whether it is good at this time."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCredential:
    """A row to be: `hashed` is the pepper's id and the hash of a secret, `password` an argon2id string; one of them."""

    account: int
    kind: str
    created_at: datetime
    expires_at: datetime | None = None
    hashed: tuple[str, bytes] | None = None
    password: str | None = None
    name: str = ""
    hint: str = ""
    limits: Limits = NO_LIMITS
    email: str | None = None
    family: UUID | None = None
    parent: int | None = None
    created_by: int | None = None


@dataclass(frozen=True, slots=True)
class Login:
    """A login that can still be renewed; `id` is that of its renewal.

    Attributes:
        since: of the oldest of its credentials that is kept.
        is_current: the asking credential is one of them.
    """

    id: int
    client: str
    since: datetime
    expires_at: datetime
    last_used_at: datetime | None
    last_used_from: str | None
    is_current: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """Credentials of an account, of these kinds, from the one after `after`."""

    account: int
    kinds: tuple[str, ...]
    after: int


async def insert(connection: Any, new: NewCredential) -> int:
    """Keep a credential."""
    pepper, hashed = new.hashed or (None, None)
    limits = new.limits
    return int(
        await connection.fetchval(
            "INSERT INTO credentials (account, kind, name, hint, hash, pepper_id, password, scope, namespaces, "
            "repositories, addresses, email, family, parent, created_by, created_at, expires_at) VALUES "
            "($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::text[]::cidr[], $12, $13, $14, $15, $16, $17) RETURNING id",
            new.account,
            new.kind,
            new.name,
            new.hint,
            hashed,
            pepper,
            new.password,
            limits.scope,
            sorted(limits.namespaces) if limits.namespaces is not None else None,
            sorted(limits.repositories) if limits.repositories is not None else None,
            limits.addresses,
            new.email,
            new.family,
            new.parent,
            new.created_by,
            new.created_at,
            new.expires_at,
        )
    )


async def by_hash(connection: Any, hashes: Sequence[bytes]) -> Credential | None:
    """The credential that has one of these hashes, live or not."""
    return _credential(
        await connection.fetchrow(f"SELECT {_COLUMNS} FROM credentials WHERE hash = ANY ($1::bytea[])", hashes)
    )


async def lock(connection: Any, credential: int) -> Credential | None:
    """A credential, live or not, held until the end of the transaction."""
    return _credential(
        await connection.fetchrow(f"SELECT {_COLUMNS} FROM credentials WHERE id = $1 FOR NO KEY UPDATE", credential)
    )


async def hold(connection: Any, credential: int) -> Credential | None:
    """A credential, live or not, that nobody revokes until the end of the transaction."""
    return _credential(
        await connection.fetchrow(f"SELECT {_COLUMNS} FROM credentials WHERE id = $1 FOR SHARE", credential)
    )


async def select(connection: Any, credential: int) -> Credential | None:
    """A credential, live or not."""
    return _credential(await connection.fetchrow(f"SELECT {_COLUMNS} FROM credentials WHERE id = $1", credential))


async def password_of(connection: Any, account: int) -> tuple[int, str] | None:
    """The id of an account's password, and its argon2id string."""
    row = await connection.fetchrow(
        "SELECT id, password FROM credentials WHERE account = $1 AND kind = 'password' AND revoked_at IS NULL", account
    )
    return (row["id"], row["password"]) if row is not None else None


async def page(connection: Any, wanted: Wanted, now: datetime, count: int) -> list[Credential]:
    """The live credentials that are wanted, by id."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM credentials WHERE account = $1 AND {_LIVE} AND kind = ANY ($3::text[]) AND id > $4 "
        "ORDER BY id LIMIT $5",
        wanted.account,
        now,
        wanted.kinds,
        wanted.after,
        count,
    )
    return [_made(row) for row in rows]


async def count_keys(connection: Any, account: int, now: datetime) -> int:
    """How many live keys an account has."""
    statement = f"SELECT count(*) FROM credentials WHERE account = $1 AND {_LIVE} AND kind = 'key'"
    return int(await connection.fetchval(statement, account, now))


async def count_since(connection: Any, account: int, kind: str, since: datetime) -> int:
    """How many credentials of a kind were made for an account since, whatever became of them."""
    return int(
        await connection.fetchval(
            "SELECT count(*) FROM credentials WHERE account = $1 AND kind = $2 AND created_at > $3",
            account,
            kind,
            since,
        )
    )


async def logins(connection: Any, account: int, now: datetime, current: int | None, count: int) -> list[Login]:
    """The logins of an account that can be renewed, the newest first."""
    rows = await connection.fetch(
        "SELECT r.id, r.name AS client, min(f.created_at) AS since, r.expires_at, max(f.last_used_at) AS last_used_at, "
        "(array_agg(host(f.last_used_from) ORDER BY f.last_used_at DESC NULLS LAST))[1] AS last_used_from, "
        "coalesce(bool_or(f.id = $3), false) AS is_current "
        "FROM credentials r JOIN credentials f ON f.family = r.family WHERE r.account = $1 AND r.kind = 'renewal' "
        "AND r.replaced_by IS NULL AND r.revoked_at IS NULL AND r.expires_at > $2 "
        "GROUP BY r.id ORDER BY r.id DESC LIMIT $4",
        account,
        now,
        current,
        count,
    )
    return [Login(**row) for row in rows]


async def use_up(connection: Any, credential: int, now: datetime) -> bool:
    """Revoke a live credential; False when it is not live."""
    return bool(
        await connection.fetchval(
            f"UPDATE credentials SET revoked_at = $2 WHERE id = $1 AND {_LIVE} RETURNING true", credential, now
        )
    )


async def revoke_with_descendants(connection: Any, credential: int, now: datetime) -> set[int]:
    """Revoke a credential and all that was made with it, over any number of steps; the accounts that lost something."""
    rows = await connection.fetch(
        "WITH RECURSIVE line AS (SELECT id FROM credentials WHERE id = $1 "
        "UNION SELECT c.id FROM credentials c JOIN line ON c.parent = line.id) "
        "UPDATE credentials SET revoked_at = $2 WHERE id IN (SELECT id FROM line) AND revoked_at IS NULL "
        "RETURNING account",
        credential,
        now,
    )
    return {row["account"] for row in rows}


async def revoke_kinds(
    connection: Any, account: int, kinds: Sequence[str], now: datetime, keep: UUID | None = None
) -> None:
    """Revoke all credentials of these kinds of an account, but not those of the family `keep`."""
    await connection.execute(
        "UPDATE credentials SET revoked_at = $3 WHERE account = $1 AND kind = ANY ($2::text[]) AND revoked_at IS NULL "
        "AND ($4::uuid IS NULL OR family IS DISTINCT FROM $4)",
        account,
        kinds,
        now,
        keep,
    )


async def revoke_all(connection: Any, account: int, now: datetime) -> None:
    """Revoke every credential of an account."""
    await connection.execute(
        "UPDATE credentials SET revoked_at = $2 WHERE account = $1 AND revoked_at IS NULL", account, now
    )


async def revoke_family(connection: Any, family: UUID, now: datetime) -> None:
    """Revoke all credentials of one login."""
    await connection.execute(
        "UPDATE credentials SET revoked_at = $2 WHERE family = $1 AND revoked_at IS NULL", family, now
    )


async def revoke_oldest(connection: Any, account: int, kind: str, keep: int, now: datetime) -> None:
    """Revoke the live ones of a kind but the newest `keep`."""
    await connection.execute(
        "UPDATE credentials SET revoked_at = $2 WHERE id IN (SELECT id FROM credentials "
        f"WHERE account = $1 AND {_LIVE} AND kind = $3 ORDER BY id DESC OFFSET $4)",
        account,
        now,
        kind,
        keep,
    )


async def replace(connection: Any, old: int, new: int, until: datetime) -> None:
    """Say what a credential was rotated to; it ends at `until` unless it ends before."""
    await connection.execute(
        "UPDATE credentials SET replaced_by = $2, expires_at = least(expires_at, $3) WHERE id = $1", old, new, until
    )


async def end_sessions(connection: Any, family: UUID, until: datetime) -> None:
    """Let the sessions of a login end at `until` unless they end before."""
    await connection.execute(
        "UPDATE credentials SET expires_at = least(expires_at, $2) WHERE family = $1 AND kind = 'session'",
        family,
        until,
    )


async def move_keys(connection: Any, old: int, new: int) -> None:
    """Let the keys that were made with `old` go with `new`."""
    await connection.execute("UPDATE credentials SET parent = $2 WHERE parent = $1 AND kind = 'key'", old, new)


async def end_refresh(connection: Any, parent: int, until: datetime) -> None:
    """Let the refresh tokens that were made with a key end at `until` unless they end before."""
    await connection.execute(
        "UPDATE credentials SET expires_at = least(expires_at, $2) WHERE parent = $1 AND kind = 'refresh'",
        parent,
        until,
    )


async def delete_ended(connection: Any, now: datetime, count: int) -> int:
    """Delete codes, sessions, renewals and refresh tokens that ended before `now`: at most `count`, without waiting."""
    deleted = await connection.fetch(
        "DELETE FROM credentials WHERE id IN (SELECT id FROM credentials c WHERE expires_at < $1 "
        "AND kind IN ('refresh', 'session', 'renewal', 'verification', 'reset') "
        "AND NOT EXISTS (SELECT FROM credentials o WHERE o.replaced_by = c.id) "
        "AND NOT EXISTS (SELECT FROM credentials o WHERE o.parent = c.id) "
        "ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING id",
        now,
        count,
    )
    return len(deleted)


def _credential(row: Any) -> Credential | None:
    return _made(row) if row is not None else None


def _made(row: Any) -> Credential:
    fields = dict(row)
    namespaces, repositories, addresses = (fields.pop(name) for name in ("namespaces", "repositories", "addresses"))
    limits = Limits(
        fields.pop("scope"),
        frozenset(namespaces) if namespaces is not None else None,
        frozenset(repositories) if repositories is not None else None,
        tuple(addresses) if addresses is not None else None,
    )
    return Credential(**fields, limits=limits)
