"""Which repositories there are."""

import time
from dataclasses import dataclass
from typing import Final

from registry.auth.admission import Caller
from registry.core.errors import NameUnknown
from registry.core.listing import Listing
from registry.infra.db.pool import Database
from registry.namespaces import sql
from registry.namespaces.access import ROLES, SCOPES, Right, may
from registry.namespaces.model import Policies
from registry.namespaces.rights import key_ends

_PUSHING: Final = [str(role) for role in ROLES if may(Right.PUSH, role, "private")]


@dataclass(frozen=True, slots=True)
class Visible:
    """What a caller sees: what is public; as far as its key is for it, what is of a visibility or it has a role in.

    `only_namespaces`, `only_repositories` are the limits of the key; nothing of the namespaces `closed` to it is seen,
    and only what is public of those that it is too old for, which are `stale`. Where nothing is published yet, only
    those see a repository who may push there: `pushes` to everything, or to these.
    """

    everything: bool
    visibilities: list[str]
    namespaces: list[int]
    repositories: list[int]
    only_namespaces: list[int] | None
    only_repositories: list[int] | None
    closed: list[int]
    stale: list[int]
    pushes: "Pushes"


@dataclass(frozen=True, slots=True)
class Pushes:
    """Where a caller may push, as far as its key is for it."""

    everywhere: bool
    namespaces: list[int]
    repositories: list[int]


async def visible(db: Database, caller: Caller) -> Visible:
    """What the caller may pull from, by the table of `access`, its key's limits and the addresses of namespaces."""
    actor, limits = caller.actor, caller.actor.limits
    async with db.connection() as connection:
        restricted = await sql.restricted(connection)
        held = await sql.held(connection, actor.account, _PUSHING)
    policies = {namespace: Policies.parse(text) for namespace, text in restricted}
    closed = [one for one, policy in policies.items() if not policy.admits(caller.address)]
    stale = [one for one, policy in policies.items() if key_ends(actor, policy) <= time.time()]
    can_push = limits.scope is None or Right.PUSH in SCOPES[limits.scope]
    return Visible(
        actor.is_administrator,
        ["internal"] if actor.kind == "user" else [],
        held.namespaces,
        held.repositories,
        _ids(limits.namespaces),
        _ids(limits.repositories),
        [] if actor.is_administrator else closed,
        stale,
        Pushes(actor.is_administrator, held.push_namespaces, held.push_repositories)
        if can_push
        else Pushes(everywhere=False, namespaces=[], repositories=[]),
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
