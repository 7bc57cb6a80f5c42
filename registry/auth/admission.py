"""What lets a caller in, as the doors see it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from registry.auth.model import Actor
from registry.infra.http.counters import Stamp


@dataclass(frozen=True, slots=True)
class Admission:
    """A caller who may act, until the wall-clock time `until` and while `stamp` holds; without one, just now."""

    actor: Actor
    stamp: Stamp | None
    until: float = math.inf


class Gate(Protocol):
    """Who decides for every request of a door."""

    def admit(self, headers: Mapping[str, str], name: str | None, actions: str) -> Admission:
        """The caller, allowed `actions` (`pull`, `pull,push` …) on the repository `name`.

        Raises:
            Denied, Unauthorized: as the answer says.
        """
