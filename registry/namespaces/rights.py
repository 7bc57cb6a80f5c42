"""What an account may do in a place, now: the table of `access` applied to what the database says."""

import math
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from registry.auth import people
from registry.auth.model import Actor
from registry.core import slugs
from registry.core.slugs import PATHS, prefix
from registry.infra.db.pool import Database
from registry.namespaces import sql_rights
from registry.namespaces.access import SCOPES, Column, Right, may
from registry.namespaces.model import NO_POLICIES, Policies

_ALL: Final = frozenset(Right)
_DAY: Final = 86_400
_OPEN_TO_ALL: Final = frozenset({Right.PULL, Right.VIEW})


@dataclass(frozen=True, slots=True)
class Place:
    """What the name of a repository means to an account.

    Attributes:
        name: the name that it has now; another was asked for when that is an alias.
        namespace, repository: ids; None where there is none.
        visibility: that of the repository, else of the namespace.
        role: the account's highest in the repository or its namespace.
        until: when that role may end, in seconds of the wall clock.
    """

    name: str
    namespace: int | None
    generation: int
    repository: int | None
    visibility: str
    role: str | None
    policies: Policies
    until: float = math.inf


def split(name: str) -> tuple[str, str, str, str]:
    """The kind of the namespace that a name begins with, what stands before its slug, the slug, and what follows."""
    kind, slug = slugs.split(name)
    home = prefix(kind, slug)
    return kind, home[: len(home) - len(slug)], slug, name[len(home) :]


def nowhere(name: str) -> Place:
    """A name in no namespace."""
    return Place(name, None, 0, None, "private", None, NO_POLICIES)


async def locate(db: Database, name: str, account: int | None, *, of_repository: bool = True) -> Place:
    """The place that a name leads to now, through aliases: a repository, else, or unless that is asked, its namespace.

    What is granted in a repository is nothing in its namespace, be it of the same name.
    """
    async with db.connection() as connection:
        row = await sql_rights.find(connection, split(name), account, of_repository=of_repository)
    if row is None:
        return nowhere(name)
    return Place(
        row.name,
        row.namespace,
        row.generation,
        row.repository,
        row.visibility or row.namespace_visibility,
        row.role,
        Policies.parse(row.policies),
        row.role_until.timestamp() if row.role_until is not None else math.inf,
    )


async def named(db: Database, slug: str) -> str:
    """What the repositories of the namespace with this slug, of any kind, begin with; the slug where none has it."""
    async with db.connection() as connection:
        kind = await sql_rights.kind_of(connection, slug)
    return slug if kind is None else prefix(kind, slug)


async def named_openly(db: Database, text: str, name: str) -> str:
    """What the repositories of a namespace begin with in a registry without accounts, where those there are decide."""
    kind, tilde, slug = text.partition("~")
    if tilde and kind in PATHS.values():
        return f"{kind}/{slug}"
    async with db.connection() as connection:
        return await sql_rights.open_home(connection, [*(f"{path}/{text}" for path in PATHS.values()), text], name)


def key_ends(actor: Actor, policies: Policies) -> float:
    """When the caller's key becomes too old for a namespace, in seconds of the wall clock."""
    days = policies.key_days
    return math.inf if days is None or actor.key_made_at is None else actor.key_made_at + days * _DAY


def rights(actor: Actor, place: Place, address: str, now: float, *, of_repository: bool = True) -> frozenset[Right]:
    """What the caller may do in the place from this address, whatever its token says.

    A repository that is not there is private to those without a role in its namespace: they cannot tell it from one
    that is. A key within its limits; what everybody may read is within all limits.
    """
    if place.namespace is None:
        return frozenset()
    column = _column(actor, place.role)
    if column is not Column.ADMINISTRATOR and not place.policies.admits(address):
        return frozenset()
    hidden = of_repository and place.repository is None
    visibility = "private" if hidden else place.visibility
    held = {right for right in _ALL if may(right, column, visibility, place.policies.delete)}
    return frozenset(held & _within_limits(actor, place, visibility, is_fresh=now < key_ends(actor, place.policies)))


async def account_may_pull(db: Database, account: int, name: str) -> bool:
    """Whether an account that is active may pull from a repository: for what it left to be done without it.

    From which addresses does not count, as there is none.
    """
    async with db.connection() as connection:
        person = (await people.known(connection, [account])).get(account)
    if person is None or person.state != "active":
        return False
    actor = Actor("", account, person.name, person.kind, is_administrator=person.is_administrator)
    place = await locate(db, name, account)
    return place.repository is not None and may(Right.PULL, _column(actor, place.role), place.visibility)


def administers(actor: Actor) -> bool:
    """Whether the caller's account may administer the registry, whatever its key may."""
    return may(Right.ADMINISTER, _column(actor, None), "private")


def _column(actor: Actor, role: str | None) -> Column:
    if actor.is_administrator:
        return Column.ADMINISTRATOR
    if role is not None:
        return Column(role)
    return {"user": Column.STRANGER, "robot": Column.ROBOT}.get(actor.kind, Column.ANONYMOUS)


def _within_limits(actor: Actor, place: Place, visibility: str, *, is_fresh: bool) -> frozenset[Right]:
    limits = actor.limits
    scope = SCOPES[limits.scope] if limits.scope is not None else _ALL
    outside = (limits.namespaces is not None and place.namespace not in limits.namespaces) or (
        limits.repositories is not None and place.repository not in limits.repositories
    )
    if is_fresh and not outside:
        return scope
    return _OPEN_TO_ALL if visibility == "public" else frozenset()


class Verdict(Enum):
    """What a door answers: 401 for a credential or a wider token, 404, 403, or what was asked for."""

    ALLOWED = auto()
    CHALLENGED = auto()
    INSUFFICIENT = auto()
    HIDDEN = auto()
    FORBIDDEN = auto()


def decide(actor: Actor, asked: str, place: Place, held: frozenset[Right], needed: Right) -> Verdict:
    """Judge one request for a repository, whose name was `asked`: held rights within what the token lists."""
    if needed in held:
        if is_listed(actor, asked, place, needed):
            return Verdict.ALLOWED
        return Verdict.CHALLENGED if actor.account is None else Verdict.INSUFFICIENT
    if actor.account is None:
        return Verdict.CHALLENGED
    return Verdict.FORBIDDEN if Right.PULL in held else Verdict.HIDDEN


def is_listed(actor: Actor, asked: str, place: Place, needed: Right) -> bool:
    """Whether the caller's token, if it came with one, allows this on what the name led to when it was made."""
    if actor.ceiling is None:
        return True
    grant = actor.ceiling.get(asked)
    return (
        grant is not None
        and needed.value in grant.actions
        and (grant.namespace, grant.generation) == (place.namespace, place.generation)
    )
