"""The repositories of a namespace, but for what is in them."""

from typing import Final

from registry.audit.model import By, Event
from registry.audit.record import record
from registry.auth.realm import Realm
from registry.core.errors import Conflict, NameUnknown
from registry.infra.http.counters import CATALOG, slot
from registry.namespaces import spaces, sql, sql_grants
from registry.namespaces.catalog import Visible
from registry.namespaces.sql_grants import Repository

PAGE: Final = 100


async def list_repositories(realm: Realm, namespace: int, after: str = "", limit: int = PAGE) -> list[Repository]:
    """Live repositories by name, from the one after `after`; at most `limit`, and at most 100."""
    async with realm.db.connection() as connection:
        return await sql_grants.repositories(connection, namespace, after, min(limit, PAGE))


async def list_seen(realm: Realm, namespace: int, after: str, limit: int, seen: Visible) -> list[Repository]:
    """Live repositories that are seen, by name, from the one after `after`; at most `limit`, and at most 100."""
    async with realm.db.connection() as connection:
        return await sql.of_namespace(connection, namespace, after, min(limit, PAGE), seen)


async def count(realm: Realm, namespace: int) -> int:
    """How many live repositories a namespace has."""
    async with realm.db.connection() as connection:
        return await sql.count(connection, namespace)


async def find(realm: Realm, namespace: int, repository: int) -> Repository:
    """A live repository of a namespace.

    Raises:
        NameUnknown: it has none of this id.
    """
    async with realm.db.connection() as connection:
        found = await sql_grants.repository(connection, namespace, repository)
    if found is None:
        raise NameUnknown("There is no such repository.")
    return found


async def set_visibility(realm: Realm, by: By, namespace: int, repository: int, visibility: str | None) -> None:
    """Who may see a repository; None: who may see its namespace.

    Raises:
        Conflict: the repository was renamed meanwhile.
        NameUnknown, Unprocessable: there is no such repository, or visibility.
    """
    if visibility is not None:
        spaces.check_visibility(visibility)
    seen = await find(realm, namespace, repository)
    async with spaces.changing(realm, namespace, slot(seen.name), CATALOG) as (connection, _):
        now = await sql_grants.repository(connection, namespace, repository)
        if now is None or now.name != seen.name:
            raise Conflict(f"{seen.name} was renamed or deleted meanwhile: look for it again.")
        await sql_grants.set_visibility(connection, repository, visibility)
        detail = {"from": now.visibility, "to": visibility}
        await record(connection, by, Event("repository.visibility", now.name, namespace, detail))
