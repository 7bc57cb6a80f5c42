"""Namespaces: made, found, described; who may see them, and what holds in them."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from registry.audit.model import By, Event
from registry.audit.record import record
from registry.auth import people
from registry.auth.realm import Realm, namespace_slot
from registry.core.errors import Conflict, NameUnknown, PreconditionFailed, Unavailable, Unprocessable
from registry.core.slugs import check_slug, skeleton
from registry.infra.http.counters import CATALOG, GLOBAL
from registry.namespaces import sql_members, sql_spaces
from registry.namespaces.access import VISIBILITIES
from registry.namespaces.catalog import Visible
from registry.namespaces.model import Namespace, Policies
from registry.namespaces.sql_spaces import Slug

PAGE: Final = 100
_LINE: Final = 100
_TEXT: Final = 4_000
_UNSTORABLE: Final = re.compile(r"[\0\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class NewNamespace:
    """A namespace to be; `may_take_reserved`: an operator makes it, whom reserved names are for."""

    slug: str
    display_name: str = ""
    may_take_reserved: bool = False


async def create_org(realm: Realm, by: By, new: NewNamespace, owner: int) -> Namespace:
    """A new private organisation of this account.

    Raises:
        Conflict: the name is taken or looks like one that is.
        Unprocessable: it is none that may be taken.
    """
    return await _create(realm, by, "org", new, owner)


async def create_plain(realm: Realm, by: By, new: NewNamespace, owner: int) -> Namespace:
    """A new private namespace for ordinary content, of this account; only an administrator makes one.

    Raises:
        Conflict: the name is taken or looks like one that is.
        Unprocessable: it is none that may be taken.
    """
    return await _create(realm, by, "plain", new, owner)


async def _create(realm: Realm, by: By, kind: str, new: NewNamespace, owner: int) -> Namespace:
    check_slug(kind, new.slug, may_take_reserved=new.may_take_reserved)
    _check_texts(new.display_name, "")

    async def make(connection: Any) -> Namespace:
        made = await add(connection, kind, new.slug, new.display_name)
        person = await people.hold(connection, owner)
        if person.kind != "user":
            raise Unprocessable(f"{person.name} is a robot: a namespace belongs to a person.")
        await sql_members.put(connection, made, owner, "owner", by.account)
        await record(connection, by, Event("namespace.created", new.slug, made, {"kind": kind, "owner": person.name}))
        return there(await sql_spaces.select(connection, made))

    return await realm.db.retry(make)


async def add(connection: Any, kind: str, slug: str, display_name: str) -> int:
    """The id of a new namespace without anybody in it, made in the caller's transaction; the slug is a checked one.

    Raises:
        Conflict: the name is taken, was once, or looks like one that is: whose it is, it does not say.
    """
    made = await sql_spaces.insert(connection, kind, slug, display_name)
    if made is None or not await sql_spaces.claim(connection, Slug(skeleton(slug), kind, slug, made, "current")):
        raise taken(slug)
    return made


def taken(slug: str) -> Conflict:
    """The refusal of a name, the same whoever has or had it."""
    return Conflict(f"The name {slug} is taken, or looks like one that is: choose another one.")


async def find(realm: Realm, namespace: int) -> Namespace:
    """A namespace, also one that is being deleted.

    Raises:
        NameUnknown: there is none.
    """
    async with realm.db.connection() as connection:
        return there(await sql_spaces.select(connection, namespace))


async def find_named(realm: Realm, kind: str, slug: str) -> Namespace:
    """The namespace that has, or had, this slug.

    Raises:
        NameUnknown: there is none.
    """
    async with realm.db.connection() as connection:
        return there(await sql_spaces.by_slug(connection, kind, slug) if slug.isascii() else None)


async def list_of(realm: Realm, account: int, after: int = 0, limit: int = PAGE) -> list[tuple[Namespace, str]]:
    """The namespaces that an account is a member of, with its role, by id from the one after `after`."""
    async with realm.db.connection() as connection:
        return await sql_spaces.of_account(connection, account, after, min(limit, PAGE))


async def list_all(realm: Realm, after: int = 0, limit: int = PAGE) -> list[Namespace]:
    """All namespaces, for administrators, by id from the one after `after`."""
    async with realm.db.connection() as connection:
        return await sql_spaces.after(connection, after, min(limit, PAGE))


async def list_seen(
    realm: Realm, account: int | None, seen: Visible, after: int = 0, limit: int = PAGE
) -> list[tuple[Namespace, str | None]]:
    """The namespaces that a caller has a role in, with the highest, or that it administers; by id, at most 100."""
    async with realm.db.connection() as connection:
        return await sql_spaces.seen(connection, account, seen, after, min(limit, PAGE))


async def aliases(realm: Realm, namespace: int) -> list[str]:
    """The former slugs that still lead to a namespace."""
    async with realm.db.connection() as connection:
        return await sql_spaces.aliases(connection, namespace)


@dataclass(frozen=True, slots=True)
class Change:
    """What is to change of a namespace; None stays."""

    display_name: str | None = None
    description: str | None = None
    visibility: str | None = None


async def change(realm: Realm, by: By, namespace: int, new: Change, version: int | None = None) -> None:
    """What people read about a namespace, and who may see it, all at once.

    Raises:
        NameUnknown, PreconditionFailed: there is none; it is not of this version.
        Unprocessable: a text is too long; no such visibility.
    """
    _check_texts(new.display_name or "", new.description or "")
    if new.visibility is not None:
        check_visibility(new.visibility)
    slots = () if new.visibility is None else (CATALOG,)
    async with changing(realm, namespace, *slots, version=version) as (connection, found):
        if new.display_name is not None or new.description is not None:
            display_name = found.display_name if new.display_name is None else new.display_name
            description = found.description if new.description is None else new.description
            await sql_spaces.describe(connection, namespace, display_name, description)
            await record(connection, by, Event("namespace.described", found.slug, namespace))
        if new.visibility is not None:
            await sql_spaces.set_visibility(connection, namespace, new.visibility)
            detail = {"from": found.visibility, "to": new.visibility}
            await record(connection, by, Event("namespace.visibility", found.slug, namespace, detail))


async def describe(realm: Realm, by: By, namespace: int, display_name: str, description: str) -> None:
    """What people read about a namespace; see `change`."""
    await change(realm, by, namespace, Change(display_name, description))


async def set_visibility(realm: Realm, by: By, namespace: int, visibility: str, version: int | None = None) -> None:
    """Who may see a namespace, and what in it has no visibility of its own; see `change`."""
    await change(realm, by, namespace, Change(visibility=visibility), version)


async def set_policies(realm: Realm, by: By, namespace: int, policies: Policies, version: int | None = None) -> None:
    """What holds in a namespace from now on.

    Raises:
        NameUnknown, PreconditionFailed: there is none; it is not of this version any more.
    """
    async with changing(realm, namespace, version=version) as (connection, found):
        await sql_spaces.set_policies(connection, namespace, policies)
        detail = {"from": found.policies.to_json(), "to": policies.to_json()}
        await record(connection, by, Event("namespace.policies", found.slug, namespace, detail))


def check_visibility(visibility: str) -> None:
    """Nothing, when there is such a visibility.

    Raises:
        Unprocessable: there is not.
    """
    if visibility not in VISIBILITIES:
        known = ", ".join(VISIBILITIES)
        raise Unprocessable(f"{visibility[:_LINE]!r} is no visibility: choose one of {known}.")


@asynccontextmanager
async def changing(
    realm: Realm, namespace: int, *slots: int, version: int | None = None
) -> AsyncIterator[tuple[Any, Namespace]]:
    """A transaction that changes a namespace, locked for it, announced in its slot and in `slots`.

    Raises:
        NameUnknown, PreconditionFailed: there is none; it is not of this version any more.
    """
    announced = (GLOBAL,) if GLOBAL in slots else (namespace_slot(namespace), *slots)
    try:
        async with realm.changes.around(announced), realm.db.transaction() as connection:
            found = there(await sql_spaces.lock(connection, namespace))
            _check_version(found, version)
            yield connection, found
    except asyncpg.DeadlockDetectedError as error:
        raise Unavailable("Too many changes of the same accounts at once; try again.") from error


def _check_version(found: Namespace, version: int | None) -> None:
    if version is not None and version != found.version:
        raise PreconditionFailed(
            f"The namespace {found.name} was changed meanwhile: read it again.", detail={"version": found.version}
        )


def there(found: Namespace | None) -> Namespace:
    """The namespace.

    Raises:
        NameUnknown: it is None.
    """
    if found is None:
        raise NameUnknown("There is no such namespace.")
    return found


def _check_texts(display_name: str, description: str) -> None:
    if len(display_name) > _LINE or not display_name.isprintable():
        raise Unprocessable(f"A display name is one line of at most {_LINE} characters.")
    if len(description) > _TEXT or _UNSTORABLE.search(description):
        raise Unprocessable(f"A description is a text of at most {_TEXT} characters.")
