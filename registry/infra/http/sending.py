"""Sends a stretch of a file on a connection's own socket, by the kernel, without copies into this process."""

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Final

from registry.infra.http.answers import Stretch

_TURN: Final = 8
_PIECE: Final = 1 << 20


class FileSender:
    """One answer with a file in it, on `own`, a duplicate of the socket, because the event loop owns the original.

    Nothing else may be in the transport's buffer, or be written to it, until `ended` is called: with None, or with the
    reason why not all was sent.

    Attributes:
        left: bytes of the file that have not been taken by the kernel.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        own: socket.socket,
        head: bytes,
        descriptor: int,
        stretch: Stretch,
        ended: Callable[[Exception | None], None],
    ) -> None:
        self._loop = loop
        self._head = head
        self._file = descriptor
        self._at = stretch.start
        self.left = stretch.size
        self._ended = ended
        self._socket = own
        self._waits = False

    def start(self) -> None:
        """Send what the kernel takes now; the rest as the client takes it."""
        self._go()

    def cancel(self, error: Exception) -> None:
        """Send no more: the connection is gone."""
        if self._socket.fileno() >= 0:
            self._finish(error)

    def _go(self) -> None:
        try:
            for _ in range(_TURN):
                if not self._send():
                    self._finish(None)
                    return
        except (BlockingIOError, InterruptedError):
            pass
        except OSError as error:
            self._finish(error)
            return
        if not self._waits:
            self._waits = True
            self._loop.add_writer(self._socket, self._go)

    def _send(self) -> bool:
        """Hand one piece to the kernel; False when all of it is there."""
        if self._head:
            sent = self._socket.send(self._head, socket.MSG_MORE if self.left else 0)
            self._head = self._head[sent:]
        elif self.left:
            sent = os.sendfile(self._socket.fileno(), self._file, self._at, min(self.left, _PIECE))
            if sent == 0:
                raise OSError("a stored object is shorter than its row says")
            self._at += sent
            self.left -= sent
        return bool(self._head or self.left)

    def _finish(self, error: Exception | None) -> None:
        if self._waits:
            self._loop.remove_writer(self._socket)
        self._socket.close()
        os.close(self._file)
        self._ended(error)
