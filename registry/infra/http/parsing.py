"""The parser of requests, for a server that speaks nothing but HTTP/1.1."""

from typing import TYPE_CHECKING, Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    from array import array

_FRAMING: Final = (b"content-length", b"transfer-encoding")


class RequestParser(httptools.HttpRequestParser):
    """httptools' parser that reads the body of a request that offers another protocol, too.

    httptools takes what follows the headers of such a request for the other protocol. A server that ignores the offer
    reads it as the body that it is (RFC 9110, section 7.8), but nothing behind it: the connection closes.
    """

    def __init__(self, protocol: HttpToolsProtocol) -> None:
        super().__init__(_Calls(protocol))
        self.set_dangerous_leniencies(lenient_data_after_close=True)
        self._protocol = protocol
        self._body: httptools.HttpRequestParser | None = None

    def feed_data(self, data: "bytes | bytearray | memoryview | array[int]") -> None:
        """Parse.

        Raises:
            HttpParserError: it is not HTTP.
            HttpParserUpgrade: the request offers another protocol and has no body.
        """
        if self._body is not None:
            self._body.feed_data(data)
            return
        try:
            super().feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            framing = _framing(self._protocol)
            if not framing:
                raise
            self._body = httptools.HttpRequestParser(_BodyCalls(self._protocol))
            self._body.feed_data(b"POST / HTTP/1.1\r\n" + framing + b"\r\n")
            self._body.feed_data(memoryview(data)[offer.args[0] :])


class _Calls:
    """What the parser calls: the protocol, but a request whose body is still to be read is not complete."""

    def __init__(self, protocol: HttpToolsProtocol) -> None:
        self._protocol = protocol
        self.on_message_begin = protocol.on_message_begin
        self.on_url = protocol.on_url
        self.on_header = protocol.on_header
        self.on_headers_complete = protocol.on_headers_complete
        self.on_body = protocol.on_body

    def on_message_complete(self) -> None:
        if not (self._protocol.parser.should_upgrade() and _framing(self._protocol)):
            self._protocol.on_message_complete()


class _BodyCalls:
    """What the parser of one body calls; what follows that body is no part of it."""

    def __init__(self, protocol: HttpToolsProtocol) -> None:
        self._protocol = protocol
        self._is_whole = False

    def on_body(self, body: bytes) -> None:
        if not self._is_whole:
            self._protocol.on_body(body)

    def on_message_complete(self) -> None:
        if not self._is_whole:
            self._is_whole = True
            self._protocol.on_message_complete()


def _framing(protocol: HttpToolsProtocol) -> bytes:
    """The header lines that tell where the body of the current request ends."""
    found = [(name, value) for name, value in protocol.scope["headers"] if name in _FRAMING]
    return b"".join(name + b": " + value + b"\r\n" for name, value in found)
