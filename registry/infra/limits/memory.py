"""Windows of one process."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from registry.core.rates import Rate
from registry.infra.limits.model import Kind, Verdict, verdict

_KEYS: Final = 65536


@dataclass(slots=True)
class _Window:
    end: float
    count: int = 0


class MemoryWindows:
    """At most `keys` windows of each kind; beyond that the oldest is forgotten. `clock` never goes back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, keys: int = _KEYS) -> None:
        self._clock = clock
        self._keys = keys
        self._windows: dict[Kind, dict[str, _Window]] = {kind: {} for kind in Kind}

    def charge(self, kind: Kind, key: str, rate: Rate) -> Verdict:
        """See `Windows.charge`."""
        now, windows = self._clock(), self._windows[kind]
        window = windows.get(key)
        if window is None or now >= window.end:
            window = self._open(windows, key, now + rate.seconds)
        allowed = window.count < rate.limit
        if allowed:
            window.count += 1
        return verdict(rate, window.count, window.end - now, allowed=allowed)

    def peek(self, kind: Kind, key: str, rate: Rate) -> Verdict:
        """See `Windows.peek`."""
        now, window = self._clock(), self._windows[kind].get(key)
        if window is None or now >= window.end:
            return verdict(rate, 0, rate.seconds, allowed=True)
        return verdict(rate, window.count, window.end - now, allowed=window.count < rate.limit)

    def close(self) -> None:
        """Forget everything."""
        for windows in self._windows.values():
            windows.clear()

    def _open(self, windows: dict[str, _Window], key: str, end: float) -> _Window:
        """A new window, which is the last to end: a dictionary keeps its keys in order."""
        windows.pop(key, None)
        if len(windows) >= self._keys:
            del windows[next(iter(windows))]
        window = windows[key] = _Window(end)
        return window
