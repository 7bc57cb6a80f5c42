"""Statements on teams. Each takes a connection."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

_COLUMNS: Final = (
    "id, name, description, (SELECT count(*) FROM team_members m WHERE m.team = t.id) AS members, created_at"
)


@dataclass(frozen=True, slots=True)
class Team:
    """A team of a namespace, with how many are in it."""

    id: int
    name: str
    description: str
    members: int
    created_at: datetime


async def insert(connection: Any, namespace: int, name: str, description: str) -> int | None:
    """A new team; None where the name is taken in the namespace."""
    found = await connection.fetchval(
        "INSERT INTO teams (namespace, name, description) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING id",
        namespace,
        name,
        description,
    )
    return None if found is None else int(found)


async def id_of(connection: Any, namespace: int, name: str) -> int | None:
    """The team of this name."""
    found = await connection.fetchval("SELECT id FROM teams WHERE namespace = $1 AND name = $2", namespace, name)
    return None if found is None else int(found)


async def change(connection: Any, team: int, name: str, description: str) -> None:
    """Another name and description."""
    await connection.execute("UPDATE teams SET name = $2, description = $3 WHERE id = $1", team, name, description)


async def delete(connection: Any, team: int) -> None:
    """A team is no more, nor what it was granted."""
    await connection.execute("DELETE FROM teams WHERE id = $1", team)


async def page(connection: Any, namespace: int, after: str, limit: int) -> list[Team]:
    """Teams of a namespace, by name, from the one after `after`."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM teams t WHERE namespace = $1 AND name > $2 ORDER BY name LIMIT $3",
        namespace,
        after,
        limit,
    )
    return [Team(**row) for row in rows]


async def select(connection: Any, namespace: int, name: str) -> Team | None:
    """The team of this name."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM teams t WHERE namespace = $1 AND name = $2", namespace, name
    )
    return Team(**row) if row is not None else None


async def names(connection: Any, namespace: int) -> dict[int, str]:
    """The names of the teams of a namespace by their ids."""
    rows = await connection.fetch("SELECT id, name FROM teams WHERE namespace = $1", namespace)
    return {row["id"]: row["name"] for row in rows}


async def add(connection: Any, team: int, account: int) -> bool:
    """Whether the account was not in the team before."""
    found = await connection.fetchval(
        "INSERT INTO team_members (team, account) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING true", team, account
    )
    return found is not None


async def remove(connection: Any, team: int, account: int) -> bool:
    """Whether the account was in the team until now."""
    found = await connection.fetchval(
        "DELETE FROM team_members WHERE team = $1 AND account = $2 RETURNING true", team, account
    )
    return found is not None


async def accounts(connection: Any, team: int) -> list[int]:
    """Who is in a team, by id."""
    rows = await connection.fetch("SELECT account FROM team_members WHERE team = $1 ORDER BY account", team)
    return [row["account"] for row in rows]


async def leave_all(connection: Any, namespace: int, account: int) -> None:
    """An account is in no team of the namespace any more."""
    await connection.execute(
        "DELETE FROM team_members m USING teams t WHERE t.id = m.team AND t.namespace = $1 AND m.account = $2",
        namespace,
        account,
    )


async def delete_all(connection: Any, namespace: int) -> None:
    """A namespace has no teams any more."""
    await connection.execute("DELETE FROM teams WHERE namespace = $1", namespace)


async def drop_outsiders(connection: Any, namespace: int) -> None:
    """Only members of a namespace are in its teams."""
    await connection.execute(
        "DELETE FROM team_members x USING teams t WHERE t.id = x.team AND t.namespace = $1 AND NOT EXISTS ("
        "SELECT FROM members m WHERE m.namespace = $1 AND m.account = x.account)",
        namespace,
    )
