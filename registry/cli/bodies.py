"""Bodies of answers, no longer than they may be."""

import httpx

from registry.cli.problems import Unreachable


def bounded(response: httpx.Response, limit: int) -> bytes:
    """The body of an answer that is a stream.

    Raises:
        Unreachable: it has more than `limit` bytes.
        httpx.HTTPError: the connection ends before it does.
    """
    content = bytearray()
    for piece in response.iter_bytes():
        content += piece
        if len(content) > limit:
            raise Unreachable(f"{response.url.host} answers with more than {limit >> 10} KiB, which is not read.")
    return bytes(content)
