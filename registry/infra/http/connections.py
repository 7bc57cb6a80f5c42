"""How many connections a process has, and taking in new ones only while there is room."""

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

_PAUSE: Final = 0.1
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_log = structlog.get_logger("registry.connections")


class Connections:
    """A count of connections under a limit, from `accept` to the loss of the connection.

    Attributes:
        full: the limit is reached; who answers now asks the client to close.
        empty: set while there is none.
    """

    def __init__(self, limit: int) -> None:
        self._limit = max(1, limit)
        self._count = 0
        self._room: Callable[[], None] | None = None
        self.full = False
        self.empty = asyncio.Event()
        self.empty.set()

    def on_room(self, call: Callable[[], None]) -> None:
        """Call this when a full house has room again."""
        self._room = call

    def enter(self) -> None:
        """One more."""
        self._count += 1
        self.full = self._count >= self._limit
        self.empty.clear()

    def leave(self) -> None:
        """One less."""
        self._count -= 1
        if self._count == 0:
            self.empty.set()
        if self.full:
            self.full = False
            if self._room is not None:
                self._room()


class Acceptor:
    """Takes connections off a listening socket; at the limit they wait in its backlog.

    `connect` makes a connection of an accepted socket; `evict` closes an idle connection, if there is one.
    """

    def __init__(
        self,
        listener: socket.socket,
        connections: Connections,
        connect: Callable[[socket.socket], Awaitable[None]],
        evict: Callable[[], None],
    ) -> None:
        self._listener = listener
        self._connections = connections
        self._connect = connect
        self._evict = evict
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Future[None]] = set()
        self._open = False
        connections.on_room(self._resume)

    def start(self) -> None:
        """Begin to accept."""
        self._open = True
        self._resume()

    def close(self) -> None:
        """Accept no more; the socket stays the caller's."""
        self._open = False
        self._pause()

    def _pause(self) -> None:
        self._loop.remove_reader(self._listener)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _resume(self) -> None:
        self._timer = None
        if self._open and not self._connections.full:
            self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        # One a turn: several processes on one socket share a burst, and what is in progress goes on.
        try:
            accepted, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:
            self._wait(error)
            return
        self._connections.enter()
        task = asyncio.ensure_future(self._connect(accepted))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self._connections.full:
            self._pause()
            self._evict()

    def _wait(self, error: OSError) -> None:
        """Descriptors are used up, or the network failed: the backlog holds the connection meanwhile."""
        if error.errno in _EXHAUSTED:
            _log.warning("cannot accept", reason=error.strerror)
            self._evict()
        self._pause()
        self._timer = self._loop.call_later(_PAUSE, self._resume)
