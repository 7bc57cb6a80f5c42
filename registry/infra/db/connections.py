"""A pool of connections that costs nothing while one is free."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final

import asyncpg

_WAIT_SECONDS: Final = 5.0
_IDLE_SECONDS: Final = 60.0


class Connections:
    """At most `maximum` connections made by `connect`; those over `minimum` go when they were idle for a minute.

    The one used last is used next, so that a quiet pool shrinks. `connect` makes one beside the pool, too.
    """

    def __init__(self, connect: Callable[[], Awaitable[Any]], minimum: int, maximum: int) -> None:
        self.connect = connect
        self._minimum = minimum
        self._maximum = maximum
        self._idle: list[Any] = []
        self._all: set[Any] = set()
        self._opening = 0
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self._loop = asyncio.get_running_loop()
        self._used: dict[Any, float] = {}
        self._trim: asyncio.TimerHandle | None = None
        self._is_closed = False
        self._emptied = asyncio.Event()

    @property
    def sizes(self) -> tuple[int, int]:
        """Connections in use, and open."""
        return len(self._all) - len(self._idle), len(self._all)

    async def open(self) -> None:
        """Open the minimum.

        Raises:
            what `connect` raises.
        """
        try:
            self._idle.extend([await self._make() for _ in range(self._minimum)])
        except BaseException:
            self.terminate()
            raise

    def take(self) -> Any | None:
        """A free connection, or None where `acquire` must wait for one."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
            self._all.discard(connection)
        return None

    async def acquire(self) -> Any:
        """A connection, opened where there may be one more, else the next that is given back.

        Raises:
            TimeoutError: none came free within five seconds.
            what `connect` raises.
        """
        until = self._loop.time() + _WAIT_SECONDS
        while not self._is_closed:
            connection = self.take()
            if connection is not None:
                return connection
            if len(self._all) + self._opening < self._maximum:
                return await self._make()
            connection = await self._turn(until)
            if connection is not None:
                return connection
        raise asyncpg.InterfaceError("the pool is closed")

    def release(self, connection: Any) -> None:
        """Give a connection back; a broken one is dropped."""
        if connection.is_closed() or connection.is_in_transaction() or self._is_closed:
            connection.terminate()
            self._all.discard(connection)
            if self._is_closed and not self._all:
                self._emptied.set()
            self._hand(None)
        elif not self._hand(connection):
            self._idle.append(connection)
            self._watch(connection)

    async def close(self) -> None:
        """Close every connection: one in use when it is given back, at most five seconds later."""
        self._is_closed = True
        if self._trim is not None:
            self._trim.cancel()
        while self._hand(None):
            continue
        idle, self._idle = self._idle, []
        self._all.difference_update(idle)
        if idle:
            closing = (connection.close(timeout=_WAIT_SECONDS) for connection in idle)
            await asyncio.gather(*closing, return_exceptions=True)
        if self._all:
            await asyncio.wait({waiting := asyncio.ensure_future(self._emptied.wait())}, timeout=_WAIT_SECONDS)
            waiting.cancel()
        self.terminate()

    def terminate(self) -> None:
        """Drop every connection at once."""
        for connection in self._all:
            connection.terminate()
        self._all.clear()
        self._idle.clear()

    async def _make(self) -> Any:
        self._opening += 1
        try:
            connection = await self.connect()
        except BaseException:
            self._opening -= 1
            self._hand(None)
            raise
        self._opening -= 1
        self._all.add(connection)
        return connection

    async def _turn(self, until: float) -> Any | None:
        """Wait in line: a connection, or None where one may be opened."""
        turn: asyncio.Future[Any] = self._loop.create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout_at(until):
                return await turn
        except BaseException:
            if not turn.done() or turn.cancelled():
                with contextlib.suppress(ValueError):
                    self._waiting.remove(turn)
            elif (handed := turn.result()) is None:
                self._hand(None)
            else:
                self.release(handed)
            raise

    def _hand(self, connection: Any | None) -> bool:
        """Give it to the next in line; False where nobody waits."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(connection)
                return True
        return False

    def _watch(self, connection: Any) -> None:
        """Remember when a connection over the minimum was used."""
        if len(self._all) > self._minimum:
            self._used[connection] = self._loop.time()
            if self._trim is None:
                self._trim = self._loop.call_later(_IDLE_SECONDS, self._shrink)

    def _shrink(self) -> None:
        self._trim = None
        before = self._loop.time() - _IDLE_SECONDS
        old = [found for found in self._idle if self._used.get(found, 0.0) < before]
        for connection in old[: max(0, len(self._all) - self._minimum)]:
            self._idle.remove(connection)
            self._all.discard(connection)
            connection.terminate()
        self._used = {found: at for found, at in self._used.items() if found in self._all}
        if len(self._all) > self._minimum:
            self._trim = self._loop.call_later(_IDLE_SECONDS, self._shrink)
