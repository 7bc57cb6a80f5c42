"""Statements on members. Each takes a connection."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

_LIVE: Final = "(m.expires_at IS NULL OR m.expires_at > clock_timestamp())"
_RANKED: Final = "ARRAY['read', 'write', 'admin', 'owner']"


@dataclass(frozen=True, slots=True)
class Member:
    """An account in a namespace; `expires_at` is when that ends by itself."""

    account: int
    role: str
    added_by: int | None
    added_at: datetime
    expires_at: datetime | None


async def put(connection: Any, namespace: int, account: int, role: str, added_by: int | None) -> None:
    """A member without an end, or another role for one."""
    await connection.execute(
        "INSERT INTO members AS m (namespace, account, role, added_by) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (namespace, account) DO UPDATE SET role = excluded.role, expires_at = NULL",
        namespace,
        account,
        role,
        added_by,
    )


async def set_expiry(connection: Any, namespace: int, account: int, expires_at: datetime | None) -> None:
    """When a membership ends by itself."""
    await connection.execute(
        "UPDATE members SET expires_at = $3 WHERE namespace = $1 AND account = $2", namespace, account, expires_at
    )


async def role_of(connection: Any, namespace: int, account: int) -> str | None:
    """The role of a member whose time has not run out."""
    found = await connection.fetchval(
        f"SELECT role FROM members m WHERE namespace = $1 AND account = $2 AND {_LIVE}", namespace, account
    )
    return None if found is None else str(found)


async def highest_role(connection: Any, namespace: int, account: int) -> str | None:
    """The highest role in the whole namespace that an account has as a member or by its teams."""
    found = await connection.fetchval(
        f"SELECT ({_RANKED})[max(array_position({_RANKED}, role))] FROM ("
        f"SELECT role FROM members m WHERE namespace = $1 AND account = $2 AND {_LIVE} UNION ALL "
        "SELECT g.role FROM grants g JOIN team_members t ON t.team = g.team "
        "JOIN members m ON m.namespace = g.namespace AND m.account = t.account "
        f"WHERE g.namespace = $1 AND g.repo IS NULL AND t.account = $2 AND {_LIVE}) AS held",
        namespace,
        account,
    )
    return None if found is None else str(found)


async def owners(connection: Any, namespace: int) -> list[int]:
    """The owners of a namespace, by id."""
    rows = await connection.fetch(
        "SELECT account FROM members WHERE namespace = $1 AND role = 'owner' ORDER BY account", namespace
    )
    return [row["account"] for row in rows]


async def page(connection: Any, namespace: int, after: int, limit: int) -> list[Member]:
    """Members whose time has not run out, by account, from the one after `after`."""
    rows = await connection.fetch(
        "SELECT account, role, added_by, added_at, expires_at FROM members m "
        f"WHERE namespace = $1 AND account > $2 AND {_LIVE} ORDER BY account LIMIT $3",
        namespace,
        after,
        limit,
    )
    return [Member(**row) for row in rows]


async def select(connection: Any, namespace: int, account: int) -> Member | None:
    """A member whose time has not run out."""
    row = await connection.fetchrow(
        "SELECT account, role, added_by, added_at, expires_at FROM members m "
        f"WHERE namespace = $1 AND account = $2 AND {_LIVE}",
        namespace,
        account,
    )
    return Member(**row) if row is not None else None


async def remove(connection: Any, namespace: int, account: int) -> str | None:
    """The role that an account had as a member until now, be its time over or not."""
    found = await connection.fetchval(
        "DELETE FROM members WHERE namespace = $1 AND account = $2 RETURNING role", namespace, account
    )
    return None if found is None else str(found)


async def accounts(connection: Any, namespace: int) -> list[int]:
    """All members, by id."""
    rows = await connection.fetch("SELECT account FROM members WHERE namespace = $1 ORDER BY account", namespace)
    return [row["account"] for row in rows]


async def ended(connection: Any, limit: int) -> list[tuple[int, int]]:
    """Memberships whose time has run out: namespace and account."""
    rows = await connection.fetch(
        "SELECT namespace, account FROM members WHERE expires_at <= clock_timestamp() "
        "ORDER BY namespace, account LIMIT $1",
        limit,
    )
    return [(row["namespace"], row["account"]) for row in rows]


async def has_ended(connection: Any, namespace: int, account: int) -> bool:
    """Whether the time of this membership has run out."""
    return bool(
        await connection.fetchval(
            "SELECT expires_at <= clock_timestamp() FROM members WHERE namespace = $1 AND account = $2",
            namespace,
            account,
        )
    )


async def namespaces_of(connection: Any, account: int) -> list[int]:
    """Where an account is a member or is granted something, by id."""
    rows = await connection.fetch(
        "SELECT namespace FROM members WHERE account = $1 UNION SELECT namespace FROM grants WHERE account = $1 "
        "UNION SELECT namespace FROM invitations WHERE account = $1 ORDER BY 1",
        account,
    )
    return [row["namespace"] for row in rows]
