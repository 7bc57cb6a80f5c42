"""The states of a release, and which may follow which. Pure."""

from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where a release is on its way (the table of docs/artifacts/README.md)."""

    RECEIVED = "received"
    AWAITING_SIGNATURE = "awaiting-signature"
    SCANNING = "scanning"
    PUBLISHED = "published"
    REJECTED = "rejected"
    QUARANTINED = "quarantined"
    UNPUBLISHED = "unpublished"
    EXPIRED = "expired"


HELD: Final = frozenset({State.RECEIVED, State.AWAITING_SIGNATURE, State.SCANNING})
FOLLOWS: Final[dict[State, frozenset[State]]] = {
    State.RECEIVED: frozenset({State.AWAITING_SIGNATURE, State.SCANNING, State.REJECTED, State.EXPIRED}),
    State.AWAITING_SIGNATURE: frozenset({State.SCANNING, State.REJECTED, State.EXPIRED}),
    State.SCANNING: frozenset({State.PUBLISHED, State.REJECTED}),
    State.PUBLISHED: frozenset({State.QUARANTINED, State.UNPUBLISHED}),
    State.QUARANTINED: frozenset({State.PUBLISHED, State.REJECTED, State.UNPUBLISHED}),
    State.REJECTED: frozenset(),
    State.UNPUBLISHED: frozenset(),
    State.EXPIRED: frozenset(),
}


def may_follow(state: State, after: State) -> bool:
    """Whether a release in `state` may come into `after`."""
    return after in FOLLOWS[state]


def content_state(state: State) -> str:
    """What its manifest is to those who pull: `live`, `held` (for writers alone) or `blocked` (for nobody)."""
    if state is State.PUBLISHED:
        return "live"
    return "held" if state in HELD else "blocked"


def closeness(state: State) -> int:
    """How few may pull its manifest: everybody (0), writers, nobody (2)."""
    return ("live", "held", "blocked").index(content_state(state))


def upload_status(state: State) -> str:
    """The word of an upload receipt for it."""
    match state:
        case State.RECEIVED | State.AWAITING_SIGNATURE:
            return "pending"
        case State.SCANNING:
            return "processing"
        case State.PUBLISHED:
            return "completed"
        case _:
            return "rejected"
