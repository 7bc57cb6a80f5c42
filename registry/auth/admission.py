"""What lets a caller in, as the doors see it."""

import math
from dataclasses import dataclass

from registry.audit.model import By
from registry.auth.model import Actor
from registry.infra.http.counters import Stamp


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who asks: as whom, from where, in which request.

    What was found out holds until the wall-clock time `until` and while `stamp` does; without one, just now.
    """

    actor: Actor
    address: str
    request_id: str
    stamp: Stamp | None
    until: float = math.inf

    @property
    def by(self) -> By:
        """As audit rows name it."""
        actor = self.actor
        return By(actor.account, actor.name, actor.credential, self.address, self.request_id)
