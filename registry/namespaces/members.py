"""Who is in a namespace, in which role."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from registry.audit.model import By, Event
from registry.audit.record import record
from registry.auth import people
from registry.auth.realm import Realm, account_slot
from registry.auth.sql_people import Person
from registry.core.errors import Conflict, Denied, NotFound, Unprocessable
from registry.namespaces import spaces, sql_grants, sql_invitations, sql_members, sql_teams
from registry.namespaces.access import ROLES, Column
from registry.namespaces.model import Namespace, Standing, check_role
from registry.namespaces.sql_members import Member

PAGE: Final = 100


@dataclass(frozen=True, slots=True)
class Listed:
    """A member, and who that is."""

    member: Member
    person: Person


@dataclass(frozen=True, slots=True)
class Change:
    """A role for an account in a namespace; `expires_at`: when the membership ends by itself, never an owner's."""

    namespace: int
    account: int
    role: str
    expires_at: datetime | None = None


async def list_members(realm: Realm, namespace: int, after: int = 0, limit: int = PAGE) -> list[Listed]:
    """Members by account, from the one after `after`; at most `limit`, and at most 100."""
    async with realm.db.connection() as connection:
        found = await sql_members.page(connection, namespace, after, min(limit, PAGE))
        persons = await people.known(connection, [member.account for member in found])
    return [Listed(member, persons[member.account]) for member in found]


async def find(realm: Realm, namespace: int, account: int) -> Member | None:
    """A member; None where the account is none."""
    async with realm.db.connection() as connection:
        return await sql_members.select(connection, namespace, account)


async def set_role(realm: Realm, by: By, change: Change, standing: Standing) -> None:
    """Give a member another role; a robot of the namespace, or whom an administrator adds, may become one by it.

    Raises:
        Conflict: it is the last owner.
        Denied: the caller's own role is lower than the one that it gives or takes.
        NameUnknown, NotFound: there is no such namespace, or account.
        Unprocessable: there is no such role here; an owner's never ends by itself; the account is to be invited.
    """
    slots = (account_slot(change.account),)
    async with spaces.changing(realm, change.namespace, *slots) as (connection, namespace):
        caller = await now(connection, by, namespace, standing)
        was = await sql_members.role_of(connection, namespace.id, change.account)
        person = await people.hold(connection, change.account)
        _check_change(namespace, person, change, realm.clock())
        if was is None and person.kind == "user" and not caller.is_administrator:
            raise Unprocessable(f"{person.name} is no member of {namespace.name}: invite {person.name} first.")
        await _check_taken(connection, namespace, change.account, was, caller, change.role)
        caller.check_may_give(change.role)
        await sql_members.put(connection, namespace.id, change.account, change.role, by.account)
        await sql_members.set_expiry(connection, namespace.id, change.account, change.expires_at)
        detail = {"from": was, "to": change.role}
        await record(connection, by, Event("member.changed", person.name, namespace.id, detail))


def _check_change(namespace: Namespace, person: Person, change: Change, moment: datetime) -> None:
    is_guest = person.namespace != namespace.id and namespace.kind == "user"
    check_role(change.role, highest="admin" if is_guest or person.kind == "robot" else "owner")
    if person.kind == "robot" and person.namespace != namespace.id:
        raise Unprocessable(f"{person.name} is a robot of another namespace: make one in {namespace.name}.")
    if change.expires_at is not None and (change.role == "owner" or change.expires_at <= moment):
        raise Unprocessable("The end of a membership lies ahead, and an owner's has none.")


async def remove(realm: Realm, by: By, namespace: int, account: int, standing: Standing) -> None:
    """Take an account out of a namespace, its teams and what it was granted there; everybody may go by himself.

    Raises:
        Conflict: it is the last owner.
        Denied: its role is above the caller's own.
        NameUnknown, NotFound: there is no such namespace, or member.
    """
    async with spaces.changing(realm, namespace, account_slot(account)) as (connection, found):
        was = await sql_members.role_of(connection, namespace, account)
        if account == by.account:
            await check_stays_owned(connection, found, account, was)
        else:
            caller = await now(connection, by, found, standing)
            await _check_taken(connection, found, account, was, caller, None)
        person = (await people.known(connection, [account])).get(account)
        if person is None or not await drop(connection, namespace, account):
            raise NotFound(f"The account is no member of {found.name}.")
        await record(connection, by, Event("member.removed", person.name, namespace, {"from": was}))


async def leave(realm: Realm, by: By, namespace: int) -> None:
    """Go by oneself; see `remove`."""
    if by.account is None:
        raise NotFound("The operator is a member of no namespace.")
    await remove(realm, by, namespace, by.account, Standing(None))


async def drop(connection: Any, namespace: int, account: int) -> bool:
    """Take an account out of a locked namespace with all that it had there; whether it was a member."""
    was = await sql_members.remove(connection, namespace, account)
    await sql_teams.leave_all(connection, namespace, account)
    await sql_grants.drop_of_account(connection, namespace, account)
    await sql_invitations.drop_of_account(connection, namespace, account)
    return was is not None


async def end_expired(realm: Realm, limit: int = PAGE) -> int:
    """Take out those whose time has run out, with what they had; how many at most `limit` there were."""
    async with realm.db.connection() as connection:
        found = await sql_members.ended(connection, limit)
    for namespace, account in found:
        async with spaces.changing(realm, namespace, account_slot(account)) as (connection, space):
            if await sql_members.has_ended(connection, namespace, account):
                person = (await people.known(connection, [account]))[account]
                await drop(connection, namespace, account)
                event = Event("member.removed", person.name, space.id, {"from": "expired"})
                await record(connection, By(None, "gati-registry"), event)
    return len(found)


async def now(connection: Any, by: By, namespace: Namespace, standing: Standing) -> Standing:
    """How the caller stands under the lock of the namespace: never higher than before."""
    if standing.is_administrator or by.account is None or standing.role is None:
        return standing
    held = await sql_members.highest_role(connection, namespace.id, by.account)
    ranked = [role for role in ROLES if role in {standing.role, held}]
    return Standing(None if held is None else ranked[0].value)


async def check_stays_owned(connection: Any, namespace: Namespace, account: int, was: str | None) -> None:
    """Nothing, when the namespace has an owner without this account.

    Raises:
        Conflict: it has none.
    """
    if was == Column.OWNER and await sql_members.owners(connection, namespace.id) == [account]:
        raise Conflict(f"{namespace.name} would be left without an owner: make another member its owner first.")


async def _check_taken(
    connection: Any, namespace: Namespace, account: int, was: str | None, caller: Standing, role: str | None
) -> None:
    """What an account had, the caller may take away."""
    if was is None:
        if caller.role is None and not caller.is_administrator:
            raise Denied(f"You have no role in {namespace.name} any more.")
        return
    caller.check_may_give(was)
    if role != Column.OWNER:
        await check_stays_owned(connection, namespace, account, was)
