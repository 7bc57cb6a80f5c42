"""A request body taken straight from its socket into its file, past the event loop and the parser."""

import asyncio
import select
import socket
import time
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from registry.infra.http.body import ClientDisconnected, late
from registry.infra.uncancelled import to_its_end

DIRECT: Final = "gati.body.direct"
_BUFFER: Final = 512 * 1024
_INLINE: Final = 64 * 1024
_SLICE: Final = 16 << 20
_POLL_MS: Final = 10
_SECONDS: Final = 0.2
_THREADS: Final = ThreadPoolExecutor(4, thread_name_prefix="body")


class DirectBody:
    """The rest of a body of known length: `early` has been read already, `left` bytes are on the socket.

    `own` is a duplicate of the connection's socket; the transport does not read meanwhile. `ended` is called once, when
    the body is read to its end or given up.
    """

    def __init__(self, own: socket.socket, early: bytes, left: int, ended: Callable[[int], None]) -> None:
        self._early = early
        self.left = left
        self._ended = ended
        self._is_over = False
        self._socket = own

    async def pour(self, put: Callable[[memoryview], None], timeout: float) -> AsyncGenerator[int, None]:  # noqa: ASYNC109
        """Give all bytes to `put`, in order, in this or another thread; the counts, at times.

        Raises:
            ClientDisconnected: the connection ended first.
            RequestTimeout: no byte came for `timeout` seconds.
            Whatever `put` raises.
        """
        loop = asyncio.get_running_loop()
        buffer = memoryview(bytearray(min(_BUFFER, max(self.left, 1))))
        try:
            if self._early:
                inline = len(self._early) <= _INLINE
                yield self._take_early(put) if inline else await self._in_thread(self._take_early, put)
            while self.left:
                count = self._drain(put, buffer, _INLINE, 0)
                if count == 0:
                    await self._readable(loop, timeout)
                elif count >= _INLINE and self.left:
                    count += await self._in_thread(self._drain, put, buffer, _SLICE, _POLL_MS)
                if count:
                    yield count
        finally:
            self._socket.close()
            self._ended(self.left)

    def cancel(self) -> None:
        """The connection is dropped: whoever reads finds its end."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    async def _in_thread(self, call: Callable[..., int], *given: Any) -> int:
        """Call in a thread, which has ended when this does, however it ends: the file is closed then."""
        work = asyncio.get_running_loop().run_in_executor(_THREADS, call, *given)
        return await to_its_end(work, self._stop)

    def _stop(self) -> None:
        self._is_over = True

    def _take_early(self, put: Callable[[memoryview], None]) -> int:
        put(memoryview(self._early))
        return len(self._early)

    def _drain(self, put: Callable[[memoryview], None], buffer: memoryview, most: int, wait_ms: int) -> int:
        """Read what is there, or comes within `wait_ms`, but hardly more than `most`, and not for long.

        A client that sends one byte at a time must not keep a thread from the others.
        """
        count, end = 0, time.monotonic() + _SECONDS
        while self.left and count < most and not self._is_over and time.monotonic() < end:
            try:
                size = self._socket.recv_into(buffer, min(len(buffer), self.left))
            except (BlockingIOError, InterruptedError):
                if not wait_ms or not _poll(self._socket, wait_ms):
                    break
                continue
            except OSError:
                raise ClientDisconnected from None
            if size == 0:
                raise ClientDisconnected
            put(buffer[:size])
            self.left -= size
            count += size
        return count

    async def _readable(self, loop: asyncio.AbstractEventLoop, timeout: float) -> None:  # noqa: ASYNC109 - as `pour`
        came: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self._socket, _set, came)
        try:
            async with asyncio.timeout(timeout):
                await came
        except TimeoutError:
            raise late(f"No byte of the body came for {timeout:g} s.") from None
        finally:
            loop.remove_reader(self._socket)


def _poll(waiting: socket.socket, milliseconds: int) -> bool:
    poll = select.poll()
    poll.register(waiting, select.POLLIN)
    return bool(poll.poll(milliseconds))


def _set(came: asyncio.Future[None]) -> None:
    if not came.done():
        came.set_result(None)
