"""Chooses the windows that the rate limits are counted in."""

from dataclasses import dataclass
from pathlib import Path

from registry.infra.limits.limiter import Limiter
from registry.infra.limits.memory import MemoryWindows
from registry.infra.limits.model import Rates, Windows
from registry.infra.limits.redis import RedisWindows
from registry.infra.limits.shared import SharedWindows


@dataclass(frozen=True, slots=True)
class Counting:
    """Where requests are counted.

    Attributes:
        file: what the processes of this host share; None where there is one process.
        redis: the URL of what several hosts share; None where there is one host, or nothing that they share.
        secret: what the hosts have in common; it hides in Redis who was counted.
    """

    file: Path | None = None
    redis: str | None = None
    secret: bytes = b""


def open_limiter(rates: Rates, counting: Counting) -> Limiter:
    """The limiter of a process.

    Raises:
        Unavailable: the file cannot be used.
    """
    here: Windows = MemoryWindows() if counting.file is None else SharedWindows(counting.file)
    return Limiter(rates, here, RedisWindows(counting.redis, counting.secret, here) if counting.redis else None)
