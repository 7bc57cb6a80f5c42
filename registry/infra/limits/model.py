"""What the rate limits count, what they answer, and what that is on the wire. Pure."""

import math
from collections.abc import Mapping
from enum import StrEnum
from hashlib import blake2b
from typing import Final, NamedTuple, Protocol

from registry.core.errors import TooManyRequests
from registry.core.rates import Rate

_ACCOUNT_BYTES: Final = 16


class Kind(StrEnum):
    """The classes of requests; each has a rate of its own, and its own windows.

    GENERAL is for callers without a credential, SIGNED_IN for the same requests with one. AUTH counts failures alone.
    """

    GENERAL = "general"
    SIGNED_IN = "signed_in"
    UPLOAD = "upload"
    TRANSFER = "transfer"
    AUTH = "auth"

    __hash__ = str.__hash__  # that of an Enum is written in Python, and this one stands in the path of every request


Rates = Mapping[Kind, Rate | None]


class Verdict(NamedTuple):
    """What a window says after a request.

    Attributes:
        limit: how many requests the window takes; 0: there is no limit.
        remaining: how many more it takes now.
        reset: whole seconds after which the next window has begun, never 0 for a limit.
    """

    limit: int
    remaining: int
    reset: int
    allowed: bool


UNLIMITED: Final = Verdict(0, 0, 0, allowed=True)


class Windows(Protocol):
    """Counts the requests of each key in a window that its first request opens."""

    def charge(self, kind: Kind, key: str, rate: Rate) -> Verdict:
        """Count one more; one that is not allowed is not counted."""

    def peek(self, kind: Kind, key: str, rate: Rate) -> Verdict:
        """What `charge` would answer: `allowed` while something remains. Nothing is counted."""

    def close(self) -> None:
        """Let go of what the windows lie in."""


BUDGET: Final = "gati.budget"  # where a scope holds the verdict of its request


def verdict(rate: Rate, count: int, left: float, *, allowed: bool) -> Verdict:
    """The verdict of a window that has counted `count` and ends in `left` seconds."""
    limit = rate.limit
    return Verdict(limit, limit - count if limit > count else 0, math.ceil(left) or 1, allowed)


def attempt_keys(address: str, account: str) -> tuple[str, str]:
    """The keys under which a failed check of a credential counts, of an address as `bucket` gives it.

    Never the account alone: a stranger could lock its owner out. Whatever was typed as the account, the key is short.
    """
    named = blake2b(account.strip().lower().encode("utf-8", "surrogatepass"), digest_size=_ACCOUNT_BYTES).hexdigest()
    return address, f"{address} {named}"


def headers(found: Verdict) -> dict[str, str]:
    """RateLimit-Limit, -Remaining and -Reset (draft-ietf-httpapi-ratelimit-headers-03) and their X- copies."""
    if not found.limit:
        return {}
    fields = {"Limit": found.limit, "Remaining": found.remaining, "Reset": found.reset}
    return {f"{start}-{name}": str(value) for start in ("RateLimit", "X-RateLimit") for name, value in fields.items()}


def refusal(kind: Kind, found: Verdict, rate: Rate, who: str) -> TooManyRequests:
    """The 429 of a verdict that does not allow; a request after Retry-After seconds meets the next window.

    `who` is how a sentence names the caller: an account, or `the address 192.0.2.1`.
    """
    return TooManyRequests(
        f"{who[:200]} has had the {_WORDS[kind].format(rate.limit)} that are allowed in {_count(rate.seconds)}: "
        f"try again in {_count(found.reset)}.",
        detail={"class": kind.value, "limit": found.limit, "reset": found.reset},
        headers=headers(found) | {"Retry-After": str(found.reset)},
    )


def _count(seconds: int) -> str:
    return "1 second" if seconds == 1 else f"{seconds} seconds"


_WORDS: Final = {
    Kind.GENERAL: "{} requests without a credential",
    Kind.SIGNED_IN: "{} requests",
    Kind.UPLOAD: "{} uploads of artifacts",
    Kind.TRANSFER: "{} transfers",
    Kind.AUTH: "{} failed attempts to sign in",
}
