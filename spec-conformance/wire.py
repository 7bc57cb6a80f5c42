"""HTTP/1.1 by hand: for requests that no client library sends, and connections that break."""

import contextlib
import socket
import ssl
import struct
from dataclasses import dataclass

import httpx


@dataclass(frozen=True, slots=True)
class Answer:
    """A response as it came; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Wire:
    """One connection to the registry."""

    def __init__(self, root: httpx.URL, *, timeout: float, verify: bool = True) -> None:
        port = root.port or (443 if root.scheme == "https" else 80)
        self.host = root.netloc.decode()
        connection = socket.create_connection((root.host, port), timeout)
        if root.scheme == "https":
            context = ssl.create_default_context() if verify else ssl._create_unverified_context()  # noqa: S323, SLF001 - asked for by --insecure
            connection = context.wrap_socket(connection, server_hostname=root.host)
        self._socket = connection
        self._lines = connection.makefile("rb")

    def head(self, method: str, target: str, **headers: str) -> None:
        """Send the request line and the headers; names are written with underscores."""
        fields = {"Host": self.host} | {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        self.send("\r\n".join([*lines, "", ""]).encode("latin-1"))

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._socket.sendall(data)

    def finish(self) -> None:
        """Say that no more bytes come, and go on listening."""
        self._socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Break the connection, as a crash or a lost network does."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._lines.close()
        self._socket.close()

    def drain(self) -> None:
        """Wait until the registry ends the connection, whatever it says before."""
        with contextlib.suppress(ConnectionError):
            while self._lines.read(65536):
                pass

    def answer(self, *, bodiless: bool = False) -> Answer:
        """Read one response, interim ones included; `bodiless` is for HEAD.

        Raises:
            ConnectionError: the connection ended before the status line.
        """
        line = self._lines.readline()
        if not line:
            raise ConnectionError("the registry closed the connection without an answer")
        status = int(line.split()[1])
        headers: dict[str, str] = {}
        while (field := self._lines.readline().strip()) != b"":
            name, _, value = field.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        return Answer(status, headers, b"" if bodiless else self._body(status, headers))

    def _body(self, status: int, headers: dict[str, str]) -> bytes:
        if status < 200 or status in {204, 304}:
            return b""
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return b"".join(self._chunks())
        if "content-length" in headers:
            return self._lines.read(int(headers["content-length"]))
        return self._lines.read()

    def _chunks(self) -> list[bytes]:
        chunks: list[bytes] = []
        while size := int(self._lines.readline().split(b";")[0], 16):
            chunks.append(self._lines.read(size))
            self._lines.readline()
        self._lines.readline()
        return chunks
