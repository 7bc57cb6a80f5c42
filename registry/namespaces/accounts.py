"""People and robots with the namespaces that they come with."""

from dataclasses import dataclass, replace
from typing import Any

from registry.audit.model import By, Event
from registry.audit.record import record
from registry.auth import accounts, people
from registry.auth.accounts import NewUser
from registry.auth.passwords import check_new
from registry.auth.realm import Realm, account_slot
from registry.auth.sql_people import Person
from registry.core.errors import Conflict, NotFound
from registry.core.slugs import check_robot, check_slug
from registry.infra.http.counters import CATALOG, GLOBAL
from registry.namespaces import members, opening, spaces, sql_members
from registry.namespaces.model import Standing, check_role


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount:
    """A person to be.

    Attributes:
        may_take_reserved: an operator makes the account, whom reserved names are for.
        must_be_first: it is made only while there never was an account.
    """

    name: str
    email: str | None = None
    password: str | None = None
    is_administrator: bool = False
    must_change_password: bool = False
    may_take_reserved: bool = False
    must_be_first: bool = False


async def create_user(realm: Realm, by: By, new: NewAccount) -> int:
    """The id of a new account with a namespace of its name. The first is an administrator and ends an open registry.

    Raises:
        Conflict: the name is taken or looks like one that is; it was to be the first, and is not.
        TooManyRequests: too many passwords are being hashed.
        Unprocessable: the name, the address or the password is none that may be taken.
    """
    check_slug("user", new.name, may_take_reserved=new.may_take_reserved)
    hashed = None
    if new.password is not None:
        check_new(new.password, new.name)
        hashed = await realm.passwords.hash(new.password)
    async with realm.db.connection() as connection:
        may_be_first = not await opening.has_ended(connection)

    user = NewUser(
        name=new.name,
        email=new.email,
        password_hash=hashed,
        is_administrator=new.is_administrator,
        must_change_password=new.must_change_password,
    )

    async def make(connection: Any) -> int:
        if new.must_be_first and (await opening.has_ended(connection) or not await opening.hold(connection)):
            raise Conflict("Somebody else has just made the first account: log in, or ask for one.")
        return await make_user(connection, realm, by, user)

    async with realm.changes.around((GLOBAL, CATALOG) if may_be_first else ()):
        return await realm.db.retry(make)


async def make_user(connection: Any, realm: Realm, by: By, user: NewUser) -> int:
    """As `create_user`, in the caller's transaction, with a name that is checked; that of the first is in slot GLOBAL.

    Raises:
        Conflict, Unprocessable: the name is taken or looks like one that is; the address is none.
    """
    is_first = not await opening.has_ended(connection) and await opening.hold(connection)
    namespace = await spaces.add(connection, "user", user.name, "")
    whole = replace(user, namespace=namespace, is_administrator=is_first or user.is_administrator)
    made = await accounts.add_user(connection, realm, by, whole)
    await sql_members.put(connection, namespace, made, "owner", made)
    await record(connection, by, Event("namespace.created", user.name, namespace, {"kind": "user", "owner": user.name}))
    if is_first:
        adopted = await opening.end(connection, made)
        await record(connection, by, Event("registry.closed", user.name, detail={"namespaces": adopted}))
    return made


@dataclass(frozen=True, slots=True)
class NewRobot:
    """A robot to be, in a namespace; `role`: as whose member, None: it gets its rights by grants."""

    namespace: int
    name: str
    role: str | None = None


async def create_robot(realm: Realm, by: By, new: NewRobot, standing: Standing) -> Person:
    """A new robot, named `<slug>+<name>`; keys are made for it afterwards.

    Raises:
        Conflict: there is one of this name.
        Denied: the role is above the caller's own.
        NameUnknown: there is no such namespace.
        Unprocessable: the name, or the role, is none of a robot.
    """
    check_robot(new.name)
    if new.role is not None:
        check_role(new.role, highest="admin")
    async with spaces.changing(realm, new.namespace) as (connection, found):
        (await members.now(connection, by, found, standing)).check_may_give(new.role or "read")
        made = await accounts.add_robot(connection, realm, by, f"{found.slug}+{new.name}", found.id)
        if new.role is not None:
            await sql_members.put(connection, found.id, made, new.role, by.account)
        return (await people.known(connection, [made]))[made]


async def list_robots(realm: Realm, namespace: int) -> list[Person]:
    """The robots of a namespace, by name."""
    async with realm.db.connection() as connection:
        return await people.robots(connection, namespace)


async def find_robot(realm: Realm, namespace: int, name: str) -> Person:
    """A robot of a namespace by its whole name.

    Raises:
        NotFound: it has none of this name.
    """
    for robot in await list_robots(realm, namespace):
        if robot.name == name:
            return robot
    raise NotFound("The namespace has no such robot.")


async def delete_robot(realm: Realm, by: By, namespace: int, robot: int, standing: Standing) -> None:
    """A robot is no more, nor its keys.

    Raises:
        Denied: the caller has no role to manage by any more.
        NameUnknown, NotFound: there is no such namespace; it has no such robot.
    """
    async with spaces.changing(realm, namespace, account_slot(robot)) as (connection, found):
        (await members.now(connection, by, found, standing)).check_may_give("read")
        person = (await people.known(connection, [robot])).get(robot)
        if person is None or (person.kind, person.namespace) != ("robot", namespace):
            raise NotFound(f"{found.name} has no such robot.")
        await members.drop(connection, namespace, robot)
        await accounts.remove(connection, realm, by, robot)
