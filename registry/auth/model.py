"""Who is calling. Pure."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Limits:
    """What a key may at most do, whatever its account may.

    Attributes:
        scope: `read-only`, `publish`, `admin`; None: as its account.
        namespaces, repositories: ids that it is for; None: all. Reading what is public is always within.
        addresses: networks (CIDR) that it may be used from; None: all.
    """

    scope: str | None = None
    namespaces: frozenset[int] | None = None
    repositories: frozenset[int] | None = None
    addresses: tuple[str, ...] | None = None


NO_LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True)
class Grant:
    """One entry of the `access` claim: actions on a repository's name, as it stood when the token was made."""

    actions: frozenset[str]
    namespace: int
    generation: int


@dataclass(frozen=True, slots=True)
class Actor:
    """A caller, whatever it was known by.

    Attributes:
        principal: owns what the caller starts: `u:<account>`, `r:<account>`, `anon`, or `anybody` in an open registry.
        account: the account's id; None for `anon` and `anybody`.
        name: what messages and audit rows call it.
        kind: `user`, `robot`, `anonymous`, `anybody`.
        credential: the row that the caller was known by.
        limits: those of the key.
        ceiling: what a registry token allows at most, by name of the repository; None without a token.
        late: a registry token that has expired, for at most an hour: good for upload sessions only.
        must_change_password: it may do nothing else first.
        key_made_at: when the key was made that it was known by, in seconds of the wall clock; None without a key.
    """

    principal: str
    account: int | None = None
    name: str = ""
    kind: str = "anybody"
    credential: int | None = None
    is_administrator: bool = False
    limits: Limits = NO_LIMITS
    ceiling: "dict[str, Grant] | None" = None
    late: bool = False
    must_change_password: bool = False
    key_made_at: float | None = None


ANYBODY: Final = Actor("anybody", name="anybody")
ANONYMOUS: Final = Actor("anon", name="anonymous", kind="anonymous")
