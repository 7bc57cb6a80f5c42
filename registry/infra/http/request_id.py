"""Names of requests: taken from the client where they are safe to log, else made here."""

import itertools
import re
import secrets
from collections.abc import Callable
from typing import Final

_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")


def maker() -> Callable[[], str]:
    """A source of ids: a random start, then a count. They are unique, not secret."""
    start, count = secrets.token_hex(6), itertools.count(1)
    return lambda: f"req_{start}{next(count):x}"


def accepted(value: bytes) -> str | None:
    """The id that a client sent, when it is short and plain."""
    return value.decode() if _ID.fullmatch(value) else None
