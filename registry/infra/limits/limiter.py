"""The rate limits of a process: rates, and the windows that count for them."""

from typing import Protocol

from registry.core.errors import TooManyRequests
from registry.core.rates import Rate
from registry.infra.limits.model import UNLIMITED, Kind, Rates, Verdict, Windows, attempt_keys, refusal


class CommonWindows(Protocol):
    """As `Windows`, with waiting."""

    async def charge(self, kind: Kind, key: str, rate: Rate) -> Verdict:
        """See `Windows.charge`."""

    async def peek(self, kind: Kind, key: str, rate: Rate) -> Verdict:
        """See `Windows.peek`."""

    async def close(self) -> None:
        """See `Windows.close`."""


class Limiter:
    """Counts requests against `rates`; a kind without one is not limited.

    A key names who is counted: `k:12` a key, `u:12` an account, or what `address.bucket` gives. `here` are the windows
    of this host, `everywhere` those of all hosts where there are several.
    """

    def __init__(self, rates: Rates, here: Windows, everywhere: CommonWindows | None = None) -> None:
        self._rates = rates
        self._here = here
        self._everywhere = everywhere

    def charge_here(self, kind: Kind, key: str) -> Verdict:
        """Count a request in the windows of this host alone, without waiting."""
        rate = self._rates.get(kind)
        return UNLIMITED if rate is None else self._here.charge(kind, key, rate)

    async def charge(self, kind: Kind, key: str) -> Verdict:
        """Count a request; one that is not allowed is not counted."""
        rate = self._rates.get(kind)
        if rate is None:
            return UNLIMITED
        if self._everywhere is None:
            return self._here.charge(kind, key, rate)
        return await self._everywhere.charge(kind, key, rate)

    async def peek(self, kind: Kind, key: str) -> Verdict:
        """What `charge` would answer; nothing is counted."""
        rate = self._rates.get(kind)
        if rate is None:
            return UNLIMITED
        if self._everywhere is None:
            return self._here.peek(kind, key, rate)
        return await self._everywhere.peek(kind, key, rate)

    async def check_attempts(self, address: str, account: str) -> None:
        """Nothing while a credential of this account may be checked for a caller at this address (as of `bucket`).

        Raises:
            TooManyRequests: too many checks have failed.
        """
        for key in attempt_keys(address, account):
            found = await self.peek(Kind.AUTH, key)
            if not found.allowed:
                raise self.refusal(Kind.AUTH, found, f"The address {address}" if address else "This machine")

    async def count_failure(self, address: str, account: str) -> None:
        """A credential of this account was not good, for a caller at this address. Success is not counted."""
        for key in attempt_keys(address, account):
            await self.charge(Kind.AUTH, key)

    def refusal(self, kind: Kind, found: Verdict, who: str) -> TooManyRequests:
        """The 429 of a verdict of this kind; `who` begins its sentence."""
        rate = self._rates.get(kind)
        assert rate is not None  # noqa: S101 - there is no such verdict without a rate
        return refusal(kind, found, rate, who)

    async def close(self) -> None:
        """Let go of files and connections."""
        if self._everywhere is not None:
            await self._everywhere.close()
        self._here.close()
