"""Invitations: an account becomes a member when it accepts, unless what it was asked by has ended meanwhile."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from registry.audit.model import By, Event
from registry.audit.record import record
from registry.auth import people
from registry.auth.realm import Realm, account_slot
from registry.auth.sql_people import Person
from registry.core.errors import Conflict, Denied, NotFound, Unprocessable
from registry.namespaces import members, spaces, sql_invitations, sql_members, sql_spaces
from registry.namespaces.model import ADMINISTRATOR, Namespace, Standing, check_role
from registry.namespaces.sql_invitations import Invitation

PAGE: Final = 100
LIFE: Final = timedelta(days=7)
ABSENT: Final = "There is no such invitation."


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom to invite, and as what."""

    namespace: int
    account: int
    role: str


@dataclass(frozen=True, slots=True)
class Listed:
    """An invitation, the account that is asked, and the one that asked."""

    invitation: Invitation
    person: Person
    inviter: Person


async def invite(realm: Realm, by: By, asked: Asked, standing: Standing) -> int:
    """The id of an invitation, good for seven days; it takes the place of a former one of the same account.

    Raises:
        Conflict: the account is a member already.
        Denied: the role is above the caller's own.
        NameUnknown, NotFound: there is no such namespace, or account.
        Unprocessable: there is no such role there; a robot cannot accept; an operator's command is nobody's account.
    """
    if by.account is None:
        raise Unprocessable("An invitation comes from an account: an operator adds members without one.")
    async with spaces.changing(realm, asked.namespace) as (connection, found):
        check_role(asked.role, highest="admin" if found.kind == "user" else "owner")
        (await members.now(connection, by, found, standing)).check_may_give(asked.role)
        person = await people.hold(connection, asked.account)
        if person.kind != "user":
            raise Unprocessable(f"{person.name} is a robot and cannot accept: give it a role.")
        if await sql_members.role_of(connection, found.id, person.id) is not None:
            raise Conflict(f"{person.name} is a member of {found.name} already: change the role instead.")
        moment = realm.clock()
        new = Invitation(0, found.id, found.generation, person.id, asked.role, by.account, moment, moment + LIFE)
        made = await sql_invitations.put(connection, new)
        await record(connection, by, Event("member.invited", person.name, found.id, {"role": asked.role}))
        return made


async def list_mine(realm: Realm, account: int) -> list[tuple[Invitation, Namespace]]:
    """What an account is asked into."""
    async with realm.db.connection() as connection:
        found = await sql_invitations.of_account(connection, account, realm.clock())
        return [
            (invitation, spaces.there(await sql_spaces.select(connection, invitation.namespace)))
            for invitation in found
        ]


async def list_of(realm: Realm, namespace: int, after: int = 0, limit: int = PAGE) -> list[Listed]:
    """Whom a namespace has asked, by id, from the one after `after`; at most `limit`, and at most 100."""
    async with realm.db.connection() as connection:
        found = await sql_invitations.of_namespace(connection, namespace, after, min(limit, PAGE))
        persons = await people.known(connection, [one for i in found for one in (i.account, i.invited_by)])
    return [Listed(one, persons[one.account], persons[one.invited_by]) for one in found]


async def accept(realm: Realm, by: By, invitation: int) -> None:
    """Become a member.

    Raises:
        Conflict: the invitation is void: its time is over, the namespace has changed hands, the inviter might not
            invite so any more, or the account is a member already.
        NotFound: the account is not asked by it.
    """
    seen = await _mine(realm, by, invitation)
    async with spaces.changing(realm, seen.namespace, account_slot(seen.account)) as (connection, found):
        now = await sql_invitations.select(connection, invitation)
        if now != seen:
            raise _void(found)
        person = await people.hold(connection, now.account)
        await _check_good(connection, realm, found, now)
        await sql_members.put(connection, found.id, now.account, now.role, now.invited_by)
        await sql_invitations.delete(connection, invitation)
        await record(connection, by, Event("member.joined", person.name, found.id, {"role": now.role}))


async def decline(realm: Realm, by: By, invitation: int) -> None:
    """Do not become a member.

    Raises:
        NotFound: the account is not asked by it.
    """
    seen = await _mine(realm, by, invitation)
    async with realm.db.transaction() as connection:
        await sql_invitations.delete(connection, seen.id)
        await record(connection, by, Event("member.declined", by.name, seen.namespace))


async def withdraw(realm: Realm, by: By, namespace: int, invitation: int, standing: Standing) -> None:
    """Ask somebody no more.

    Raises:
        Denied: it is for a role above the caller's own.
        NameUnknown, NotFound: there is no such namespace; it has no such invitation.
    """
    async with spaces.changing(realm, namespace) as (connection, found):
        now = await sql_invitations.select(connection, invitation)
        if now is None or now.namespace != namespace:
            raise _nothing()
        (await members.now(connection, by, found, standing)).check_may_give(now.role)
        persons = await people.known(connection, [now.account])
        await sql_invitations.delete(connection, invitation)
        await record(connection, by, Event("member.uninvited", persons[now.account].name, namespace))


async def _mine(realm: Realm, by: By, invitation: int) -> Invitation:
    async with realm.db.connection() as connection:
        found = await sql_invitations.select(connection, invitation)
    if found is None or found.account != by.account:
        raise _nothing()
    return found


async def _check_good(connection: Any, realm: Realm, namespace: Namespace, invitation: Invitation) -> None:
    """Nothing, when the invitation still stands: whoever asked may still give what was promised."""
    if invitation.expires_at <= realm.clock() or invitation.generation != namespace.generation:
        raise _void(namespace)
    if await sql_members.role_of(connection, namespace.id, invitation.account) is not None:
        raise Conflict(f"You are a member of {namespace.name} already.")
    inviter = (await people.known(connection, [invitation.invited_by]))[invitation.invited_by]
    if inviter.state != "active":
        raise _void(namespace)
    role = await sql_members.highest_role(connection, namespace.id, inviter.id)
    try:
        (ADMINISTRATOR if inviter.is_administrator else Standing(role)).check_may_give(invitation.role)
    except Denied as error:
        raise _void(namespace) from error


def _void(namespace: Namespace) -> Conflict:
    return Conflict(f"The invitation to {namespace.name} is not good any more: ask for a new one.")


def _nothing() -> NotFound:
    return NotFound(ABSENT)
