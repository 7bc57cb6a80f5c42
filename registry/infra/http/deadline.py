"""A deadline that moves with every request, on a timer that mostly stays where it is."""

import asyncio
import math
from collections.abc import Callable


class Deadline:
    """Calls `passed` once when it is not moved in time.

    A later deadline is met by the timer that runs: requests in quick succession set none.

    Attributes:
        at: when, in the loop's time; infinity while nothing is waited for.
    """

    __slots__ = ("_limit", "_loop", "_passed", "_timer", "_timer_at", "at")

    def __init__(self, loop: asyncio.AbstractEventLoop, passed: Callable[[], None]) -> None:
        self._loop = loop
        self._passed = passed
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf
        self._limit = math.inf
        self.at = math.inf

    def move(self, seconds: float) -> None:
        """Wait for so long from now, within the limit."""
        self.at = min(self._loop.time() + seconds, self._limit)
        if self._timer is None or self._timer_at > self.at:
            self._set()

    def limit(self, seconds: float) -> None:
        """From now on no deadline is later than so long from now."""
        self._limit = self._loop.time() + seconds

    def clear(self) -> None:
        """Wait for nothing."""
        self.at = math.inf

    def cancel(self) -> None:
        """Wait for nothing, and keep no timer."""
        self.at = math.inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = self.at
        self._timer = self._loop.call_at(self.at, self._expire)

    def _expire(self) -> None:
        self._timer = None
        if self.at == math.inf:
            return
        if self.at > self._timer_at:
            self._set()
            return
        self.at = math.inf
        self._passed()
