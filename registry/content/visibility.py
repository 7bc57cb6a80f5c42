"""Who may see what is held or blocked: the answer of `content_state` of migrations/, judged for one reader. Pure."""

from dataclasses import dataclass
from typing import Final

from registry.core.errors import Blocked, Denied, Held

LIVE: Final = "live"
_WHY: Final = {
    "held": "it is not published yet, and only those who may push there can pull it before",
    "blocked": "it was rejected, withdrawn or put into quarantine",
}
_REASONS: Final = {"held": "ARTIFACT_HELD", "blocked": "ARTIFACT_BLOCKED"}


@dataclass(frozen=True, slots=True)
class Reader:
    """Who asks, and how.

    Attributes:
        is_writer: may push to the repository, whatever its token lists: sees what is held.
        is_told: the answer has a body, so that a refusal can say why; else what may not be seen is not there.
    """

    is_writer: bool
    is_told: bool = True

    def may_pull(self, state: str) -> bool:
        """Whether content of this state is for the reader; what is blocked is for nobody."""
        return state == LIVE or (state == "held" and self.is_writer)


WRITER: Final = Reader(is_writer=True)


def refusal(name: str, reference: str, state: str, notice: str | None) -> Denied:
    """Why content that is not live may not be pulled; `notice` is what its release says of it."""
    kind = Blocked if state == "blocked" else Held
    place = f"{name}@{reference}" if ":" in reference else f"{name}:{reference}"
    return kind(
        f"{place} may not be pulled: {notice or _WHY[state] + '.'}",
        detail={"reason": _REASONS[state], "state": state, "notice": notice, "reference": reference},
    )
