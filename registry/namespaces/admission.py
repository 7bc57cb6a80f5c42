"""What lets a caller into a place, as the doors see it."""

import math
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any, Protocol

from registry.auth.admission import Caller
from registry.infra.http.counters import Stamp
from registry.namespaces.access import Right
from registry.namespaces.rights import Place


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for a repository, or for none: its route, and the actions that its token lists, the needed one last."""

    route: str
    name: str | None
    actions: str

    @property
    def needed(self) -> Right:
        """The right that it takes."""
        return Right(self.actions.rpartition(",")[2])


@dataclass(frozen=True, slots=True)
class Look:
    """What a caller may do in a place, whatever its token says; until then and while the stamp holds."""

    place: Place
    held: frozenset[Right]
    stamp: Stamp | None = None
    until: float = math.inf


@dataclass(frozen=True, slots=True)
class Admission:
    """A caller who may act. `look` is None in an open registry, and where no repository is asked for.

    Attributes:
        stamp, until: while and until when the same request would be let in again; without a stamp, just now.
        hidden: it may not see the place and is to be answered as if there were nothing.
        meter: whose budget of requests an answer from memory takes; None: that of its address.
    """

    caller: Caller
    look: Look | None = None
    stamp: Stamp | None = None
    until: float = math.inf
    hidden: bool = False
    meter: str | None = None


class Gate(Protocol):
    """Who decides for every request of a door."""

    async def admit(self, scope: MutableMapping[str, Any], asked: Asked) -> Admission:
        """The caller, allowed what is asked.

        Raises:
            Denied, NameUnknown, TooManyRequests, Unauthorized: as the answer says.
        """

    async def readable(self, caller: Caller, name: str) -> Look | None:
        """What the caller may do in a repository, when it may pull from it within what its token lists."""

    async def may_pull(self, caller: Caller, name: str) -> bool:
        """Whether the caller may pull from a repository, whatever its token lists."""

    async def charge_upload(self, scope: MutableMapping[str, Any], caller: Caller) -> None:
        """Count an artifact that the caller publishes.

        Raises:
            TooManyRequests: it has published too many.
        """
