"""Large blobs go from their file to the socket: whole, to the right client, or not at all."""

import asyncio
import contextlib
import os
import socket
import struct
from pathlib import Path

import pytest

from registry.infra.http.limits import Limits
from tests.fast_lane.conftest import Registry, Start, get
from tests.infra.http.conftest import Peer
from tests.pushing import digest, image, push_image

SIZE = 8 << 20  # more than the buffers of a loopback connection that is not read hold at first


def content(seed: int) -> bytes:
    return b"".join(b"%07d\n" % ((seed << 20) + number) for number in range(SIZE // 8))


def blob(raw: bytes, *fields: str, method: str = "GET") -> bytes:
    return get(f"/v2/a/blobs/{digest(raw)}", *fields, method=method)


@pytest.fixture
def raw() -> bytes:
    return content(1)


async def filled(start: Start, *blobs: bytes, **given: object) -> Registry:
    registry = await start({"DATABASE_POOL_MIN": "6"}, **given)  # all descriptors of the pool are there from the start
    await push_image(registry.client, "a", *blobs)
    return registry


def path_of(registry: Registry, raw: bytes) -> Path:
    [path] = registry.app.shelf().store.root.rglob(f"{digest(raw)[7:]}-*")
    return path


async def hold(registry: Registry, request: bytes) -> Peer:
    """A client that has the head and the first bytes, and takes no more for now."""
    peer = await registry.connect()
    await peer.send(request)
    await peer.reader.readuntil(b"\r\n\r\n")
    return peer


async def test_what_comes_is_the_blob_hot_or_not_and_the_connection_goes_on(start: Start, raw: bytes) -> None:
    registry = await filled(start, raw)
    peer = await registry.connect()
    for request in [blob(raw), blob(raw), blob(raw), get("/v2/"), blob(raw), blob(raw, "Range: bytes=5-100000")] * 2:
        await peer.send(request)
        answer = await peer.answer()
        expected = raw[5:100_001] if b"Range" in request else b"{}" if b"/v2/ " in request else raw
        assert answer.body == expected
    await peer.send(blob(raw, method="HEAD"))
    assert (await peer.answer(has_body=False)).headers["content-length"] == str(SIZE)
    assert f"GET /v2/a/blobs/{digest(raw)}" in registry.hits


async def test_pipelined_blobs_come_in_order(start: Start, raw: bytes) -> None:
    registry = await filled(start, raw, content(2))
    peer = await registry.connect()
    for one in (raw, content(2), raw):
        await registry.heat(blob(one))
        await peer.send(blob(one))
    await peer.send(blob(raw) + get("/v2/"))
    assert [(await peer.answer()).body == one for one in (raw, content(2), raw, raw, b"{}")] == [True] * 5


async def test_close_is_kept_after_a_file(start: Start, raw: bytes) -> None:
    registry = await filled(start, raw)
    received = await registry.running.exchange(blob(raw, "Connection: close"))
    assert received.endswith(raw)
    assert b"connection: close" in received[:1000].lower()


async def test_a_blob_that_is_deleted_while_it_is_sent_arrives_whole(start: Start, raw: bytes) -> None:
    registry = await filled(start, raw)
    await registry.heat(blob(raw))
    peers = [await hold(registry, blob(raw)), await hold(registry, blob(raw, "Range: bytes=0-"))]
    for word in (f"manifests/{digest(image(raw))}", f"blobs/{digest(raw)}"):
        assert (await registry.client.delete(f"/v2/a/{word}")).status_code == 202
    path_of(registry, raw).unlink()
    assert (await registry.ask(blob(raw))).status == 404
    for peer in peers:
        assert await peer.reader.readexactly(SIZE) == raw


async def test_a_file_that_is_cut_short_ends_the_connection(start: Start, raw: bytes) -> None:
    registry = await filled(start, raw)
    await registry.heat(blob(raw))
    peers = [await hold(registry, blob(raw)), await hold(registry, blob(raw, "Range: bytes=0-"))]
    os.truncate(path_of(registry, raw), SIZE // 2)
    peers += [await hold(registry, blob(raw)), await hold(registry, blob(raw, "Range: bytes=0-"))]
    for peer in peers:
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await peer.reader.readexactly(SIZE)


async def test_a_client_that_takes_nothing_is_cut_off(start: Start, raw: bytes) -> None:
    registry = await filled(start, raw, limits=Limits(write_timeout=0.1))
    await registry.heat(blob(raw))
    before = descriptors()
    for request in (blob(raw), blob(raw, "Range: bytes=0-"), blob(raw, "Range: bytes=0-") * 2):
        with socket.create_connection(("127.0.0.1", registry.running.port)) as connection:
            connection.sendall(request)
            while descriptors() <= before + 1:  # noqa: ASYNC110 - the server's loop is this one
                await asyncio.sleep(0)
            while descriptors() > before + 1:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0)
            received = 0
            with contextlib.suppress(ConnectionError):
                while piece := connection.recv(1 << 20):
                    received += len(piece)
            assert received < SIZE


async def test_clients_that_leave_in_the_middle_leak_nothing_and_disturb_no_one(start: Start, raw: bytes) -> None:
    other = content(2)
    registry = await filled(start, raw, other)
    for request in (blob(raw), blob(other)):
        await registry.heat(request)
    before = descriptors()
    ranged = blob(other, "Range: bytes=0-")

    async def leave(request: bytes) -> None:
        peer = await hold(registry, request)
        reset = peer.writer.get_extra_info("socket")
        reset.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.writer.transport.abort()

    async def stay(request: bytes, expected: bytes) -> None:
        assert (await registry.ask(request)).body == expected

    for _ in range(6):
        await asyncio.gather(
            *(leave(request) for request in (blob(raw), ranged, blob(other))),
            *(stay(request, one) for request, one in ((blob(other), other), (blob(raw), raw), (ranged, other))),
        )
    while descriptors() > before:  # noqa: ASYNC110 - what is closed is closed by the server's loop, this one
        await asyncio.sleep(0)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - only their number


async def test_a_stop_waits_for_a_file_that_is_being_sent(start: Start, raw: bytes) -> None:
    registry = await filled(start, raw)
    await registry.heat(blob(raw))
    peers = [await hold(registry, blob(raw)), await hold(registry, blob(raw, "Range: bytes=0-"))]
    registry.running.stop.set()
    await registry.refuses()
    for peer in peers:
        assert await peer.reader.readexactly(SIZE) == raw
        assert await peer.rest() == b""
    await registry.running.task


async def test_without_a_descriptor_for_the_socket_it_goes_another_way(
    start: Start, raw: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = await filled(start, raw)
    await registry.heat(blob(raw))
    before = descriptors()

    def none_left(*_: object) -> socket.socket:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(socket, "fromfd", none_left)
        peer = await registry.connect()
        await peer.send(blob(raw))
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await peer.answer()
        await peer.close()
        opened = await registry.client.post("/v2/a/blobs/uploads/")
        sent = await registry.client.patch(opened.headers["location"], content=raw)
        assert (sent.status_code, sent.headers["range"]) == (202, f"0-{SIZE - 1}")
    while descriptors() > before + 1:  # noqa: ASYNC110 - as above; the client keeps a connection
        await asyncio.sleep(0)
    assert (await registry.ask(blob(raw))).body == raw
