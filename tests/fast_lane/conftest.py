"""The whole application behind the real server, with the fast lane, and raw connections to it."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from registry.app import Application
from registry.config import load
from registry.infra.http.boundary import Boundary
from registry.infra.http.lane import Lane
from registry.infra.http.server import bind, serve_one
from tests.conftest import empty_database
from tests.infra.http.conftest import Answer, Peer, Running, certificate, options

__all__ = ["certificate"]  # a fixture of the server's tests

CLOSING = b"GET /v2/ HTTP/1.1\r\nHost: last\r\nConnection: close\r\n\r\n"
_CHANGING = re.compile(rb"(?:date|x-request-id): [^\r]*\r\n|req_[0-9a-f]+")


def get(path: str, *fields: str, method: str = "GET") -> bytes:
    """A request as the tests send it."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *fields, "", ""]).encode()


@dataclass
class Registry:
    """A registry that serves; `hits` are the lines of the requests that its lane answered."""

    app: Application
    running: Running
    client: httpx.AsyncClient
    hits: list[str]

    @property
    def lane(self) -> Lane:
        assert self.app.oci.lane is not None
        return self.app.oci.lane

    async def connect(self) -> Peer:
        return await self.running.connect()

    async def ask(self, request: bytes) -> Answer:
        """The answer to one request on a connection of its own."""
        peer = await self.connect()
        await peer.send(request)
        answer = await peer.answer(has_body=not request.startswith(b"HEAD"))
        await peer.close()
        return answer

    async def heat(self, request: bytes) -> Answer:
        """Ask until memory answers."""
        for _ in range(2):
            assert (await self.ask(request)).status == 200
        before = len(self.hits)
        answer = await self.ask(request)
        assert len(self.hits) == before + 1
        return answer

    async def refuses(self) -> None:
        """Wait until new connections are refused: the stop has been heard."""
        with contextlib.suppress(ConnectionRefusedError):
            while True:
                await (await self.connect()).close()

    async def talk(self, *segments: bytes) -> bytes:
        """All that comes for these segments, without what changes with time, and then for one request that closes."""
        peer = await self.connect()
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            for segment in segments:
                await peer.send(segment)
                for _turn in range(4):
                    await asyncio.sleep(0)
            answer = await peer.answer(has_body=not segments[0].startswith(b"HEAD"))
            await peer.send(CLOSING)
            shown = f"{answer.status} {sorted(answer.headers.items())}\r\n".encode() + answer.body
            shown = re.sub(rb"\('(date|x-request-id)', '[^']*'\)", b"", shown) + await peer.rest()
        await peer.close()
        return _CHANGING.sub(b"", shown)


Start = Callable[..., Awaitable[Registry]]


def _spied(lane: Lane | None, hits: list[str]) -> None:
    if lane is None:
        return
    head: Any = lane.head

    def counted(kept: Any) -> bytes:
        hits.append(f"{kept.label.method} {kept.label.path}")
        return bytes(head(kept))

    lane.head = counted  # type: ignore[method-assign]  # a test that looks


@pytest.fixture
async def start(environ: dict[str, str]) -> AsyncIterator[Start]:
    """Start registries on one empty database and one store."""
    await empty_database(environ["DATABASE_URL"])
    async with AsyncExitStack() as stack:

        async def begin(settings: dict[str, str] | None = None, tls: Any = None, **given: Any) -> Registry:
            app = Application(load(environ | {"SINGLE_HOST": "true"} | (settings or {})))
            at = given.pop("at", None) or options(**given)
            listener = bind(at)
            stop, started = asyncio.Event(), asyncio.Event()
            task = asyncio.create_task(serve_one(Boundary(app), at, listener, started.set, stop))

            async def end() -> None:
                stop.set()
                await task

            stack.push_async_callback(end)
            await started.wait()
            running = Running(listener.getsockname()[1], stop, task, stack, tls)
            base = f"{'https' if tls else 'http'}://127.0.0.1:{running.port}"
            client = await stack.enter_async_context(
                httpx.AsyncClient(base_url=base, timeout=30, verify=tls or False, headers={"Host": "localhost"})
            )
            hits: list[str] = []
            _spied(app.oci.lane, hits)
            return Registry(app, running, client, hits)

        yield begin
