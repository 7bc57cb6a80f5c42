"""A real server on a free loopback port, in the loop of the tests, and raw connections to it."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from registry.infra.http.boundary import Boundary
from registry.infra.http.server import ServerOptions, bind, serve_one

Handler = Callable[[Scope, Receive, Send], Awaitable[None]]


@dataclass
class Answer:
    """One response as it came."""

    status: int
    headers: dict[str, str]
    body: bytes = b""


@dataclass
class Peer:
    """A client that sends what it is told."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, *parts: bytes) -> None:
        self.writer.write(b"".join(parts))
        await self.writer.drain()

    async def answer(self, *, has_body: bool = True) -> Answer:
        """The next response, framed by its Content-Length."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = dict(line.split(": ", 1) for line in head[1:] if line)
        answer = Answer(int(head[0].split()[1]), {name.lower(): value for name, value in fields.items()})
        if has_body:
            answer.body = await self.reader.readexactly(int(answer.headers.get("content-length", "0")))
        return answer

    async def rest(self) -> bytes:
        """Everything until the server ends its sending side."""
        return await self.reader.read()

    async def close(self) -> None:
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except OSError:
            return


@dataclass
class Running:
    """A server and how to reach it."""

    port: int
    stop: asyncio.Event
    task: "asyncio.Task[None]"
    stack: AsyncExitStack
    tls: Any = None
    peers: list[Peer] = field(default_factory=list)

    async def connect(self) -> Peer:
        peer = Peer(*await asyncio.open_connection("127.0.0.1", self.port, ssl=self.tls))
        self.stack.push_async_callback(peer.close)
        return peer

    async def exchange(self, *parts: bytes) -> bytes:
        """Send, then everything that comes until the server closes."""
        peer = await self.connect()
        await peer.send(*parts)
        return await peer.rest()


def living(handler: Handler) -> ASGIApp:
    """An application with a lifespan that does nothing."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await handler(scope, receive, send)
            return
        kind = ""
        while not kind.endswith("shutdown"):
            kind = (await receive())["type"]
            await send({"type": f"{kind}.complete"})

    return app


async def reply(send: Send, status: int = 200, body: bytes = b"ok", *headers: tuple[bytes, bytes]) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [length, *headers]})
    await send({"type": "http.response.body", "body": body})


async def whole(receive: Receive) -> bytes:
    """The body of a request."""
    parts: list[bytes] = []
    message: Message = {"more_body": True}
    while message.get("more_body"):
        message = await receive()
        parts.append(message["body"])
    return b"".join(parts)


def options(tmp: Path | None = None, **given: Any) -> ServerOptions:
    """Options with room for a test, with a certificate if `tmp` has one."""
    chain, key = (tmp / "certificate.pem", tmp / "key.pem") if tmp else (None, None)
    defaults = {"header_timeout": 10.0, "shutdown_timeout": 10.0}
    return ServerOptions("127.0.0.1", 0, chain, key, **(defaults | given))


Serve = Callable[..., Awaitable[Running]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Start servers around handlers; they end, and their connections close, after the test."""
    async with AsyncExitStack() as stack:

        async def start(handler: Handler, tls: Any = None, at: ServerOptions | None = None, **given: Any) -> Running:
            chosen = at or options(**given)
            listener = bind(chosen)
            stop, started = asyncio.Event(), asyncio.Event()
            app = Boundary(living(handler))
            task = asyncio.create_task(serve_one(app, chosen, listener, started.set, stop))

            async def end() -> None:
                stop.set()
                await task

            stack.push_async_callback(end)
            await started.wait()
            return Running(listener.getsockname()[1], stop, task, stack, tls)

        yield start


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate for 127.0.0.1 and its key."""
    folder = tmp_path_factory.mktemp("tls")
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=localhost"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")]
    made = subprocess.run(
        ["openssl", "req", "-x509", "-nodes", "-days", "9", *kind, "-addext", "subjectAltName=IP:127.0.0.1", *files],
        capture_output=True,
        check=False,
    )
    if made.returncode != 0:
        pytest.skip("openssl makes no certificate here")
    return folder


def trusting(certificate: Path) -> ssl.SSLContext:
    """What a client needs to trust it."""
    return ssl.create_default_context(cafile=str(certificate / "certificate.pem"))
