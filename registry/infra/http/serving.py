"""One server in one event loop: accepts, serves, finishes what is in flight."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from types import FrameType
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from registry.core.errors import Unavailable
from registry.infra.http.connections import Acceptor, Connections
from registry.infra.http.limits import Limits
from registry.infra.http.protocol import RegistryProtocol, Shared

STOPPING: Final = "stopping"
LANE: Final = "lane"
TICK: Final = "tick"
_TICK: Final = 1.0
_HANDSHAKE_SECONDS: Final = 10.0
_CANCEL_SECONDS: Final = 5.0


class Server(uvicorn.Server):
    """uvicorn's server with its own way of accepting and of stopping.

    SIGTERM, SIGINT or `stop` ends it in order; a second signal drops what is in flight. While it ends,
    the event `scope["state"]["stopping"]` is set.
    """

    def __init__(
        self,
        app: ASGIApp,
        limits: Limits,
        connections: Connections,
        grace: float,
        tls: ssl.SSLContext | None = None,
        started: Callable[[], None] | None = None,
    ) -> None:
        config = uvicorn.Config(
            app,
            http=RegistryProtocol,
            ws="none",
            loop="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
        )
        super().__init__(config)
        self._limits = limits
        self._house = connections
        self._tls = tls
        self._grace = grace
        self._acceptor: Acceptor | None = None
        self._loop = asyncio.get_running_loop()
        self._forced = asyncio.Event()
        self.stop = asyncio.Event()
        self._started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, then accept.

        Raises:
            Unavailable: the application did not start.
        """
        self.lifespan.state[STOPPING] = self.stop
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            raise Unavailable("The registry did not start; the log says why.")
        await self.on_tick(0)
        self._tell()
        assert sockets is not None  # noqa: S101 - `serve_one` binds before it serves
        self._acceptor = Acceptor(sockets[0], self._house, self._connect, self._evict)
        self._acceptor.start()
        self.started = True
        if self._started is not None:
            self._started()

    async def main_loop(self) -> None:
        """Keep the Date header right until the end comes."""
        while not self.stop.is_set():
            await self.on_tick(0)
            self._tell()
            await asyncio.wait({waiting := asyncio.ensure_future(self.stop.wait())}, timeout=_TICK)
            waiting.cancel()
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept no more, finish what is in flight within the grace, end the application."""
        if self._acceptor is not None:
            self._acceptor.close()
        for listener in sockets or []:
            listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        if not await self._finish(self._grace):
            for task in self.server_state.tasks:
                task.cancel()
            await self._finish(_CANCEL_SECONDS)
            self._abort()
        self._tell()
        await self.lifespan.shutdown()

    def _tell(self) -> None:
        """Once a second the application learns the headers that every answer carries (Date)."""
        tick = self.lifespan.state.get(TICK)
        if tick is not None:
            tick(self.server_state.default_headers)

    def handle_exit(self, sig: int, _: FrameType | None) -> None:
        """The first signal ends in order, the second at once."""
        self._captured_signals.append(sig)
        self._loop.call_soon_threadsafe(self._forced.set if self.should_exit else self.stop.set)
        self.should_exit = True

    async def _finish(self, seconds: float) -> bool:
        """Whether nothing was in flight any more after at most `seconds`."""
        idle = asyncio.ensure_future(self._idle())
        forced = asyncio.ensure_future(self._forced.wait())
        await asyncio.wait({idle, forced}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        forced.cancel()
        return idle.done() or not idle.cancel()

    async def _idle(self) -> None:
        await self._house.empty.wait()
        while self.server_state.tasks:
            await asyncio.wait(set(self.server_state.tasks))

    def _abort(self) -> None:
        for connection in list(self.server_state.connections):
            if isinstance(connection, RegistryProtocol):
                connection.abort()

    async def _connect(self, accepted: socket.socket) -> None:
        shared = Shared(self._limits, self._house, self.lifespan.state.get(LANE))
        protocol = RegistryProtocol(self.config, self.server_state, self.lifespan.state, self._loop, shared)
        seconds = _HANDSHAKE_SECONDS if self._tls is not None else None
        try:
            accepted.setblocking(False)  # noqa: FBT003 - the name of the call says it
            if accepted.family != socket.AF_UNIX:
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await self._loop.connect_accepted_socket(
                lambda: protocol, accepted, ssl=self._tls, ssl_handshake_timeout=seconds
            )
        except OSError:  # a client that left, or no TLS: ssl.SSLError and TimeoutError are OSErrors
            accepted.close()
        finally:
            if not protocol.was_connected:
                self._house.leave()

    def _evict(self) -> None:
        """Make room: close the connection that has been idle longest."""
        idle = [found for found in self.server_state.connections if isinstance(found, RegistryProtocol)]
        longest = min(idle, key=lambda found: found.idle_until, default=None)
        if longest is not None:
            longest.retire()


def tls_context(certificate: str, key: str) -> ssl.SSLContext:
    """TLS 1.2 and 1.3 for HTTP/1.1 with the ciphers of the standard library.

    Raises:
        OSError: the files cannot be read, or do not belong together.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key, password="")
    context.set_alpn_protocols(["http/1.1"])
    return context
