"""Statements on grants, and on the repositories that they are for. Each takes a connection."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

_GIVEN: Final = (
    "SELECT g.id, g.role, r.name AS repository, t.name AS team, a.name AS account, g.added_at FROM grants g "
    "LEFT JOIN repositories r ON r.id = g.repo LEFT JOIN teams t ON t.id = g.team "
    "LEFT JOIN accounts a ON a.id = g.account WHERE g.namespace = $1 AND (g.repo IS NULL OR r.state = 'live')"
)
_REPOSITORY: Final = "id, name, visibility, created_at"


@dataclass(frozen=True, slots=True)
class Held:
    """A role of a team or of an account, in one repository or, for a team, in the whole namespace (`repo` None)."""

    id: int
    repo: int | None
    team: int | None
    account: int | None
    role: str


@dataclass(frozen=True, slots=True)
class Given:
    """A grant as people see it, by names: of a team or of an account, in one repository or, None, in all of them."""

    id: int
    role: str
    repository: str | None
    team: str | None
    account: str | None
    added_at: datetime


@dataclass(frozen=True, slots=True)
class Repository:
    """A live repository; `visibility` None: as its namespace."""

    id: int
    name: str
    visibility: str | None
    created_at: datetime


async def put(connection: Any, namespace: int, held: Held, added_by: int | None) -> int:
    """A grant, or another role in one; its id is given here."""
    return int(
        await connection.fetchval(
            "INSERT INTO grants (namespace, repo, team, account, role, added_by) VALUES ($1, $2, $3, $4, $5, $6) "
            "ON CONFLICT (namespace, repo, team, account) DO UPDATE SET role = excluded.role RETURNING id",
            namespace,
            held.repo,
            held.team,
            held.account,
            held.role,
            added_by,
        )
    )


async def remove(connection: Any, namespace: int, held: Held) -> bool:
    """Whether this team or account had a role there until now."""
    found = await connection.fetchval(
        "DELETE FROM grants WHERE namespace = $1 AND repo IS NOT DISTINCT FROM $2 AND team IS NOT DISTINCT FROM $3 "
        "AND account IS NOT DISTINCT FROM $4 RETURNING true",
        namespace,
        held.repo,
        held.team,
        held.account,
    )
    return found is not None


async def of_repository(connection: Any, namespace: int, repo: int | None) -> list[Held]:
    """What is granted in a repository, or in the whole namespace."""
    rows = await connection.fetch(
        "SELECT id, repo, team, account, role FROM grants WHERE namespace = $1 AND repo IS NOT DISTINCT FROM $2 "
        "ORDER BY id",
        namespace,
        repo,
    )
    return [Held(**row) for row in rows]


async def given(connection: Any, namespace: int, after: int, limit: int) -> list[Given]:
    """Grants of a namespace, by id, from the one after `after`."""
    rows = await connection.fetch(f"{_GIVEN} AND g.id > $2 ORDER BY g.id LIMIT $3", namespace, after, limit)
    return [Given(**row) for row in rows]


async def given_as(connection: Any, namespace: int, grant: int) -> Given | None:
    """The grant of this id."""
    row = await connection.fetchrow(f"{_GIVEN} AND g.id = $2", namespace, grant)
    return Given(**row) if row is not None else None


async def select(connection: Any, namespace: int, grant: int) -> Held | None:
    """The grant of this id."""
    row = await connection.fetchrow(
        "SELECT id, repo, team, account, role FROM grants WHERE namespace = $1 AND id = $2", namespace, grant
    )
    return Held(**row) if row is not None else None


async def drop_of_account(connection: Any, namespace: int, account: int) -> None:
    """An account is granted nothing by itself in this namespace."""
    await connection.execute("DELETE FROM grants WHERE namespace = $1 AND account = $2", namespace, account)


async def drop_outsiders(connection: Any, namespace: int) -> None:
    """Only members, and the robots of the namespace, are granted something by themselves."""
    await connection.execute(
        "DELETE FROM grants g WHERE namespace = $1 AND account IS NOT NULL AND NOT EXISTS ("
        "SELECT FROM members m WHERE m.namespace = $1 AND m.account = g.account)",
        namespace,
    )


async def delete_all(connection: Any, namespace: int) -> None:
    """Nothing is granted in a namespace any more."""
    await connection.execute("DELETE FROM grants WHERE namespace = $1", namespace)


async def repository(connection: Any, namespace: int, repo: int) -> Repository | None:
    """A live repository of a namespace, locked against deletion."""
    row = await connection.fetchrow(
        f"SELECT {_REPOSITORY} FROM repositories WHERE id = $1 AND namespace = $2 AND state = 'live' FOR KEY SHARE",
        repo,
        namespace,
    )
    return Repository(**row) if row is not None else None


async def repositories(connection: Any, namespace: int, after: str, limit: int) -> list[Repository]:
    """Live repositories of a namespace, by name, from the one after `after`."""
    rows = await connection.fetch(
        f"SELECT {_REPOSITORY} FROM repositories WHERE namespace = $1 AND state = 'live' AND name > $2 "
        "ORDER BY name LIMIT $3",
        namespace,
        after,
        limit,
    )
    return [Repository(**row) for row in rows]


async def set_visibility(connection: Any, repo: int, visibility: str | None) -> None:
    """Who may see a repository; None: who may see its namespace."""
    await connection.execute("UPDATE repositories SET visibility = $2 WHERE id = $1", repo, visibility)
