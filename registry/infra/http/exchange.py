"""The sending side of one request, as the application gets it."""

import os
from collections.abc import Awaitable, Callable
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from registry.infra.http.answers import ZERO_COPY
from registry.infra.http.body import ClientDisconnected

_LENGTH: Final = b"content-length"
_EXTENSIONS: Final[dict[str, dict[str, Any]]] = {ZERO_COPY: {}}
_END: Final[Message] = {"type": "http.response.body", "body": b"", "more_body": False}
SendFile = Callable[[int, int, int], Awaitable[None]]


class Exchange:
    """An application around `app` for the one request of `cycle`.

    Sending to a client that has gone raises `ClientDisconnected`, so that nobody reads a blob for no one. An answer
    that comes before the whole body says that the connection closes, unless the rest is at most `drain` bytes.
    """

    __slots__ = ("_app", "_cycle", "_drain", "_send_file")

    def __init__(self, app: ASGIApp, cycle: RequestResponseCycle, drain: int, send_file: SendFile | None) -> None:
        self._app = app
        self._cycle = cycle
        self._drain = drain
        self._send_file = send_file

    def __call__(self, scope: Scope, receive: Receive, _: Send) -> Awaitable[None]:
        """Run the application; where files can be sent, with the zero copy extension of ASGI."""
        if self._send_file is not None:
            scope["extensions"] = _EXTENSIONS
        return self._app(scope, receive, self._send)

    async def _send(self, message: Message) -> None:
        cycle = self._cycle
        if cycle.disconnected:
            raise ClientDisconnected
        if cycle.more_body and not cycle.response_started and self._is_long():
            cycle.keep_alive = False
        if self._send_file is not None and message["type"] == ZERO_COPY:
            await self._send_file(os.dup(message["file"]), message["offset"], message["count"])
            cycle.expected_content_length = 0
            message = _END
        await cycle.send(message)  # type: ignore[arg-type]  # uvicorn spells ASGI messages out as typed dictionaries

    def _is_long(self) -> bool:
        """Whether the rest of the body may be more than is worth reading (RFC 9112, section 9.3)."""
        if self._cycle.waiting_for_100_continue:
            return True
        lengths = [value for name, value in self._cycle.scope["headers"] if name == _LENGTH]
        return not lengths or int(lengths[0]) > self._drain
