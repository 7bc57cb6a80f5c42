"""Who is calling. Pure."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Actor:
    """A caller: `principal` owns what the caller starts."""

    principal: str


ANYBODY: Final = Actor("anybody")
