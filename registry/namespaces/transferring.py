"""A namespace gets another owner, and nothing that the former one gave away stays by accident."""

from dataclasses import dataclass, field
from typing import Any

from registry.audit.model import By, Event
from registry.audit.record import record
from registry.auth import people
from registry.auth.realm import Realm
from registry.auth.sql_people import Person
from registry.core.errors import Unprocessable
from registry.infra.http.counters import GLOBAL
from registry.namespaces import members, spaces, sql_grants, sql_invitations, sql_members, sql_spaces, sql_teams
from registry.namespaces.model import Namespace, check_role


@dataclass(frozen=True, slots=True)
class Transfer:
    """To whom a namespace goes.

    Attributes:
        account: the new owner.
        former_owners: the role that the owners until now keep; None: they go.
        keep_members: whether the other members stay, in their roles and teams.
    """

    namespace: int
    account: int
    former_owners: str | None = None
    keep_members: bool = False


@dataclass(frozen=True, slots=True)
class Transferred:
    """Who went, and the robots that stay with their keys: to be looked through by the new owner."""

    removed: list[Person] = field(default_factory=list)
    robots: list[Person] = field(default_factory=list)


async def transfer(realm: Realm, by: By, asked: Transfer) -> Transferred:
    """Make an account the only owner. Tokens and invitations made before are void; who is no member has no grants.

    Raises:
        NameUnknown, NotFound: there is no such namespace, or account.
        Unprocessable: it is a user's own; the new owner is a robot; there is no such role below owner.
    """
    if asked.former_owners is not None:
        check_role(asked.former_owners, highest="admin")
    async with spaces.changing(realm, asked.namespace, GLOBAL) as (connection, found):
        if found.kind == "user":
            raise Unprocessable(f"{found.name} is an account's own: it goes with the account alone.")
        person = await people.hold(connection, asked.account)
        if person.kind != "user" or person.state != "active":
            raise Unprocessable(f"{person.name} cannot own a namespace: choose the account of a person who is active.")
        removed = await _pass(connection, by, found, asked)
        await sql_invitations.delete_all(connection, found.id)
        await sql_teams.drop_outsiders(connection, found.id)
        await sql_grants.drop_outsiders(connection, found.id)
        await sql_spaces.change_hands(connection, found.id, "live")
        robots = await people.robots(connection, found.id)
        known = await people.known(connection, removed)
        detail = {"to": person.name, "removed": [one.name for one in known.values()]}
        await record(connection, by, Event("namespace.transferred", found.slug, found.id, detail))
        return Transferred(list(known.values()), robots)


async def _pass(connection: Any, by: By, found: Namespace, asked: Transfer) -> list[int]:
    """Set the roles of all members anew; the accounts that are none any more."""
    owners = set(await sql_members.owners(connection, found.id))
    robots = {robot.id for robot in await people.robots(connection, found.id)}
    removed = []
    for account in await sql_members.accounts(connection, found.id):
        if account == asked.account or account in robots:
            continue
        if account in owners and asked.former_owners is not None:
            await sql_members.put(connection, found.id, account, asked.former_owners, by.account)
        elif account in owners or not asked.keep_members:
            await members.drop(connection, found.id, account)
            removed.append(account)
    await sql_members.put(connection, found.id, asked.account, "owner", by.account)
    return removed
