"""The sending side of one request, as the application gets it."""

import os
from collections.abc import Awaitable
from typing import Final, Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from registry.infra.http.answers import ZERO_COPY, status_line
from registry.infra.http.body import ClientDisconnected
from registry.infra.http.direct import DIRECT, DirectBody

_LENGTH: Final = b"content-length"
_END: Final[Message] = {"type": "http.response.body", "body": b"", "more_body": False}


class Plain(Protocol):
    """What a connection without TLS can do by its socket alone."""

    async def send_file(self, descriptor: int, start: int, size: int) -> None:
        """Send a stretch of a file after the head."""

    def direct_body(self) -> DirectBody | None:
        """The body of the running request, to be read past the event loop; None where that cannot be."""


class Exchange:
    """An application around `app` for the one request of `cycle`.

    The head of an answer waits for its first piece. Sending to a client that has gone raises `ClientDisconnected`, so
    that nobody reads a blob for no one. An answer that comes before the whole body says that the connection closes,
    unless the rest is at most `drain` bytes.
    """

    __slots__ = ("_app", "_cycle", "_drain", "_extensions", "_send_file", "_start")

    def __init__(self, app: ASGIApp, cycle: RequestResponseCycle, drain: int, plain: "Plain | None") -> None:
        self._app = app
        self._cycle = cycle
        self._drain = drain
        self._start: Message | None = None
        self._send_file = plain.send_file if plain else None
        self._extensions = {ZERO_COPY: {}, DIRECT: plain.direct_body} if plain else {}

    def __call__(self, scope: Scope, receive: Receive, _: Send) -> Awaitable[None]:
        """Run the application, with the zero copy extension of ASGI and direct bodies where there is no TLS."""
        scope["extensions"] = self._extensions
        return self._app(scope, receive, self._send)

    async def _send(self, message: Message) -> None:
        cycle, start = self._cycle, self._start
        if cycle.disconnected:
            raise ClientDisconnected
        if message["type"] == "http.response.start":
            self._start = message
            return
        if start is not None:
            self._start = None
            if cycle.more_body and self._is_long():
                cycle.keep_alive = False
            if message["type"] == "http.response.body" and not message.get("more_body") and _is_short(start, cycle):
                await self._send_whole(start, message.get("body", b""))
                return
            await cycle.send(start)  # type: ignore[arg-type]  # uvicorn spells messages out as typed dictionaries
        if self._send_file is not None and message["type"] == ZERO_COPY:
            await self._send_file(os.dup(message["file"]), message["offset"], message["count"])
            cycle.expected_content_length = 0
            message = _END
        await cycle.send(message)  # type: ignore[arg-type]  # as above

    async def _send_whole(self, start: Message, body: bytes) -> None:
        """Head and body in one write, where uvicorn makes two."""
        cycle = self._cycle
        if cycle.flow.write_paused:
            await cycle.flow.drain()
            if cycle.disconnected:
                raise ClientDisconnected
        lines = [status_line(start["status"])]
        lines += [b"%b: %b\r\n" % pair for pair in (*cycle.default_headers, *start["headers"])]
        if not cycle.keep_alive:
            lines.append(b"connection: close\r\n")
        head = b"".join([*lines, b"\r\n"])
        if head.count(b"\n") != len(lines) + 1:
            raise RuntimeError("a header field holds a line end")
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        cycle.transport.write(head if cycle.scope["method"] == "HEAD" else head + body)
        cycle.message_event.set()
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()

    def _is_long(self) -> bool:
        """Whether the rest of the body may be more than is worth reading (RFC 9112, section 9.3)."""
        length = content_length(self._cycle)
        return self._cycle.waiting_for_100_continue or length is None or length > self._drain


def _is_short(start: Message, cycle: RequestResponseCycle) -> bool:
    """Whether an answer can go out as it is: with a known length, and without a word on the connection."""
    names = [name for name, _ in start["headers"]]
    has_length = b"content-length" in names or start["status"] in {204, 304}
    return has_length and b"connection" not in names and not cycle.response_started


def content_length(cycle: RequestResponseCycle) -> int | None:
    """What the request says of its body; None for a chunked one."""
    for name, value in cycle.scope["headers"]:
        if name == _LENGTH:
            return int(value)
    return None
