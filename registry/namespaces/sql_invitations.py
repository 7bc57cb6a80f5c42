"""Statements on invitations. Each takes a connection."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

_COLUMNS: Final = "id, namespace, generation, account, role, invited_by, created_at, expires_at"


@dataclass(frozen=True, slots=True)
class Invitation:
    """An account is asked into a namespace as it was in this generation."""

    id: int
    namespace: int
    generation: int
    account: int
    role: str
    invited_by: int
    created_at: datetime
    expires_at: datetime


async def put(connection: Any, invitation: Invitation) -> int:
    """A new invitation instead of a former one; its id is given here."""
    return int(
        await connection.fetchval(
            "INSERT INTO invitations (namespace, generation, account, role, invited_by, created_at, expires_at) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (namespace, account) DO UPDATE SET "
            "generation = excluded.generation, role = excluded.role, invited_by = excluded.invited_by, "
            "created_at = excluded.created_at, expires_at = excluded.expires_at RETURNING id",
            invitation.namespace,
            invitation.generation,
            invitation.account,
            invitation.role,
            invitation.invited_by,
            invitation.created_at,
            invitation.expires_at,
        )
    )


async def select(connection: Any, invitation: int) -> Invitation | None:
    """An invitation, void or not."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM invitations WHERE id = $1", invitation)
    return Invitation(**row) if row is not None else None


async def of_account(connection: Any, account: int, now: datetime) -> list[Invitation]:
    """What an account is asked into; those that are void by their time or by the namespace's are left out."""
    rows = await connection.fetch(
        f"SELECT {', '.join(f'i.{name}' for name in _COLUMNS.split(', '))} FROM invitations i "
        "JOIN namespaces n ON n.id = i.namespace WHERE i.account = $1 AND i.expires_at > $2 "
        "AND n.state = 'live' AND n.generation = i.generation ORDER BY i.id",
        account,
        now,
    )
    return [Invitation(**row) for row in rows]


async def of_namespace(connection: Any, namespace: int, after: int, limit: int) -> list[Invitation]:
    """Who is asked into a namespace, by id, from the one after `after`."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM invitations WHERE namespace = $1 AND id > $2 ORDER BY id LIMIT $3",
        namespace,
        after,
        limit,
    )
    return [Invitation(**row) for row in rows]


async def delete(connection: Any, invitation: int) -> None:
    """An invitation is no more."""
    await connection.execute("DELETE FROM invitations WHERE id = $1", invitation)


async def drop_of_account(connection: Any, namespace: int, account: int) -> None:
    """An account is not asked into the namespace any more, and whom it asked is not either."""
    await connection.execute(
        "DELETE FROM invitations WHERE namespace = $1 AND (account = $2 OR invited_by = $2)", namespace, account
    )


async def delete_all(connection: Any, namespace: int) -> None:
    """Nobody is asked into a namespace any more."""
    await connection.execute("DELETE FROM invitations WHERE namespace = $1", namespace)
