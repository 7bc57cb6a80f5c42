"""Other names for namespaces and repositories: the old ones go on leading to them, and to nothing else ever."""

from typing import Any

from registry.audit.model import By, Event
from registry.audit.record import record
from registry.auth import people
from registry.auth.realm import Realm
from registry.core import slugs
from registry.core.errors import Conflict, NameUnknown, Unprocessable
from registry.core.names import NAME_LENGTH, check_name
from registry.infra.http.counters import GLOBAL
from registry.namespaces import spaces, sql_grants, sql_names, sql_spaces
from registry.namespaces.model import Namespace
from registry.namespaces.spaces import NewNamespace
from registry.namespaces.sql_names import Prefixes
from registry.namespaces.sql_spaces import Slug


async def rename(realm: Realm, by: By, namespace: int, new: NewNamespace) -> None:
    """Another slug for a namespace, its repositories and its robots, and for the account whose own namespace it is.

    A name that it had before may be taken again. The display name stays.

    Raises:
        Conflict: the name is taken or looks like one that is; or somebody renamed the namespace meanwhile.
        NameUnknown: there is no such namespace.
        Unprocessable: the name cannot be taken; with it, names of repositories would be too long.
    """
    kind = (await spaces.find(realm, namespace)).kind
    slugs.check_slug(kind, new.slug, may_take_reserved=new.may_take_reserved)
    async with spaces.changing(realm, namespace, GLOBAL) as (connection, found):
        if found.slug == new.slug:
            return
        await sql_spaces.hold_names(connection, namespace)
        await _claim(connection, found, new.slug)
        await sql_spaces.rename(connection, namespace, new.slug)
        await people.rename(connection, namespace, found.slug, new.slug)
        await _rename_repositories(connection, found, new.slug)
        detail = {"from": found.slug, "to": new.slug}
        await record(connection, by, Event("namespace.renamed", found.slug, namespace, detail))


async def _claim(connection: Any, found: Namespace, slug: str) -> None:
    """Make the slug the current one of the namespace, and the former one an alias."""
    look = slugs.skeleton(slug)
    rows = await sql_spaces.lock_slugs(connection, look, found.kind, slug)
    if any(row.namespace != found.id or row.standing == "tombstone" for row in rows):
        raise spaces.taken(slug)
    await sql_spaces.stand(connection, found.id, "alias", found.slug)
    if any((row.kind, row.slug) == (found.kind, slug) for row in rows):
        await sql_spaces.stand(connection, found.id, "current", slug)
        return
    # Another spelling of a name that the namespace has: the look is taken, by itself, and stays so.
    own = look if not rows else f"={found.kind}/{slug}"
    if not await sql_spaces.claim(connection, Slug(own, found.kind, slug, found.id, "current")):
        raise spaces.taken(slug)


async def _rename_repositories(connection: Any, found: Namespace, slug: str) -> None:
    old, new = found.name, slugs.prefix(found.kind, slug)
    if await sql_names.longest(connection, found.id) - len(old) + len(new) > NAME_LENGTH:
        raise Unprocessable(
            f"Names of repositories would have more than {NAME_LENGTH} characters: choose a shorter name."
        )
    await sql_names.rename_all(connection, Prefixes(found.id, old, new))


async def rename_repository(realm: Realm, by: By, namespace: int, repository: int, name: str) -> None:
    """Another name for a repository, inside its namespace; pushes to the old name land in it.

    Raises:
        Conflict: a repository has or had the name.
        NameInvalid: the name is outside the grammar.
        NameUnknown: there is no such namespace, or repository in it.
        Unprocessable: the name belongs to another namespace.
    """
    check_name(name)
    async with spaces.changing(realm, namespace, GLOBAL) as (connection, found):
        if not name.startswith(f"{found.name}/"):
            raise Unprocessable(f"A repository stays in its namespace: begin its name with {found.name}/.")
        await sql_spaces.hold_names(connection, namespace)
        now = await sql_grants.repository(connection, namespace, repository)
        if now is None:
            raise NameUnknown("There is no such repository.")
        if now.name == name:
            return
        if await sql_names.is_taken(connection, name, repository):
            raise Conflict(f"A repository has, or had, the name {name}: choose another one.")
        await sql_names.rename_one(connection, repository, now.name, name)
        await record(connection, by, Event("repository.renamed", now.name, namespace, {"to": name}))
