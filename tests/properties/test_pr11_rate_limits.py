import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.core.rates import Rate
from registry.infra.limits.limiter import Limiter
from registry.infra.limits.memory import MemoryWindows
from registry.infra.limits.model import Kind, Verdict, Windows
from registry.infra.limits.redis import RedisWindows
from registry.infra.limits.shared import SharedWindows

TICK = 0.125  # seconds; a whole number of milliseconds, and exact in binary
RATE = st.builds(Rate, st.integers(1, 20), st.integers(1, 8)) | st.sampled_from([Rate(100, 60), Rate(10, 60)])
STEP = st.tuples(
    st.integers(0, 24) | st.integers(0, 1000),  # ticks that pass before it
    st.integers(1, 25),  # requests at once
    st.sampled_from(Kind),
    st.sampled_from(["u:1", "k:1", "192.0.2.1", "2001:db8::/64", ""]),
    st.integers(0, 1),  # which of two processes it comes to
    st.booleans(),  # whether it only looks
)


@dataclass
class Oracle:
    """Every request that passed, with its time; a window is looked for among them."""

    rates: dict[Kind, Rate]
    passed: dict[tuple[Kind, str], list[int]] = field(default_factory=dict)

    ends: dict[tuple[Kind, str], int] = field(default_factory=dict)

    def is_over(self, now: int, kind: Kind, key: str) -> bool:
        """Whether a request at `now` meets the next window."""
        return now >= self.ends[kind, key]

    def ask(self, now: int, kind: Kind, key: str, *, looks: bool) -> Verdict:
        limit, seconds = self.rates[kind]
        times, length = self.passed.setdefault((kind, key), []), round(seconds / TICK)
        begun = None
        for time in times:
            if begun is None or time >= begun + length:
                begun = time
        inside = [] if begun is None or now >= begun + length else [time for time in times if time >= begun]
        allowed = len(inside) < limit
        if allowed and not looks:
            times.append(now)
            inside.append(now)
        begun = inside[0] if inside else now
        self.ends[kind, key] = begun + length
        left = begun + length - now
        return Verdict(limit, limit - len(inside), -int(-left * TICK // 1), allowed)


@contextmanager
def _windows(kind: str, clock: list[float]) -> Iterator[list[Windows]]:
    """The windows of two processes; those of memory are the same."""
    if kind != "shared":
        yield [MemoryWindows(lambda: clock[0])] * 2
        return
    with tempfile.TemporaryDirectory() as folder:
        opened: list[Windows] = [SharedWindows(Path(folder) / "limits", lambda: clock[0]) for _ in range(2)]
        yield opened
        for one in opened:
            one.close()


# Feature: gati-registry, Property 11: Rate limit enforcement
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["memory", "shared", "redis"])
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(rates=st.fixed_dictionaries(dict.fromkeys(Kind, RATE)), steps=st.lists(STEP, min_size=1, max_size=20))
async def test_each_window_lets_its_limit_pass_and_no_request_more(
    kind: str,
    rates: dict[Kind, Rate],
    steps: list[tuple[int, int, Kind, str, int, bool]],
    request: pytest.FixtureRequest,
) -> None:
    """Whatever comes when, for whom and to which process: passes, what remains and when to come again are exact."""
    clock, now, oracle, secret = [0.0], 40_000, Oracle(rates), secrets.token_bytes(8)
    url = request.getfixturevalue("redis_url") if kind == "redis" else ""
    with _windows(kind, clock) as here:
        common = [RedisWindows(url, secret, one, lambda: clock[0]) if url else None for one in here]
        limiters = [Limiter(rates, one, other) for one, other in zip(here, common, strict=True)]
        for ticks, times, name, key, process, looks in steps:
            now += ticks
            clock[0] = now * TICK
            ask = limiters[process].peek if looks else limiters[process].charge
            for _ in range(times):
                found = await ask(name, key)
                assert found == oracle.ask(now, name, key, looks=looks)
                assert oracle.is_over(now + round(found.reset / TICK), name, key)
        for redis in filter(None, common):
            await redis.close()
