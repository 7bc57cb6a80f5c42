"""Statements on accounts for those who hold names and roles. Each takes a connection."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

_COLUMNS: Final = "id, kind, name, display_name, state, namespace, is_administrator, created_at"


@dataclass(frozen=True, slots=True)
class Person:
    """An account as others see it: kind `user` or `robot`, state `active`, `suspended` or `deleted`."""

    id: int
    kind: str
    name: str
    display_name: str
    state: str
    namespace: int
    is_administrator: bool
    created_at: datetime


async def select(connection: Any, accounts: Sequence[int]) -> list[Person]:
    """These accounts, deleted ones too."""
    rows = await connection.fetch(f"SELECT {_COLUMNS} FROM accounts WHERE id = ANY ($1::bigint[])", list(accounts))
    return [Person(**row) for row in rows]


async def named(connection: Any, name: str) -> Person | None:
    """The account of this name that is not deleted."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM accounts WHERE name = $1 AND state <> 'deleted'", name)
    return Person(**row) if row is not None else None


async def lock(connection: Any, account: int) -> Person | None:
    """An account that is not deleted, and is not deleted before this transaction ends."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM accounts WHERE id = $1 AND state <> 'deleted' FOR SHARE", account
    )
    return Person(**row) if row is not None else None


async def of_namespace(connection: Any, namespace: int, kind: str) -> list[Person]:
    """The accounts of this kind that belong to a namespace, by name."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM accounts WHERE namespace = $1 AND kind = $2 AND state <> 'deleted' ORDER BY name",
        namespace,
        kind,
    )
    return [Person(**row) for row in rows]


async def rename(connection: Any, namespace: int, old: str, new: str) -> None:
    """The user and the robots of a namespace get its new slug."""
    await connection.execute(
        "UPDATE accounts SET name = $3 || substr(name, length($2) + 1) "
        "WHERE namespace = $1 AND state <> 'deleted' AND (name = $2 OR starts_with(name, $2 || '+'))",
        namespace,
        old,
        new,
    )
