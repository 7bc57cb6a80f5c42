"""Request bodies: in pieces, within a time and a size."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from starlette.types import Receive

from registry.core.errors import RequestTimeout, TooLarge

_WHOLE: Final = 10


class ClientDisconnected(ConnectionError):
    """The client went away before its request, or the answer to it, was whole."""


async def chunks(receive: Receive, timeout: float) -> AsyncIterator[bytes]:  # noqa: ASYNC109 - the idle time of each piece
    """The pieces of a body as they come; none is empty.

    Raises:
        ClientDisconnected: the connection ended first.
        RequestTimeout: no byte came for `timeout` seconds; the connection closes (RFC 9110, section 15.5.9).
    """
    more = True
    while more:
        try:
            async with asyncio.timeout(timeout):
                message = await receive()
        except TimeoutError:
            raise late(f"No byte of the body came for {timeout:g} s.") from None
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        if message.get("body"):
            yield message["body"]
        more = message.get("more_body", False)


async def read_all(receive: Receive, limit: int, timeout: float, length: int | None = None) -> bytes:  # noqa: ASYNC109 - as above
    """A whole body of at most `limit` bytes; `length` is what its Content-Length says.

    Raises:
        TooLarge: it is longer, or says that it will be.
        RequestTimeout: as `chunks`, or it was not whole after ten times `timeout`.
        ClientDisconnected: as `chunks`.
    """
    if length is not None and length > limit:
        raise _long(limit)
    parts, size = [], 0
    try:
        async with asyncio.timeout(_WHOLE * timeout):
            async for piece in chunks(receive, timeout):
                size += len(piece)
                if size > limit:
                    raise _long(limit)
                parts.append(piece)
    except TimeoutError:
        raise late(f"The body was not whole after {_WHOLE * timeout:g} s.") from None
    return b"".join(parts)


def late(message: str) -> RequestTimeout:
    """The refusal of a body that does not come; the connection closes after it."""
    return RequestTimeout(message, headers={"Connection": "close"})


def _long(limit: int) -> TooLarge:
    return TooLarge(f"The body has more than {limit} bytes.")
