"""An answer as a value, and how it is sent."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from starlette.types import Scope, Send

ZERO_COPY: Final = "http.response.zerocopysend"
Headers = list[tuple[bytes, bytes]]
_PIECE: Final = 512 * 1024
_LINES: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}


def status_line(status: int) -> bytes:
    """The first line of an answer."""
    return _LINES[status]


@dataclass(frozen=True, slots=True)
class Stretch:
    """`size` bytes of a file from `start` on; `open` gives a descriptor that the caller closes."""

    open: Callable[[], int]
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers with names in lower case, and a body in memory or in a file.

    `is_lasting`: it is the answer for everybody who may ask until what it tells changes.
    """

    status: int
    headers: Headers
    body: bytes = b""
    file: Stretch | None = None
    is_lasting: bool = False

    def head(self) -> bytes:
        """The status line and these headers."""
        return status_line(self.status) + b"".join([b"%b: %b\r\n" % pair for pair in self.headers])

    async def send(self, scope: Scope, send: Send, count: Callable[[int], Any]) -> None:
        """Send it over ASGI; `count` learns of the bytes that come from a file."""
        if self.file is not None and scope["method"] != "HEAD":
            await self._send_file(self.file, scope, send, count)
            return
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        body = b"" if scope["method"] == "HEAD" else self.body
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _send_file(self, file: Stretch, scope: Scope, send: Send, count: Callable[[int], Any]) -> None:
        descriptor = file.open()
        try:
            await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
            if ZERO_COPY in scope.get("extensions", ()):
                await send({"type": ZERO_COPY, "file": descriptor, "offset": file.start, "count": file.size})
                count(file.size)
            else:
                await _send_pieces(descriptor, file, send, count)
        finally:
            os.close(descriptor)


async def _send_pieces(descriptor: int, file: Stretch, send: Send, count: Callable[[int], Any]) -> None:
    """Send at the client's pace: over TLS, or through a server that cannot send files."""
    at, stop = file.start, file.start + file.size
    while at < stop:
        piece = await asyncio.to_thread(os.pread, descriptor, min(_PIECE, stop - at), at)
        if not piece:
            raise OSError("a stored object is shorter than its row says")
        at += len(piece)
        count(len(piece))
        await send({"type": "http.response.body", "body": piece, "more_body": at < stop})
