"""The host calls of the import module `gati`: how a WASM agent reaches the network (docs/artifacts/agents.md).

`http_request(request: i32, length: i32) -> i32` takes a JSON request in the agent's memory and gives the status of the
answer, or a negative number: one of `Refusal`. `http_read(part: i32, into: i32, length: i32) -> i32` copies the next
bytes of a part of the last answer: 0 its body, 1 its header as `name: value` lines, 2 the reason of a refusal.
"""

import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final, Protocol

REQUEST_LIMIT: Final = 1 << 20
"""Bytes of a request document."""

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_HEADERS: Final = 64
_HEADER: Final = 8192
_OURS: Final = frozenset({"host", "connection", "content-length", "transfer-encoding", "upgrade", "te", "expect"})


class Refusal(IntEnum):
    """Why there is no answer."""

    DENIED = -1
    MALFORMED = -2
    UNREACHABLE = -3
    TOO_LARGE = -4
    TOO_LATE = -5


class RefusedCall(Exception):
    """There is no answer: the refusal, and a sentence on it."""

    def __init__(self, refusal: Refusal, reason: str) -> None:
        super().__init__(reason)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class Request:
    """What an agent wants to send."""

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Memory(Protocol):
    """The memory of the agent; addresses outside raise IndexError."""

    def read(self, start: int, length: int) -> bytes:
        """Bytes of it."""

    def write(self, start: int, content: bytes) -> None:
        """Put bytes into it."""


class HostCalls:
    """The calls of one agent, over what sends its requests."""

    def __init__(self, send: Callable[[Request], Reply]) -> None:
        self._send = send
        self._parts = [b"", b"", b""]

    def http_request(self, memory: Memory, start: int, length: int) -> int:
        """Send the request at `start`; the status of the answer, or a Refusal."""
        self._parts = [b"", b"", b""]
        try:
            reply = self._send(request_of(_bytes(memory, start, length)))
        except RefusedCall as refused:
            self._parts[2] = str(refused).encode()
            return refused.refusal
        lines = "".join(f"{name}: {value}\n" for name, value in reply.headers)
        self._parts = [reply.body, lines.encode(), b""]
        return reply.status

    def http_read(self, memory: Memory, part: int, start: int, length: int) -> int:
        """Copy the next bytes of a part of the last answer; how many, 0 at its end."""
        if not 0 <= part < len(self._parts) or length < 0:
            return Refusal.MALFORMED
        piece = self._parts[part][:length]
        try:
            memory.write(start, piece)
        except IndexError:
            return Refusal.MALFORMED
        self._parts[part] = self._parts[part][len(piece) :]
        return len(piece)


def _bytes(memory: Memory, start: int, length: int) -> bytes:
    if not 0 <= length <= REQUEST_LIMIT:
        raise RefusedCall(Refusal.TOO_LARGE, f"A request has at most {REQUEST_LIMIT >> 20} MiB.")
    try:
        return memory.read(start, length)
    except IndexError:
        raise RefusedCall(Refusal.MALFORMED, "The request lies outside of the memory of the agent.") from None


def request_of(raw: bytes) -> Request:
    """The request that a document is.

    Raises:
        RefusedCall: it is none.
    """
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise RefusedCall(Refusal.MALFORMED, "A request is a JSON object with method, url, headers and body.")
    method, url = document.get("method", "GET"), document.get("url")
    if method not in _METHODS or not isinstance(url, str) or not url.isprintable():
        raise RefusedCall(Refusal.MALFORMED, f"A request has a url, and a method of {', '.join(sorted(_METHODS))}.")
    return Request(method, url, _headers(document.get("headers") or {}), _body(document))


def _headers(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or len(value) > _HEADERS:
        raise RefusedCall(Refusal.MALFORMED, f"headers is an object of at most {_HEADERS} strings.")
    for name, text in value.items():
        fits = isinstance(text, str) and len(name) + len(text) <= _HEADER and (name + text).isascii()
        if not fits or not name.replace("-", "").replace("_", "").isalnum() or not text.isprintable():
            raise RefusedCall(Refusal.MALFORMED, f"The field {name[:50]!r} is none of a header.")
        if name.lower() in _OURS or name.lower().startswith("proxy-"):
            raise RefusedCall(Refusal.MALFORMED, f"The field {name} is not the agent's to set.")
    return value


def _body(document: dict[str, Any]) -> bytes:
    text, encoded = document.get("body", ""), document.get("bodyBase64", "")
    try:
        return base64.b64decode(encoded, validate=True) if encoded else str(text).encode()
    except (binascii.Error, TypeError, ValueError):
        raise RefusedCall(Refusal.MALFORMED, "bodyBase64 is not base64.") from None
