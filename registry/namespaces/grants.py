"""What teams and accounts may do beyond membership: in one repository, or, teams, in the whole namespace."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

from registry.audit.model import By, Event
from registry.audit.record import record
from registry.auth import people
from registry.auth.realm import Realm, account_slot
from registry.auth.sql_people import Person
from registry.core.errors import Conflict, NameUnknown, NotFound, Unprocessable
from registry.infra.http.counters import slot
from registry.namespaces import members, spaces, sql_grants, sql_teams, teams
from registry.namespaces.model import Namespace, Standing, check_role
from registry.namespaces.sql_grants import Given, Held

PAGE: Final = 100
ABSENT: Final = "There is no such grant."


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a grant is for, a team by name or an account by id, and where: `repository` None is the whole namespace."""

    namespace: int
    repository: int | None = None
    team: str | None = None
    account: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A grant, and whose it is: the name of a team, or an account."""

    role: str
    team: str | None
    person: Person | None


async def list_grants(realm: Realm, namespace: int, repository: int | None) -> list[Found]:
    """What is granted in a repository, or in the whole namespace; what roles of members are is not repeated."""
    async with realm.db.connection() as connection:
        held = await sql_grants.of_repository(connection, namespace, repository)
        persons = await people.known(connection, [one.account for one in held if one.account is not None])
        names = await sql_teams.names(connection, namespace)
    return [
        Found(
            one.role,
            names.get(one.team) if one.team is not None else None,
            persons.get(one.account) if one.account is not None else None,
        )
        for one in held
    ]


async def page(realm: Realm, namespace: int, after: int = 0, limit: int = PAGE) -> list[Given]:
    """All that is granted in a namespace and its repositories, by id; at most `limit`, and at most 100."""
    async with realm.db.connection() as connection:
        return await sql_grants.given(connection, namespace, after, min(limit, PAGE))


async def find(realm: Realm, namespace: int, grant: int) -> Given:
    """A grant.

    Raises:
        NotFound: there is none of this id in the namespace.
    """
    async with realm.db.connection() as connection:
        found = await sql_grants.given_as(connection, namespace, grant)
    if found is None:
        raise NotFound(ABSENT)
    return found


async def target_of(realm: Realm, namespace: int, grant: int) -> Target:
    """Whom a grant is for, and where.

    Raises:
        NotFound: there is none of this id in the namespace.
    """
    async with realm.db.connection() as connection:
        found = await sql_grants.select(connection, namespace, grant)
        if found is None:
            raise NotFound(ABSENT)
        names = await sql_teams.names(connection, namespace)
    return Target(namespace, found.repo, names.get(found.team) if found.team is not None else None, found.account)


async def give(realm: Realm, by: By, target: Target, role: str, standing: Standing) -> int:
    """Grant a role, or another one than before; to an account that is no member, too, in one repository. Its id.

    Raises:
        Conflict: the repository or the team was changed meanwhile.
        Denied: the role is above the caller's own.
        NameUnknown, NotFound: there is no such namespace or repository; no such team or account.
        Unprocessable: there is no such role; a robot of another namespace; an account without a repository.
    """
    check_role(role, highest="admin")
    if target.account is not None and target.repository is None:
        raise Unprocessable("An account has a role in the whole namespace as its member: change that one.")
    async with _changing(realm, target) as (connection, namespace, place):
        (await members.now(connection, by, namespace, standing)).check_may_give(role)
        if target.account is not None:
            person = await people.hold(connection, target.account)
            if person.kind == "robot" and person.namespace != namespace.id:
                raise Unprocessable(f"{person.name} is a robot of another namespace: make one in {namespace.name}.")
        made = await sql_grants.put(connection, namespace.id, replace(place.held, role=role), by.account)
        await record(connection, by, Event("grant.given", place.where, namespace.id, place.detail | {"role": role}))
        return made


async def take(realm: Realm, by: By, target: Target, standing: Standing) -> None:
    """Take a grant away.

    Raises:
        Conflict: the repository or the team was changed meanwhile.
        Denied: the caller has no role to manage by any more.
        NameUnknown, NotFound: there is no such namespace or repository; nothing is granted there.
    """
    async with _changing(realm, target) as (connection, namespace, place):
        (await members.now(connection, by, namespace, standing)).check_may_give("read")
        if not await sql_grants.remove(connection, namespace.id, place.held):
            raise NotFound("Nothing is granted there to this team or account.")
        await record(connection, by, Event("grant.taken", place.where, namespace.id, place.detail))


@dataclass(frozen=True, slots=True)
class _Place:
    """A target as the tables have it: the grant without its role, and whose rights change."""

    held: Held
    where: str
    accounts: tuple[int, ...]
    detail: dict[str, Any]

    @property
    def slots(self) -> tuple[int, ...]:
        """What is announced beside the namespace."""
        own = () if self.held.repo is None else (slot(self.where),)
        return (*own, *(account_slot(account) for account in self.accounts))


@asynccontextmanager
async def _changing(realm: Realm, target: Target) -> AsyncIterator[tuple[Any, Namespace, _Place]]:
    async with realm.db.connection() as connection:
        seen = await _look(connection, target)
    async with spaces.changing(realm, target.namespace, *seen.slots) as (connection, namespace):
        if await _look(connection, target) != seen:
            raise Conflict("The repository or the team was changed meanwhile: try again.")
        yield connection, namespace, seen


async def _look(connection: Any, target: Target) -> _Place:
    """Where a target is now, and whom it concerns."""
    where, repo = "", None
    if target.repository is not None:
        found = await sql_grants.repository(connection, target.namespace, target.repository)
        if found is None:
            raise NameUnknown("There is no such repository.")
        where, repo = found.name, found.id
    if target.team is not None:
        team = await teams.find(connection, target.namespace, target.team)
        accounts = tuple(await sql_teams.accounts(connection, team))
        return _Place(Held(0, repo, team, None, ""), where, accounts, {"team": target.team})
    if target.account is None:
        raise NotFound("A grant is for a team or for an account.")
    persons = await people.known(connection, [target.account])
    if target.account not in persons:
        raise NotFound("There is no such account.")
    detail = {"account": persons[target.account].name}
    return _Place(Held(0, repo, None, target.account, ""), where, (target.account,), detail)
