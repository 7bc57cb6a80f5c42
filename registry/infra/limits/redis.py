"""Windows that several hosts share, in a Redis server.

It may forget them, or be gone: then each host counts by itself.
"""

import time
from collections.abc import Callable
from hashlib import blake2b
from typing import Final, cast

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from registry.core.rates import Rate
from registry.infra.limits.model import Kind, Verdict, Windows, verdict

_TIMEOUT: Final = 0.5
_PAUSE: Final = 1.0
_CONNECTIONS: Final = 16
_SCRIPT: Final = """
local limit, span, take, now = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
if now < 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local found = redis.call('HMGET', KEYS[1], 'count', 'end')
local count, ending = tonumber(found[1] or 0), tonumber(found[2] or 0)
if ending <= now or ending > now + span then
  count, ending = 0, now + span
end
local allowed = count < limit
if allowed and take == '1' then
  count = count + 1
  redis.call('HSET', KEYS[1], 'count', count, 'end', string.format('%d', ending))
  redis.call('PEXPIRE', KEYS[1], ending - now)
end
return {allowed and 1 or 0, count, ending - now}
"""
_log = structlog.get_logger("registry.limits")


class RedisWindows:
    """The windows in the Redis server at `url`, under keys that only who knows `secret` can tell apart.

    `spare` counts while Redis does not answer, so that no request fails for that. The time is that of Redis, unless
    `clock` gives another (seconds).
    """

    def __init__(self, url: str, secret: bytes, spare: Windows, clock: Callable[[], float] | None = None) -> None:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            timeout=_TIMEOUT,
            socket_timeout=_TIMEOUT,
            socket_connect_timeout=_TIMEOUT,
            retry=Retry(NoBackoff(), 1),
        )
        self._redis = Redis.from_pool(pool)
        self._run = self._redis.register_script(_SCRIPT)
        self._secret = blake2b(secret).digest()
        self._spare = spare
        self._clock = clock
        self._down_until = 0.0

    async def charge(self, kind: Kind, key: str, rate: Rate) -> Verdict:
        """See `Windows.charge`."""
        found = await self._ask(kind, key, rate, take=True)
        return found or self._spare.charge(kind, key, rate)

    async def peek(self, kind: Kind, key: str, rate: Rate) -> Verdict:
        """See `Windows.peek`."""
        found = await self._ask(kind, key, rate, take=False)
        return found or self._spare.peek(kind, key, rate)

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def _ask(self, kind: Kind, key: str, rate: Rate, *, take: bool) -> Verdict | None:
        """The verdict of Redis; None while it does not answer, of which one request a second makes sure."""
        was_down = self._down_until
        if was_down and time.monotonic() < was_down:
            return None
        self._down_until = was_down and time.monotonic() + _PAUSE
        now = -1 if self._clock is None else round(self._clock() * 1000)
        try:
            answer = await self._run([self._key(kind, key)], [rate.limit, rate.seconds * 1000, int(take), now])
        except (RedisError, OSError) as error:
            self._down(error)
            return None
        if was_down:
            _log.warning("Redis answers again: hosts count together")
        self._down_until = 0.0
        allowed, count, left = cast("list[int]", answer)
        return verdict(rate, count, left / 1000, allowed=bool(allowed))

    def _down(self, error: Exception) -> None:
        if not self._down_until:
            _log.warning("Redis does not answer: each host counts by itself", reason=str(error)[:300])
        self._down_until = time.monotonic() + _PAUSE

    def _key(self, kind: Kind, key: str) -> str:
        text = f"{kind} {key}".encode("utf-8", "surrogatepass")
        return f"gati:limit:{blake2b(text, digest_size=16, key=self._secret).hexdigest()}"
