"""Request bodies: in pieces, within a time and a size."""

import asyncio
from collections.abc import AsyncIterator

from starlette.types import Receive

from registry.core.errors import RequestTimeout, TooLarge


class ClientDisconnected(ConnectionError):
    """The client went away before its request was whole."""


async def chunks(receive: Receive, timeout: float) -> AsyncIterator[bytes]:  # noqa: ASYNC109 - the idle time of each piece
    """The pieces of a body as they come.

    Raises:
        ClientDisconnected: the connection ended first.
        RequestTimeout: no byte came for `timeout` seconds.
    """
    more = True
    while more:
        try:
            async with asyncio.timeout(timeout):
                message = await receive()
        except TimeoutError:
            raise RequestTimeout(
                f"No byte of the body came for {timeout:g} s.", headers={"Connection": "close"}
            ) from None
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        if message.get("body"):
            yield message["body"]
        more = message.get("more_body", False)


async def read_all(receive: Receive, limit: int, timeout: float) -> bytes:  # noqa: ASYNC109 - as above
    """A whole body of at most `limit` bytes.

    Raises:
        TooLarge: it is longer.
        ClientDisconnected, RequestTimeout: as `chunks`.
    """
    parts, length = [], 0
    async for piece in chunks(receive, timeout):
        length += len(piece)
        if length > limit:
            raise TooLarge(f"The body has more than {limit} bytes.")
        parts.append(piece)
    return b"".join(parts)
