"""Statements on signing keys, and on accounts with the credential that they are known by. Each takes a connection."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

_FIRST_KEY: Final = 7_205_759_406
_COLUMNS: Final = (
    "c.id AS credential, c.kind AS credential_kind, c.password, c.scope, c.namespaces, c.repositories, "
    "c.addresses::text[] AS addresses, c.expires_at, c.revoked_at, c.replaced_by IS NOT NULL AS is_replaced, "
    "CASE c.kind WHEN 'key' THEN c.created_at WHEN 'refresh' THEN "
    "(SELECT p.created_at FROM credentials p WHERE p.id = c.parent AND p.kind = 'key') END AS key_made_at, "
    "a.id AS account, a.kind, a.name, a.is_administrator, a.must_change_password, a.state"
)


@dataclass(frozen=True, slots=True)
class Known:
    """A credential with its account, as they are in the database."""

    credential: int
    credential_kind: str
    password: str | None
    scope: str | None
    namespaces: list[int] | None
    repositories: list[int] | None
    addresses: list[str] | None
    expires_at: datetime | None
    revoked_at: datetime | None
    is_replaced: bool
    key_made_at: datetime | None
    account: int
    kind: str
    name: str
    is_administrator: bool
    must_change_password: bool
    state: str


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A row of `signing_keys`; `sealed` is the private key."""

    kid: str
    sealed: bytes
    public: dict[str, Any]
    signs_from: datetime
    verifies_until: datetime | None


def _known(row: Mapping[str, Any] | None) -> Known | None:
    return Known(**dict(row)) if row is not None else None


async def by_id(connection: Any, credential: int) -> Known | None:
    """The credential of this id."""
    statement = f"SELECT {_COLUMNS} FROM credentials c JOIN accounts a ON a.id = c.account WHERE c.id = $1"
    return _known(await connection.fetchrow(statement, credential))


async def by_hash(connection: Any, hashes: list[bytes]) -> Known | None:
    """The credential whose secret has one of these hashes."""
    statement = (
        f"SELECT {_COLUMNS} FROM credentials c JOIN accounts a ON a.id = c.account WHERE c.hash = ANY ($1::bytea[])"
    )
    return _known(await connection.fetchrow(statement, hashes))


async def by_name(connection: Any, name: str) -> Known | None:
    """The password of the user of this name, in lower case."""
    statement = (
        f"SELECT {_COLUMNS} FROM accounts a JOIN credentials c ON c.account = a.id AND c.kind = 'password' "
        "AND c.revoked_at IS NULL WHERE a.name = $1 AND a.kind = 'user' AND a.state <> 'deleted'"
    )
    return _known(await connection.fetchrow(statement, name))


async def by_email(connection: Any, email: str) -> Known | None:
    """The password of the user who has confirmed this address, whatever its case."""
    statement = (
        f"SELECT {_COLUMNS} FROM accounts a JOIN credentials c ON c.account = a.id AND c.kind = 'password' "
        "AND c.revoked_at IS NULL WHERE lower(a.email) = lower($1) AND a.email_verified_at IS NOT NULL "
        "AND a.state <> 'deleted'"
    )
    return _known(await connection.fetchrow(statement, email))


async def record_use(connection: Any, uses: list[tuple[int, datetime, str | None]]) -> None:
    """Note when, and from which address, credentials were used last; what is later stays."""
    credentials, times, addresses = zip(*uses, strict=True)
    await connection.execute(
        "WITH used AS (SELECT * FROM unnest($1::bigint[], $2::timestamptz[], $3::text[]) AS u (id, at, address)), "
        "locked AS (SELECT c.id FROM credentials c JOIN used USING (id) ORDER BY c.id FOR NO KEY UPDATE OF c) "
        "UPDATE credentials c SET last_used_at = used.at, last_used_from = used.address::inet "
        "FROM used JOIN locked USING (id) WHERE c.id = used.id "
        "AND (c.last_used_at IS NULL OR c.last_used_at < used.at)",
        list(credentials),
        list(times),
        list(addresses),
    )


async def lock_keys(connection: Any) -> None:
    """Until the transaction ends no other one makes a signing key."""
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _FIRST_KEY)


async def keys(connection: Any, use: str) -> list[StoredKey]:
    """The signing keys of one use, those that sign first at the front."""
    rows = await connection.fetch(
        "SELECT kid, sealed, public, signs_from, verifies_until FROM signing_keys WHERE use = $1 "
        "ORDER BY signs_from, kid",
        use,
    )
    return [StoredKey(**dict(row) | {"public": json.loads(row["public"])}) for row in rows]


async def insert_key(connection: Any, use: str, key: StoredKey) -> None:
    """A new signing key."""
    await connection.execute(
        "INSERT INTO signing_keys (kid, use, public, sealed, signs_from) VALUES ($1, $2, $3::jsonb, $4, $5)",
        key.kid,
        use,
        json.dumps(key.public),
        key.sealed,
        key.signs_from,
    )


async def retire_keys(connection: Any, use: str, until: datetime) -> None:
    """The keys that there are verify until then, and no longer."""
    await connection.execute(
        "UPDATE signing_keys SET verifies_until = $2 WHERE use = $1 AND verifies_until IS NULL", use, until
    )


async def delete_keys(connection: Any, use: str, before: datetime) -> None:
    """Forget keys that have verified nothing since then."""
    await connection.execute("DELETE FROM signing_keys WHERE use = $1 AND verifies_until < $2", use, before)
