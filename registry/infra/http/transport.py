"""A transport whose `close` first lets the client read the last answer."""

import asyncio
from collections.abc import Callable
from typing import Any


class Outlet:
    """What the protocol and its exchanges see of a transport.

    The calls of a request are bound once, so that they cost nothing more than those of the transport itself.
    `close` is the protocol's decision; `mute` turns the outlet into one that takes nothing more.
    """

    __slots__ = ("close", "get_extra_info", "is_closing", "pause_reading", "raw", "resume_reading", "write")

    def __init__(self, raw: asyncio.Transport, close: Callable[[], None]) -> None:
        self.raw = raw
        self.write: Callable[[Any], None] = raw.write
        self.is_closing: Callable[[], bool] = raw.is_closing
        self.pause_reading = raw.pause_reading
        self.resume_reading = raw.resume_reading
        self.get_extra_info = raw.get_extra_info
        self.close = close

    def mute(self) -> None:
        """Take no more bytes, and say that the connection closes."""
        self.write = _discard
        self.is_closing = _yes


def _discard(_: Any) -> None:
    return None


def _yes() -> bool:
    return True
