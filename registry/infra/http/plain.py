"""What a connection without TLS does by its socket alone: sends files, hands bodies over."""

import asyncio
import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from registry.infra.http.answers import Stretch
from registry.infra.http.body import ClientDisconnected
from registry.infra.http.deadline import Deadline
from registry.infra.http.direct import DirectBody
from registry.infra.http.exchange import content_length
from registry.infra.http.limits import Limits
from registry.infra.http.parsing import RequestParser
from registry.infra.http.sending import FileSender

if TYPE_CHECKING:
    from registry.infra.http.transport import Outlet

_FLUSH_PAUSE: Final = 0.001


class PlainProtocol(HttpToolsProtocol):
    """The socket side of a connection; `RegistryProtocol` adds how it lives."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        loop: asyncio.AbstractEventLoop | None,
        limits: Limits,
    ) -> None:
        super().__init__(config, server_state, app_state, loop)
        self._limits = limits
        self._outlet: Outlet
        self._running: RequestResponseCycle | None = None
        self._sender: FileSender | None = None
        self._direct: DirectBody | None = None
        self._unsent = 0
        self._is_flushing = False
        self._deadline = Deadline(self.loop, self._give_up)
        self._wait = self._deadline.move

    def _give_up(self) -> None:
        """What was waited for did not come in time."""

    async def send_file(self, descriptor: int, start: int, size: int) -> None:
        """Send a stretch of a file after what was written; the sender closes `descriptor`.

        Raises:
            ClientDisconnected: the client went away, or took nothing for the write time-out.
        """
        sent: asyncio.Future[None] = self.loop.create_future()
        stretch = Stretch(lambda: descriptor, start, size)
        try:
            await self._flush()
            self._send(b"", descriptor, stretch, lambda error: _settle(sent, error))
        except BaseException:
            os.close(descriptor)
            raise
        await sent

    async def _flush(self) -> None:
        """Wait until the client has taken what was written before, as long as it takes something."""
        raw, pause = self._outlet.raw, 0.0
        self._unsent, self._is_flushing = raw.get_write_buffer_size(), True
        if self._unsent:
            self._wait(self._limits.write_timeout)
        try:
            while raw.get_write_buffer_size() and not raw.is_closing():
                await asyncio.sleep(pause)
                pause = _FLUSH_PAUSE
        finally:
            self._is_flushing = False
        if raw.is_closing():  # its descriptor may already be that of another connection
            raise ClientDisconnected

    def direct_body(self) -> DirectBody | None:
        """The body of the running request, to be read past this protocol; None where it came whole or in pieces."""
        cycle, length = self.cycle, content_length(self.cycle)
        if cycle is not self._running or not cycle.more_body or length is None or cycle.disconnected:
            return None
        try:
            own = duplicate(self._outlet.get_extra_info("socket"))
        except OSError:  # too many are open: this body needs none of its own
            return None
        self.flow.pause_reading()
        if cycle.waiting_for_100_continue:
            cycle.waiting_for_100_continue = False
            self._outlet.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        early, cycle.body = bytes(cycle.body), bytearray()
        self._direct = DirectBody(own, early, length - len(early), self._after_body)
        return self._direct

    def _after_body(self, left: int) -> None:
        """Read on: a body that was read to its end is no longer the parser's, the rest of another is discarded."""
        self._direct = None
        if self._outlet.is_closing():
            return
        if left:
            self.cycle.keep_alive = False
        else:
            self.parser = RequestParser(self)
            self.on_message_complete()
        self.flow.resume_reading()

    def _send(self, head: bytes, descriptor: int, stretch: Stretch, ended: Callable[[Exception | None], None]) -> None:
        """Send `head` and a stretch of a file, whose descriptor is the sender's from now on.

        Raises:
            OSError: too many files are open; nothing was sent, and the descriptor is the caller's.
        """

        def done(error: Exception | None) -> None:
            self._sender = None
            ended(error)

        own = duplicate(self._outlet.get_extra_info("socket"))
        self._sender = FileSender(self.loop, own, head, descriptor, stretch, done)
        self._unsent = stretch.size
        self._wait(self._limits.write_timeout)
        self._sender.start()

    def _drop_socket(self) -> None:
        """The connection is lost: nothing goes on past it."""
        if self._sender is not None:
            self._sender.cancel(ClientDisconnected())
        if self._direct is not None:
            self._direct.cancel()


def duplicate(original: socket.socket) -> socket.socket:
    """Another descriptor of a connection, which the event loop does not know."""
    return socket.fromfd(original.fileno(), original.family, original.type)


def _settle(waiting: asyncio.Future[None], error: Exception | None) -> None:
    if waiting.done():
        return
    if error is None:
        waiting.set_result(None)
    elif isinstance(error, ConnectionError):
        waiting.set_exception(ClientDisconnected(str(error)))
    else:
        waiting.set_exception(error)
