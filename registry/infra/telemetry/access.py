"""The access log: one line a request, written in batches, because it is in the way of every answer."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from json.encoder import encode_basestring_ascii as quoted
from typing import Final, NamedTuple, TextIO

_PAUSE: Final = 0.1
_BATCH: Final = 256
_PATH: Final = 500


class Access(NamedTuple):
    """A request that was answered at `time` after the epoch; `status` 499 means that the client had gone.

    `times` requests for the same that were answered from memory make one line, without an id and seconds of its own.
    """

    time: float
    request_id: str
    method: str
    path: str
    status: int
    seconds: float
    times: int = 1


class AccessLog:
    """Lines wait up to a tenth of a second, or for 255 others; `flush` writes them now."""

    def __init__(self, stream: TextIO, render: Callable[[Access], str]) -> None:
        self._stream = stream
        self._render = render
        self._lines: list[Access] = []
        self._is_due = False

    def write(self, access: Access) -> None:
        """Add a line; call it inside an event loop."""
        self._lines.append(access)
        if len(self._lines) >= _BATCH:
            self.flush()
        elif not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_later(_PAUSE, self._due)

    def _due(self) -> None:
        self._is_due = False
        self.flush()

    def flush(self) -> None:
        """Write what waits; a stream that is gone takes nothing."""
        lines, self._lines = self._lines, []
        if lines:
            with contextlib.suppress(OSError, ValueError):
                self._stream.write("".join(map(self._render, lines)))
                self._stream.flush()


def as_json(access: Access) -> str:
    """A JSON object and a line feed."""
    return (
        f'{{"event": "request", "request_id": "{access.request_id}", "method": {quoted(access.method[:_PATH])}, '
        f'"path": {quoted(access.path[:_PATH])}, "status": {access.status}, "ms": {access.seconds * 1000:.2f}, '
        f'"times": {access.times}, "level": "info", "timestamp": "{_time(access)}"}}\n'
    )


def as_text(access: Access) -> str:
    """A line for people."""
    return (
        f"{_time(access)} [info     ] {_plain(access.method)} {_plain(access.path)} {access.status} "
        f"{access.seconds * 1000:.2f} ms x{access.times} {access.request_id}\n"
    )


def _plain(text: str) -> str:
    """Without a character that begins a line or moves a cursor."""
    return text[:_PATH].encode("unicode_escape").decode()


def _time(access: Access) -> str:
    return datetime.fromtimestamp(access.time, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
