"""What an agent was denied, said once each."""

from collections.abc import Callable
from typing import Final

_MOST: Final = 50


class Ledger:
    """The denials of one run.

    Attributes:
        denials: what was denied and by which rule, in the order in which it was asked for, each once.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self.denials: list[tuple[str, str]] = []
        self._say = say

    def deny(self, what: str, rule: str) -> None:
        """Say that `what` was denied, and the rule that denies it; after many, that there are more."""
        if (what, rule) in self.denials or len(self.denials) > _MOST:
            return
        self.denials.append((what, rule))
        if len(self.denials) > _MOST:
            self._say("Denied: more of the same; the rest is not told.")
            return
        self._say(f"Denied: {what}: {rule}")
