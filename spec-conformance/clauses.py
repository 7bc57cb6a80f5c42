"""Clauses, levels and the two ways in which a registry may be other than a test wants."""

from collections.abc import Callable
from enum import StrEnum
from typing import NoReturn, ParamSpec, TypeVar

import pytest

P = ParamSpec("P")
R = TypeVar("R")


class Level(StrEnum):
    """How far a clause binds: a duty, a recommendation, a permission, or a ruling beyond the specification."""

    MUST = "MUST"
    SHOULD = "SHOULD"
    MAY = "MAY"
    RULING = "RULING"


MUST, SHOULD, MAY, RULING = Level.MUST, Level.SHOULD, Level.MAY, Level.RULING

BINDING = frozenset({MUST, SHOULD})
"""Levels at which not to hold is a failure; at the others a registry only differs."""

DEV = "dev"
"""The profile of clauses that are in the next version and not in 1.1."""


class Unsupported(Exception):
    """The registry says, in a way the specification allows, that it does not have what the test asks for."""


def unsupported(reason: str) -> NoReturn:
    """End the test: the registry does not support this.

    Raises:
        Unsupported: always.
    """
    raise Unsupported(reason)


def clause(
    end: str, title: str, level: Level = MUST, profile: str = "1.1"
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Mark a test with the endpoint, the section's title, how far it binds and since which version."""
    return pytest.mark.clause(end, title, str(level), profile)
