"""What known callers were refused: counted in memory, written as rows of their own."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from registry.audit import sql
from registry.audit.model import By, Event
from registry.audit.record import text
from registry.audit.sql import Denial
from registry.infra.db.pool import Database
from registry.infra.telemetry import metrics

MOST: Final = 10_000
MOST_TARGETS: Final = 100
OTHERS: Final = "*"
_LENGTH: Final = 300
_MINUTE: Final = 60


@dataclass(slots=True)
class _Entry:
    """One (actor, action, target, minute): `new` refusals are not written yet, the last came at `last`."""

    by: By
    event: Event
    minute: int
    last: float
    new: int = 0
    is_written: bool = False


class Denials:
    """The refusals of this process. A kind of refusal makes at most two rows a minute: its first, then the rest.

    Beyond 100 targets of an actor in a minute, or 10,000 kinds in all, the target is `*`.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._entries: dict[tuple[int, str, str, int], _Entry] = {}
        self._targets: Counter[tuple[int, int]] = Counter()

    def note(self, by: By, action: str, target: str, namespace: int | None = None) -> None:
        """`by` was refused `action` on `target`. Strangers without an account are only counted."""
        if by.account is None:
            metrics.CHALLENGES.inc()
            return
        metrics.DENIALS.inc()
        now = self._clock()
        minute = int(now // _MINUTE)
        target = text(target[:_LENGTH])
        entry = self._entries.get((by.account, action, target, minute))
        if entry is None:
            if self._targets[by.account, minute] >= MOST_TARGETS or len(self._entries) >= MOST:
                target, namespace = OTHERS, None
            entry = self._open(by, Event(action, target, namespace), minute)
        entry.new += 1
        entry.last = now

    def _open(self, by: By, event: Event, minute: int) -> _Entry:
        assert by.account is not None  # noqa: S101 - `note` asked
        key = (by.account, event.action, event.target, minute)
        if key not in self._entries:
            self._entries[key] = _Entry(by, event, minute, 0.0)
            self._targets[by.account, minute] += 1
        return self._entries[key]

    async def flush(self, db: Database, *, is_last: bool = False) -> None:
        """Write what is due; with `is_last` everything.

        Raises:
            Unavailable: the database is gone; nothing is lost.
        """
        now = self._clock()
        minute = int(now // _MINUTE)
        due = [item for item in self._entries.values() if item.new and self._is_due(item, minute, is_last=is_last)]
        if due:
            taken = [(item, item.new) for item in due]
            denials = [Denial(item.by, item.event, count, max(0.0, now - item.last)) for item, count in taken]
            async with db.transaction() as connection:
                await sql.insert_denials(connection, denials)
            for item, count in taken:
                item.new -= count
                item.is_written = True
        self._forget(minute)

    @staticmethod
    def _is_due(item: _Entry, minute: int, *, is_last: bool) -> bool:
        return is_last or not item.is_written or item.minute != minute

    def _forget(self, minute: int) -> None:
        for key, item in list(self._entries.items()):
            if item.minute != minute and not item.new:
                del self._entries[key]
        for place in [place for place in self._targets if place[1] != minute]:
            del self._targets[place]
