"""Statements on accounts. Each takes a connection."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

_COLUMNS: Final = (
    "id, kind, name, display_name, email, email_verified_at, is_administrator, must_change_password, state, namespace, "
    "created_at"
)
_FIRST: Final = 0x67617469  # the advisory lock of whoever makes the first account


@dataclass(frozen=True, slots=True)
class Account:
    """A person (`user`), or a `robot`; `state` is active, suspended or deleted."""

    id: int
    kind: str
    name: str
    display_name: str
    email: str | None
    email_verified_at: datetime | None
    is_administrator: bool
    must_change_password: bool
    state: str
    namespace: int
    created_at: datetime


async def insert(connection: Any, account: Account, created_by: int | None) -> int:
    """A new account, whose id is given here; `id` and `state` of the record are not used."""
    return int(
        await connection.fetchval(
            "INSERT INTO accounts (kind, name, display_name, email, email_verified_at, is_administrator, "
            "must_change_password, namespace, created_at, created_by) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id",
            account.kind,
            account.name,
            account.display_name,
            account.email,
            account.email_verified_at,
            account.is_administrator,
            account.must_change_password,
            account.namespace,
            account.created_at,
            created_by,
        )
    )


async def save(connection: Any, account: Account) -> None:
    """Write what can change of an account that this transaction has locked."""
    await connection.execute(
        "UPDATE accounts SET display_name = $2, email = $3, email_verified_at = $4, is_administrator = $5, "
        "must_change_password = $6, state = $7 WHERE id = $1",
        account.id,
        account.display_name,
        account.email,
        account.email_verified_at,
        account.is_administrator,
        account.must_change_password,
        account.state,
    )


async def select(connection: Any, account: int) -> Account | None:
    """An account that is not deleted."""
    return _account(
        await connection.fetchrow(
            f"SELECT {_COLUMNS} FROM accounts WHERE id = $1 AND state <> 'deleted'",
            account,
        )
    )


async def select_named(connection: Any, name: str) -> Account | None:
    """The account of this name that is not deleted."""
    return _account(
        await connection.fetchrow(f"SELECT {_COLUMNS} FROM accounts WHERE name = $1 AND state <> 'deleted'", name)
    )


async def select_addressed(connection: Any, email: str, count: int) -> list[Account]:
    """The active accounts of this mail address, the one that proved it first, then the oldest."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM accounts WHERE lower(email) = lower($1) AND email IS NOT NULL AND state = 'active' "
        "ORDER BY email_verified_at IS NULL, id LIMIT $2",
        email,
        count,
    )
    return [Account(**row) for row in rows]


async def is_proved_by_another(connection: Any, email: str, account: int) -> bool:
    """Whether the address belongs to another account."""
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM accounts WHERE lower(email) = lower($1) AND email_verified_at IS NOT NULL "
            "AND state <> 'deleted' AND id <> $2)",
            email,
            account,
        )
    )


async def lock(connection: Any, account: int) -> Account | None:
    """An account that is not deleted, held until the end of the transaction."""
    return _account(
        await connection.fetchrow(
            f"SELECT {_COLUMNS} FROM accounts WHERE id = $1 AND state <> 'deleted' FOR NO KEY UPDATE", account
        )
    )


async def lock_with_administrators(connection: Any, account: int) -> list[Account]:
    """The account and all active administrators, by id, held until the end of the transaction."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM accounts WHERE state <> 'deleted' "
        "AND (id = $1 OR is_administrator AND state = 'active') ORDER BY id FOR NO KEY UPDATE",
        account,
    )
    return [Account(**row) for row in rows]


async def page(connection: Any, after: int, count: int, kind: str | None = None) -> list[Account]:
    """Accounts that are not deleted, or those of a kind, by id, from the one after `after`."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM accounts WHERE id > $1 AND state <> 'deleted' AND ($3::text IS NULL OR kind = $3) "
        "ORDER BY id LIMIT $2",
        after,
        count,
        kind,
    )
    return [Account(**row) for row in rows]


async def alone(connection: Any) -> bool:
    """Whether there never was an account; nobody else makes the first one until the end of the transaction."""
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _FIRST)
    return not await connection.fetchval("SELECT EXISTS (SELECT FROM accounts)")


def _account(row: Any) -> Account | None:
    return Account(**row) if row is not None else None
