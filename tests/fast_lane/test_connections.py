"""Answers from memory keep a connection's rules: order, memory, time, the end."""

import asyncio
import contextlib
import socket
from pathlib import Path
from typing import Any

import pytest
import uvloop

from registry.infra.http.answers import ZERO_COPY
from registry.infra.http.body import ClientDisconnected
from registry.infra.http.limits import Limits
from registry.infra.http.protocol import RegistryProtocol
from registry.infra.http.server import bind, serve_one
from tests.fast_lane.conftest import Registry, Start, get
from tests.infra.http.conftest import living, options
from tests.pushing import push_blob, push_image

LATEST = get("/v2/a/manifests/latest")


@pytest.fixture
def protocols(monkeypatch: pytest.MonkeyPatch) -> list[RegistryProtocol]:
    """The connections of the server, as they come."""
    found: list[RegistryProtocol] = []
    made = RegistryProtocol.connection_made

    def noted(self: RegistryProtocol, transport: Any) -> None:
        found.append(self)
        made(self, transport)

    monkeypatch.setattr(RegistryProtocol, "connection_made", noted)
    return found


async def hot(start: Start, **given: Any) -> Registry:
    registry = await start(**given)
    await push_image(registry.client, "a", b"layer", annotations={"large": "x" * 100_000})
    await registry.heat(LATEST)
    return registry


async def test_a_client_that_asks_and_never_reads_fills_no_memory(
    start: Start, protocols: list[RegistryProtocol]
) -> None:
    registry = await hot(start)
    known = len(protocols)
    peer = await registry.connect()
    peer.writer.transport.pause_reading()  # type: ignore[attr-defined]  # the transport of a stream can read
    while len(protocols) == known:  # noqa: ASYNC110 - the server's loop is this one
        await asyncio.sleep(0)
    server = protocols[-1]
    while not server.flow.write_paused:
        answered = len(registry.hits)
        peer.writer.write(LATEST)
        while len(registry.hits) == answered:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0)
    most = server._outlet.raw.get_write_buffer_size()
    for _ in range(1000):
        peer.writer.write(LATEST)
        await asyncio.sleep(0)
    for _ in range(100):
        await asyncio.sleep(0)
        assert server._outlet.raw.get_write_buffer_size() <= max(most, 200_000)
    assert len(registry.hits) == answered + 1
    peer.writer.transport.resume_reading()  # type: ignore[attr-defined]  # as above
    first = (await registry.ask(LATEST)).body
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            assert (await peer.answer()).body == first


async def test_an_idle_connection_is_closed_silently_after_an_answer_from_memory(start: Start) -> None:
    registry = await hot(start, limits=Limits(keep_alive=0.05))
    for requests in (1, 3):
        peer = await registry.connect()
        for _ in range(requests):
            await peer.send(LATEST)
            assert (await peer.answer()).status == 200
        assert await peer.rest() == b""


async def test_headers_that_stop_after_an_answer_from_memory_are_408(start: Start) -> None:
    registry = await hot(start, header_timeout=0.2)
    peer = await registry.connect()
    await peer.send(LATEST)
    assert (await peer.answer()).status == 200
    await peer.send(LATEST[:20])
    assert (await peer.answer()).status == 408


async def test_a_connection_that_memory_answered_is_not_taken_for_a_new_one(
    start: Start, protocols: list[RegistryProtocol]
) -> None:
    registry = await hot(start)
    peer = await registry.connect()
    await peer.send(LATEST)
    await peer.answer()
    server, now = protocols[-1], asyncio.get_running_loop().time()
    assert now + 25 < server.idle_until < now + 31
    await peer.send(get("/v2/_catalog"))
    assert (await peer.answer()).status == 200
    assert server.idle_until < now + 31
    server.retire()
    assert await peer.rest() == b""


async def test_a_stop_closes_what_memory_answered_and_a_full_house_asks_to_close(start: Start) -> None:
    registry = await hot(start, max_connections=2)
    await registry.client.aclose()
    peers = [await registry.connect() for _ in range(2)]
    await peers[0].send(LATEST)
    await peers[1].send(LATEST)
    answers = [await peer.answer() for peer in peers]
    assert [answer.status for answer in answers] == [200, 200]
    assert "close" in [answer.headers.get("connection") for answer in answers]
    registry.running.stop.set()
    for peer in peers:
        assert await peer.rest() == b""
    await registry.running.task


async def test_an_upload_and_answers_from_memory_share_a_connection(start: Start) -> None:
    registry = await hot(start)
    peer = await registry.connect()
    for number in range(5):
        opened = await registry.client.post("/v2/a/blobs/uploads/")
        body = LATEST * (5000 + number)
        await peer.send(LATEST)
        assert (await peer.answer()).status == 200
        place = opened.headers["location"]
        await peer.send(get(place, f"Content-Length: {len(body)}", method="PATCH"), body, LATEST)
        assert (await peer.answer()).status == 202
        assert (await peer.answer()).status == 200
        assert (await registry.client.get(place)).headers["range"] == f"0-{len(body) - 1}"
    await push_blob(registry.client, "a", LATEST)


async def _never_flushed(tmp_path: Path) -> None:
    """A connection is lost while its head waits to be taken; its descriptor is then another connection's."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret" * 1000)
    lost, victims = asyncio.get_running_loop().create_future(), list[socket.socket]()

    async def handler(scope: Any, receive: Any, send: Any) -> None:
        protocol = scope["extensions"]["gati.body.direct"].__self__
        raw = protocol._outlet.raw
        number = raw.get_extra_info("socket").fileno()
        raw.write(b"x" * 60_000_000)
        with secret.open("rb") as file:
            sending = asyncio.create_task(send({"type": ZERO_COPY, "file": file.fileno(), "offset": 0, "count": 6000}))
            await asyncio.sleep(0)
            raw.abort()
            while protocol._sender is None and not protocol.cycle.disconnected:  # noqa: ASYNC110 - the loop is ours
                await asyncio.sleep(0)
            while not victims or victims[-1].fileno() < number:
                victims.extend(socket.socketpair())
            with contextlib.suppress(ClientDisconnected):
                await sending
        lost.set_result([victim.fileno() for victim in victims])

    listener, stop, started = bind(options()), asyncio.Event(), asyncio.Event()
    port = listener.getsockname()[1]
    task = asyncio.create_task(serve_one(living(handler), options(), listener, started.set, stop))
    await started.wait()
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.transport.pause_reading()  # type: ignore[attr-defined]  # the transport of a stream can read
    writer.write(get("/"))
    await lost
    received = _received(victims)
    writer.close()
    stop.set()
    await task
    assert received == b""


def _received(sockets: list[socket.socket]) -> bytes:
    """What came to any of them; they are closed."""
    received = b""
    for one in sockets:
        one.setblocking(False)  # noqa: FBT003 - the name of the call says it
        with one, contextlib.suppress(BlockingIOError):
            received += one.recv(100)
    return received


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_a_file_never_goes_to_a_connection_that_has_the_descriptor_of_a_lost_one(tmp_path: Path, run: Any) -> None:
    run(_never_flushed(tmp_path))
