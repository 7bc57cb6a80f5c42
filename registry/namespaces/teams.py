"""Teams of organisations and plain namespaces: members who are granted something together."""

import re
from typing import Any, Final

from registry.audit.model import By, Event
from registry.audit.record import record
from registry.auth import people
from registry.auth.realm import Realm, account_slot
from registry.auth.sql_people import Person
from registry.core.errors import Conflict, NotFound, Unprocessable
from registry.namespaces import spaces, sql_members, sql_teams
from registry.namespaces.model import Namespace
from registry.namespaces.sql_teams import Team

PAGE: Final = 100
_NAME: Final = re.compile(r"[a-z0-9]+(?:-+[a-z0-9]+)*")
_LENGTH: Final = 50
_TEXT: Final = 500


async def list_teams(realm: Realm, namespace: int, after: str = "", limit: int = PAGE) -> list[Team]:
    """Teams by name, from the one after `after`; at most `limit`, and at most 100."""
    async with realm.db.connection() as connection:
        return await sql_teams.page(connection, namespace, after, min(limit, PAGE))


async def show(realm: Realm, namespace: int, name: str) -> Team:
    """A team.

    Raises:
        NotFound: there is none of this name in the namespace.
    """
    async with realm.db.connection() as connection:
        await find(connection, namespace, name)
        found = await sql_teams.select(connection, namespace, name)
    if found is None:
        raise _absent()
    return found


async def list_members(realm: Realm, namespace: int, name: str) -> list[Person]:
    """Who is in a team, by account.

    Raises:
        NotFound: there is no such team.
    """
    async with realm.db.connection() as connection:
        team = await find(connection, namespace, name)
        found = await sql_teams.accounts(connection, team)
        persons = await people.known(connection, found)
    return [persons[account] for account in found]


async def create(realm: Realm, by: By, namespace: int, name: str, description: str = "") -> None:
    """A new team without anybody in it.

    Raises:
        Conflict: there is one of this name.
        NameUnknown: there is no such namespace.
        Unprocessable: the name or the description cannot be taken, or the namespace is a user's.
    """
    _check(name, description)
    async with spaces.changing(realm, namespace) as (connection, found):
        if found.kind == "user":
            raise Unprocessable(f"{found.name} belongs to one person and has no teams: make an organisation.")
        if await sql_teams.insert(connection, namespace, name, description) is None:
            raise _taken(found, name)
        await record(connection, by, Event("team.created", name, namespace))


async def change(realm: Realm, by: By, namespace: int, name: str, new: tuple[str, str]) -> None:
    """Another name and description, `new`, for a team; its members and what it is granted stay.

    Raises:
        Conflict, NameUnknown, NotFound, Unprocessable: as for `create`; there is no such team.
    """
    _check(*new)
    async with spaces.changing(realm, namespace) as (connection, found):
        team = await find(connection, namespace, name)
        if new[0] != name and await sql_teams.id_of(connection, namespace, new[0]) is not None:
            raise _taken(found, new[0])
        await sql_teams.change(connection, team, *new)
        await record(connection, by, Event("team.changed", name, namespace, {"to": new[0]}))


async def delete(realm: Realm, by: By, namespace: int, name: str) -> None:
    """A team is no more, nor what it was granted.

    Raises:
        Conflict: somebody joined or left it meanwhile.
        NameUnknown, NotFound: there is no such namespace, or team.
    """
    async with realm.db.connection() as connection:
        seen = await sql_teams.accounts(connection, await find(connection, namespace, name))
    slots = (account_slot(account) for account in seen)
    async with spaces.changing(realm, namespace, *slots) as (connection, _):
        team = await find(connection, namespace, name)
        if await sql_teams.accounts(connection, team) != seen:
            raise Conflict(f"The team {name} was changed meanwhile: try again.")
        await sql_teams.delete(connection, team)
        await record(connection, by, Event("team.deleted", name, namespace))


async def add(realm: Realm, by: By, namespace: int, name: str, account: int) -> None:
    """Put a member of the namespace into a team.

    Raises:
        NameUnknown, NotFound: there is no such namespace, or team.
        Unprocessable: the account is no member of the namespace.
    """
    async with spaces.changing(realm, namespace, account_slot(account)) as (connection, found):
        team = await find(connection, namespace, name)
        if await sql_members.role_of(connection, namespace, account) is None:
            raise Unprocessable(f"Only members of {found.name} can be in its teams: invite the account first.")
        person = await people.hold(connection, account)
        if await sql_teams.add(connection, team, account):
            await record(connection, by, Event("team.joined", name, namespace, {"account": person.name}))


async def remove(realm: Realm, by: By, namespace: int, name: str, account: int) -> None:
    """Take an account out of a team.

    Raises:
        NameUnknown, NotFound: there is no such namespace, or team, or the account is not in it.
    """
    async with spaces.changing(realm, namespace, account_slot(account)) as (connection, _):
        team = await find(connection, namespace, name)
        persons = await people.known(connection, [account])
        if not await sql_teams.remove(connection, team, account):
            raise NotFound(f"The account is not in the team {name}.")
        await record(connection, by, Event("team.left", name, namespace, {"account": persons[account].name}))


async def find(connection: Any, namespace: int, name: str) -> int:
    """The id of a team.

    Raises:
        NotFound: there is none of this name in the namespace.
    """
    found = await sql_teams.id_of(connection, namespace, name) if name.isascii() and name.isprintable() else None
    if found is None:
        raise _absent()
    return found


def _absent() -> NotFound:
    return NotFound("There is no such team.")


def _check(name: str, description: str) -> None:
    if len(name) > _LENGTH or _NAME.fullmatch(name) is None:
        raise Unprocessable(f"A team's name is 1 to {_LENGTH} of a-z and 0-9, and inside it '-'.")
    if len(description) > _TEXT or not description.isprintable():
        raise Unprocessable(f"A team's description is one line of at most {_TEXT} characters.")


def _taken(namespace: Namespace, name: str) -> Conflict:
    return Conflict(f"{namespace.name} has a team {name} already: choose another name.")
