"""What every backend of the rate limits must do."""

import asyncio
import itertools
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from registry.core.errors import TooManyRequests
from registry.core.rates import Rate
from registry.infra.limits.limiter import Limiter
from registry.infra.limits.memory import MemoryWindows
from registry.infra.limits.model import UNLIMITED, Kind, Rates, Verdict, headers
from registry.infra.limits.open import Counting, open_limiter
from registry.infra.limits.redis import RedisWindows
from registry.infra.limits.shared import SharedWindows

BACKENDS = ("memory", "shared", "redis")
RATES: Rates = {Kind.TRANSFER: Rate(3, 4), Kind.GENERAL: Rate(100, 60), Kind.AUTH: Rate(2, 60), Kind.UPLOAD: None}


class Clock:
    """Time stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


Open = Callable[..., Limiter]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=BACKENDS)
async def opened(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> AsyncIterator[Open]:
    """Open limiters on one place, which is empty at first."""
    secret = secrets.token_bytes(8)
    redis_url = request.getfixturevalue("redis_url") if request.param == "redis" else ""
    async with AsyncExitStack() as stack:

        def begin(rates: Rates = RATES) -> Limiter:
            here = SharedWindows(tmp_path / "limits", clock) if request.param == "shared" else MemoryWindows(clock)
            limiter = Limiter(rates, here, RedisWindows(redis_url, secret, here, clock) if redis_url else None)
            stack.push_async_callback(limiter.close)
            return limiter

        yield begin


@pytest.fixture
def limiter(opened: Open) -> Limiter:
    return opened()


async def charge(limiter: Limiter, times: int, key: str = "u:1", kind: Kind = Kind.TRANSFER) -> list[bool]:
    return [(await limiter.charge(kind, key)).allowed for _ in range(times)]


async def test_the_first_requests_of_a_window_pass_and_no_more(limiter: Limiter) -> None:
    found = [await limiter.charge(Kind.TRANSFER, "u:1") for _ in range(5)]
    assert found == [
        Verdict(3, 2, 4, allowed=True),
        Verdict(3, 1, 4, allowed=True),
        Verdict(3, 0, 4, allowed=True),
        Verdict(3, 0, 4, allowed=False),
        Verdict(3, 0, 4, allowed=False),
    ]


async def test_a_window_begins_with_its_first_request_and_ends_whatever_comes(limiter: Limiter, clock: Clock) -> None:
    await charge(limiter, 1)
    clock.now += 3.75
    assert await limiter.charge(Kind.TRANSFER, "u:1") == Verdict(3, 1, 1, allowed=True)
    assert await charge(limiter, 2) == [True, False]
    clock.now += 0.25
    assert await limiter.charge(Kind.TRANSFER, "u:1") == Verdict(3, 2, 4, allowed=True)
    clock.now += 100
    assert await limiter.charge(Kind.TRANSFER, "u:1") == Verdict(3, 2, 4, allowed=True)


async def test_whoever_waits_as_long_as_it_is_told_passes(limiter: Limiter, clock: Clock) -> None:
    for pause in (0.25, 1.5, 2.875):
        await charge(limiter, 1)
        clock.now += pause
        *_, refused = [await limiter.charge(Kind.TRANSFER, "u:1") for _ in range(3)]
        assert not refused.allowed
        clock.now += refused.reset
        assert await charge(limiter, 4) == [True, True, True, False]
        clock.now += 4


async def test_callers_and_classes_have_windows_of_their_own(limiter: Limiter) -> None:
    assert await charge(limiter, 4, "u:1") == [True, True, True, False]
    assert await charge(limiter, 3, "u:2") == [True, True, True]
    assert await charge(limiter, 3, "u:1", Kind.AUTH) == [True, True, False]
    assert all(await charge(limiter, 100, "u:1", Kind.GENERAL))


async def test_looking_counts_nothing(limiter: Limiter, clock: Clock) -> None:
    assert await limiter.peek(Kind.TRANSFER, "u:1") == Verdict(3, 3, 4, allowed=True)
    clock.now += 1
    await charge(limiter, 2)
    clock.now += 1
    for _ in range(5):
        assert await limiter.peek(Kind.TRANSFER, "u:1") == Verdict(3, 1, 3, allowed=True)
    assert await charge(limiter, 2) == [True, False]
    assert await limiter.peek(Kind.TRANSFER, "u:1") == Verdict(3, 0, 3, allowed=False)
    clock.now += 3
    assert await limiter.peek(Kind.TRANSFER, "u:1") == Verdict(3, 3, 4, allowed=True)


@pytest.mark.parametrize("kind", [Kind.UPLOAD, Kind.SIGNED_IN])
async def test_what_is_off_has_no_limit_and_no_headers(limiter: Limiter, kind: Kind) -> None:
    assert all(await charge(limiter, 50, "u:1", kind))
    assert await limiter.charge(kind, "u:1") == await limiter.peek(kind, "u:1") == UNLIMITED
    assert headers(UNLIMITED) == {}


async def test_of_requests_at_once_exactly_the_limit_passes(limiter: Limiter) -> None:
    found = await asyncio.gather(*(limiter.charge(Kind.GENERAL, "2001:db8::/64") for _ in range(300)))
    assert sum(one.allowed for one in found) == 100


async def test_any_text_is_a_key_of_its_own(limiter: Limiter) -> None:
    for key in ("", " ", "\0", "ü", "\udcff", "u:1", "u:11", "x" * 30_000, "transfer u:1"):
        assert await charge(limiter, 4, key) == [True, True, True, False]


async def test_limits_may_change_between_two_starts(opened: Open) -> None:
    kind = Kind.TRANSFER
    await charge(opened(), 3)
    lower, shorter = opened({kind: Rate(1, 4)}), opened({kind: Rate(3, 1)})
    for found in [await one.charge(kind, "u:1") for one in (lower, shorter)]:
        assert found.remaining >= 0
        assert 1 <= found.reset <= 4


async def test_wrong_passwords_count_for_an_address_and_for_its_account(limiter: Limiter, clock: Clock) -> None:
    for account in ("alice", "bob"):
        await limiter.check_attempts("192.0.2.1", account)
        await limiter.count_failure("192.0.2.1", account)
    with pytest.raises(TooManyRequests, match=r"^The address 192.0.2.1 has had the 2 failed attempts .* 60 seconds\.$"):
        await limiter.check_attempts("192.0.2.1", "carol")
    for account in ("alice", "bob", "carol"):
        await limiter.check_attempts("192.0.2.2", account)
    clock.now += 60
    await limiter.check_attempts("192.0.2.1", "alice")


async def test_an_account_cannot_be_tried_twice_as_often_over_the_end_of_a_window(
    limiter: Limiter, clock: Clock
) -> None:
    await limiter.count_failure("192.0.2.1", "bob")
    clock.now += 59
    await limiter.count_failure("192.0.2.1", " Alice")
    clock.now += 1
    await limiter.count_failure("192.0.2.1", "alice ")
    await limiter.check_attempts("192.0.2.1", "bob")
    with pytest.raises(TooManyRequests):
        await limiter.check_attempts("192.0.2.1", "ALICE")


async def test_a_refusal_says_who_what_and_when(limiter: Limiter, clock: Clock) -> None:
    await charge(limiter, 3)
    clock.now += 1
    error = limiter.refusal(Kind.TRANSFER, await limiter.charge(Kind.TRANSFER, "u:1"), "alice")
    assert error.message == "alice has had the 3 transfers that are allowed in 4 seconds: try again in 3 seconds."
    assert (error.status, error.code) == (429, "TOOMANYREQUESTS")
    assert error.detail == {"class": "transfer", "limit": 3, "reset": 3}
    fields = {"Limit": "3", "Remaining": "0", "Reset": "3"}
    wanted = {f"{start}-{name}": value for start in ("RateLimit", "X-RateLimit") for name, value in fields.items()}
    assert error.headers == wanted | {"Retry-After": "3"}


@pytest.mark.parametrize("opened", ["shared", "redis"], indirect=True)
async def test_limiters_on_one_place_count_together(opened: Open) -> None:
    turns = itertools.cycle([opened(), opened(), opened()])
    found = [await next(turns).charge(Kind.TRANSFER, "u:1") for _ in range(5)]
    assert [one.allowed for one in found] == [True, True, True, False, False]
    assert [one.remaining for one in found] == [2, 1, 0, 0, 0]


@pytest.mark.parametrize("kind", BACKENDS)
async def test_a_registry_counts_with_the_time_of_its_machine(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    redis_url = request.getfixturevalue("redis_url") if kind == "redis" else None
    file = tmp_path / "limits" if kind == "shared" else None
    limiter = open_limiter({Kind.TRANSFER: Rate(2, 86_400)}, Counting(file, redis_url, secrets.token_bytes(8)))
    found = [await limiter.charge(Kind.TRANSFER, "u:1") for _ in range(3)]
    assert [one.allowed for one in found] == [True, True, False]
    assert all(86_000 < one.reset <= 86_400 for one in found)
    await limiter.close()
