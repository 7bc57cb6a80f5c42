"""Which repositories there are."""

import time
from dataclasses import dataclass

from registry.auth.admission import Caller
from registry.core.errors import NameUnknown
from registry.core.listing import Listing
from registry.infra.db.pool import Database
from registry.namespaces import sql
from registry.namespaces.model import Policies
from registry.namespaces.rights import key_ends


@dataclass(frozen=True, slots=True)
class Visible:
    """What a caller sees: what is public; as far as its key is for it, what is of a visibility or it has a role in.

    `only_namespaces`, `only_repositories` are the limits of the key; nothing of the namespaces `closed` to it is seen,
    and only what is public of those that it is too old for, which are `stale`.
    """

    everything: bool
    visibilities: list[str]
    namespaces: list[int]
    repositories: list[int]
    only_namespaces: list[int] | None
    only_repositories: list[int] | None
    closed: list[int]
    stale: list[int]


async def visible(db: Database, caller: Caller) -> Visible:
    """What the caller may pull from, by the table of `access`, its key's limits and the addresses of namespaces."""
    actor, limits = caller.actor, caller.actor.limits
    async with db.connection() as connection:
        restricted = await sql.restricted(connection)
        namespaces, repositories = await sql.held(connection, actor.account)
    policies = {namespace: Policies.parse(text) for namespace, text in restricted}
    closed = [one for one, held in policies.items() if not held.admits(caller.address)]
    stale = [one for one, held in policies.items() if key_ends(actor, held) <= time.time()]
    return Visible(
        actor.is_administrator,
        ["internal"] if actor.kind == "user" else [],
        namespaces,
        repositories,
        _ids(limits.namespaces),
        _ids(limits.repositories),
        [] if actor.is_administrator else closed,
        stale,
    )


def _ids(limit: frozenset[int] | None) -> list[int] | None:
    return None if limit is None else sorted(limit)


async def list_names(db: Database, last: str, limit: int, seen: Visible | None) -> Listing:
    """At most `limit` names after `last`, of all or of those that are seen."""
    async with db.connection() as connection:
        return await sql.names_after(connection, last, limit, seen)


async def require(db: Database, name: str) -> None:
    """Nothing, when the repository exists.

    Raises:
        NameUnknown: it does not.
    """
    async with db.connection() as connection:
        if not await sql.exists(connection, name):
            raise NameUnknown(f"The repository {name} does not exist.", detail={"name": name})
