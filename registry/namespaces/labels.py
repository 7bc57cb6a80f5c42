"""Names of what the limits of keys hold as ids, for who may see it."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from registry.auth.admission import Caller
from registry.auth.realm import Realm
from registry.core.errors import NotFound
from registry.core.slugs import prefix
from registry.namespaces import sql_labels
from registry.namespaces.access import Right
from registry.namespaces.catalog import Visible, visible
from registry.namespaces.rights import locate, rights, split


@dataclass(frozen=True, slots=True)
class Labels:
    """Names by ids: of those that are there, and that the caller sees."""

    namespaces: dict[int, str]
    repositories: dict[int, str]


async def labels(realm: Realm, caller: Caller, namespaces: Iterable[int], repositories: Iterable[int]) -> Labels:
    """The names that these namespaces and repositories have now."""
    wanted, inner = sorted(set(namespaces)), sorted(set(repositories))
    if not wanted and not inner:
        return Labels({}, {})
    seen = await visible(realm.db, caller)
    async with realm.db.connection() as connection:
        spaces = await sql_labels.namespaces(connection, wanted)
        found = await sql_labels.repositories(connection, inner)
    return Labels(
        {one.id: prefix(one.kind, one.slug) for one in spaces if _sees(seen, one.id, None, one.visibility)},
        {one.id: one.name for one in found if _sees(seen, one.namespace, one.id, one.visibility)},
    )


def _sees(seen: Visible, namespace: int | None, repository: int | None, visibility: str | None) -> bool:
    if namespace in seen.closed:
        return False
    if visibility == "public":
        return True
    has = seen.everything or visibility in seen.visibilities
    has = has or namespace in seen.namespaces or repository in seen.repositories
    if namespace in seen.stale:
        return False
    is_within = (seen.only_namespaces is None or namespace in seen.only_namespaces) and (
        seen.only_repositories is None or repository in seen.only_repositories
    )
    return has and is_within


async def namespace_id(realm: Realm, caller: Caller, name: str) -> int:
    """The namespace of this name, if the caller may see it.

    Raises:
        NotFound: it may not, or there is none: the sentence is the same.
    """
    place = await locate(realm.db, name, caller.actor.account, of_repository=False)
    held = rights(caller.actor, place, caller.address, time.time(), of_repository=False)
    if place.namespace is None or Right.VIEW not in held or split(name)[3]:
        raise _hidden("namespace", name, caller)
    return place.namespace


async def repository_id(realm: Realm, caller: Caller, name: str) -> int:
    """The repository of this name, if the caller may see it.

    Raises:
        NotFound: it may not, or there is none: the sentence is the same.
    """
    place = await locate(realm.db, name, caller.actor.account)
    held = rights(caller.actor, place, caller.address, time.time())
    if place.namespace is None or place.repository is None or Right.VIEW not in held:
        raise _hidden("repository", name, caller)
    return place.repository


def _hidden(kind: str, name: str, caller: Caller) -> NotFound:
    message = f"The {kind} {name} does not exist, or {caller.actor.name} may not see it."
    return NotFound(message, detail={"name": name})
