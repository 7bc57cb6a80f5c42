"""Windows in Redis: nobody's name is there, and no request fails because it is gone."""

import secrets
from typing import Any

import pytest
from redis.asyncio import Redis
from structlog.testing import CapturingLogger

from registry.core.rates import Rate
from registry.infra.limits import redis as module
from registry.infra.limits.memory import MemoryWindows
from registry.infra.limits.model import Kind
from registry.infra.limits.redis import RedisWindows

KIND, RATE = Kind.TRANSFER, Rate(3, 600)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> CapturingLogger:
    found = CapturingLogger()
    monkeypatch.setattr(module, "_log", found)
    return found


@pytest.fixture
async def windows(redis_url: str) -> Any:
    found = RedisWindows(redis_url, secrets.token_bytes(8), MemoryWindows())
    yield found
    await found.close()


async def test_who_was_counted_cannot_be_read_there(windows: RedisWindows, redis_url: str) -> None:
    async with Redis.from_url(redis_url, decode_responses=True) as client:
        before = set(await client.keys())
        await windows.charge(KIND, "192.0.2.77", RATE)
        (key,) = set(await client.keys()) - before
        assert str(key).startswith("gati:limit:")
        assert "192.0.2.77" not in str(key)
        assert 0 < await client.pttl(key) <= 600_000


async def test_registries_with_other_secrets_do_not_meet(windows: RedisWindows, redis_url: str) -> None:
    other = RedisWindows(redis_url, secrets.token_bytes(8), MemoryWindows())
    for one in (windows, other):
        assert [(await one.charge(KIND, "u:1", RATE)).allowed for _ in range(4)] == [True, True, True, False]
    await other.close()


async def test_a_server_that_forgot_everything_is_no_trouble(windows: RedisWindows, redis_url: str) -> None:
    assert (await windows.charge(KIND, "u:1", RATE)).remaining == 2
    async with Redis.from_url(redis_url, decode_responses=True) as client:
        await client.script_flush()
        assert (await windows.charge(KIND, "u:1", RATE)).remaining == 1
        await client.client_kill_filter(_type="normal", skipme=True)
    assert (await windows.charge(KIND, "u:1", RATE)).remaining == 0


async def test_without_redis_requests_are_counted_here_and_the_log_says_so_once(
    redis_url: str, log: CapturingLogger
) -> None:
    windows = RedisWindows(f"{redis_url}-gone?password=canary9f3a", b"", MemoryWindows())
    assert [(await windows.charge(KIND, "u:1", RATE)).allowed for _ in range(4)] == [True, True, True, False]
    windows._down_until = 1e-9
    assert not (await windows.peek(KIND, "u:1", RATE)).allowed
    assert len(log.calls) == 1
    assert "Redis does not answer" in str(log.calls)
    assert "canary9f3a" not in str(log.calls)
    await windows.close()


async def test_while_redis_is_away_only_one_request_asks_for_it(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows, asked = RedisWindows(f"{redis_url}-gone", b"", MemoryWindows()), []

    async def refuse(*_: Any) -> None:
        asked.append(1)
        raise ConnectionRefusedError

    monkeypatch.setattr(windows, "_run", refuse)
    for _ in range(5):
        await windows.charge(KIND, "u:1", RATE)
    assert len(asked) == 1
    await windows.close()


async def test_hosts_count_together_again_when_redis_is_back(
    windows: RedisWindows, monkeypatch: pytest.MonkeyPatch, log: CapturingLogger
) -> None:
    run: Any = windows._run
    monkeypatch.setattr(module, "_PAUSE", 0.0)
    assert (await windows.charge(KIND, "u:1", RATE)).remaining == 2

    async def refuse(*_: Any) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(windows, "_run", refuse)
    assert [(await windows.charge(KIND, "u:1", RATE)).remaining for _ in range(2)] == [2, 1]
    monkeypatch.setattr(windows, "_run", run)
    assert (await windows.charge(KIND, "u:1", RATE)).remaining == 1
    assert [call.args[0].partition(":")[0] for call in log.calls] == ["Redis does not answer", "Redis answers again"]
