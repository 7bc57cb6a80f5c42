"""Looking again and again, less often each time."""

import time
from collections.abc import Callable, Iterator
from typing import Final

_FIRST: Final = 0.05
_LONGEST: Final = 2.0
_GROWTH: Final = 1.6


def patience(
    seconds: float,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[int]:
    """Turns to look, counted: at once, then after growing pauses, for so many seconds."""
    end, pause, turn = now() + seconds, _FIRST, 0
    yield turn
    while now() < end:
        sleep(pause)
        pause, turn = min(pause * _GROWTH, _LONGEST), turn + 1
        yield turn
