"""What lets a caller in at the REST door."""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from registry.audit.model import By
from registry.auth.model import Actor
from registry.namespaces.access import Right
from registry.namespaces.model import NO_POLICIES, Policies


class Level(StrEnum):
    """What an endpoint needs that is about no namespace: `signed-in` is any account, its own things at most."""

    ANYONE = "anyone"
    SIGNED_IN = "signed-in"


Needs = Level | Right


@dataclass(frozen=True, slots=True)
class Entry:
    """A request to a route, the template of its path, with the values of its parameters.

    A right is needed on the repository `repo` where the path has one, or `name` in the namespace `ns`, else on the
    namespace `ns` (a slug, `users~slug`, `orgs~slug`), else on the registry itself.

    Attributes:
        is_open: whether everybody has every right to it while the registry is open.
        is_upload: whether it takes of the caller's budget of uploads.
    """

    route: str
    needs: Needs
    params: Mapping[str, str]
    is_open: bool = False
    is_upload: bool = False


def shown(params: Mapping[str, str]) -> str:
    """How messages name the place of a path: always as it was asked for."""
    if "repo" in params:
        return params["repo"]
    return "/".join(params[part].replace("~", "/") for part in ("ns", "name") if part in params)


@dataclass(frozen=True, slots=True)
class Admitted:
    """A caller who may act, and what it is to what the path names.

    Attributes:
        namespace, repository: ids of what the path names; None where it names none.
        name: the repository's, else the namespace's, as it is now: an alias may have been asked for.
        held: all rights there.
        role: the caller's there, if it has one.
        policies: those of the namespace.
    """

    actor: Actor
    by: By
    namespace: int | None = None
    repository: int | None = None
    name: str = ""
    held: frozenset[Right] = field(default_factory=frozenset)
    role: str | None = None
    policies: Policies = NO_POLICIES


class RestGate(Protocol):
    """Who decides for every request of the REST door."""

    async def admit_rest(self, scope: MutableMapping[str, Any], entry: Entry) -> Admitted:
        """The caller, allowed what the entry needs.

        Raises:
            Denied, NotFound, TooManyRequests, Unauthorized: as the answer says.
        """
