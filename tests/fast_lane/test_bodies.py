"""Bodies of uploads that go from their socket into their file: nothing is lost, doubled, or taken from the next."""

import asyncio
import contextlib
import json
import os
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from registry.infra.http import direct
from tests.fast_lane.conftest import Registry, Start, get
from tests.infra.http.conftest import Peer
from tests.pushing import digest

BODY = bytes(range(256)) * 4096  # 1 MiB: more than the event loop takes by itself
TAGS = get("/v2/a/tags/list")


@pytest.fixture
async def registry(start: Start) -> Registry:
    return await start({"BODY_TIMEOUT": "1s"})


async def session(registry: Registry) -> str:
    opened = await registry.client.post("/v2/a/blobs/uploads/")
    assert opened.status_code == 202
    return str(opened.headers["location"])


def head(method: str, target: str, size: int, *fields: str) -> bytes:
    return get(target, f"Content-Length: {size}", *fields, method=method)


async def upload_is(registry: Registry, place: str, size: int) -> None:
    """Wait until the session holds `size` bytes and nobody writes to it."""
    shown = ""
    while shown != f"0-{size - 1}":
        shown = (await registry.client.get(place)).headers["range"]


async def close(registry: Registry, place: str, content: bytes, rest: bytes = b"") -> None:
    named = digest(content)
    closed = await registry.client.put(place, params={"digest": named}, content=rest)
    assert closed.status_code == 201, closed.text
    assert (await registry.client.get(f"/v2/a/blobs/{named}")).content == content


async def begun(registry: Registry, place: str, sent: bytes, size: int = len(BODY), *fields: str) -> Peer:
    """A client that has sent the beginning of a body, which the registry has begun to read."""
    peer = await registry.connect()
    await peer.send(head("PATCH", place, size, *fields), sent)
    return peer


def spied(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lengths of the bodies that were taken straight from their sockets."""
    taken: list[int] = []
    pour = direct.DirectBody.pour

    def counted(self: direct.DirectBody, put: Callable[[memoryview], None], seconds: float) -> Any:
        taken.append(self.left)
        return pour(self, put, seconds)

    monkeypatch.setattr(direct.DirectBody, "pour", counted)
    return taken


async def test_the_next_request_may_come_with_the_end_of_the_body(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = spied(monkeypatch)
    place = await session(registry)
    peer = await begun(registry, place, BODY[:-5])
    await peer.send(BODY[-5:] + get(place) + get("/v2/"))
    answers = [await peer.answer(has_body=has_body) for has_body in (True, False, True)]
    assert [answer.status for answer in answers] == [202, 204, 200]
    assert answers[1].headers["range"] == f"0-{len(BODY) - 1}"
    for _ in range(3):
        await peer.send(head("PATCH", place, 3), b"abc")
        assert (await peer.answer()).status == 202
    await peer.send(get(place))
    assert (await peer.answer(has_body=False)).headers["range"] == f"0-{len(BODY) + 8}"
    await close(registry, place, BODY + b"abc" * 3)
    assert taken


async def test_two_bodies_on_one_connection_without_a_pause(registry: Registry) -> None:
    places = [await session(registry) for _ in range(3)]
    peer = await registry.connect()
    await peer.send(*(head("PATCH", place, len(BODY)) + BODY for place in places))
    assert [(await peer.answer()).status for _ in places] == [202] * 3
    for place in places:
        await close(registry, place, BODY)


async def test_a_body_that_stops_is_late_and_what_came_counts(registry: Registry) -> None:
    place = await session(registry)
    peer = await begun(registry, place, BODY[:300_000])
    answer = await peer.answer()
    assert (answer.status, answer.headers["connection"]) == (408, "close")
    assert await peer.rest() == b""
    await upload_is(registry, place, 300_000)
    await close(registry, place, BODY, BODY[300_000:])


@pytest.mark.parametrize("abort", [True, False], ids=["reset", "closed"])
async def test_a_client_that_goes_leaves_what_came_and_may_resume(registry: Registry, *, abort: bool) -> None:
    place = await session(registry)
    peer = await begun(registry, place, BODY[:300_000])
    if abort:
        peer.writer.transport.abort()
    else:
        await peer.close()
    resumed = await registry.client.patch(place, content=b"")
    at = int(resumed.headers["range"].removeprefix("0-")) + 1
    at = 0 if at == 1 else at
    assert at <= 300_000
    retried = await registry.client.patch(place, content=BODY[at:], headers={"Content-Range": f"{at}-{len(BODY) - 1}"})
    assert retried.status_code == 202, retried.text
    await close(registry, place, BODY)


async def test_a_session_that_another_request_holds_is_waited_for(registry: Registry) -> None:
    place = await session(registry)
    peer = await begun(registry, place, BODY[:1000], 2000)
    waiting = await begun(registry, place, b"x" * 500, 500)
    await peer.send(BODY[1000:2000])
    assert [(await one.answer()).status for one in (peer, waiting)] == [202, 202]
    await upload_is(registry, place, 2500)


async def test_a_body_of_another_length_than_its_range_leaves_the_session(registry: Registry) -> None:
    place = await session(registry)
    peer = await registry.connect()
    await peer.send(head("PATCH", place, len(BODY), "Content-Range: 0-9"), BODY, TAGS)
    assert (await peer.answer()).status == 400
    assert (await registry.client.get(place)).headers["range"] == "0-0"
    await close(registry, place, BODY, BODY)


async def test_a_client_that_asks_is_told_to_continue(registry: Registry) -> None:
    place = await session(registry)
    peer = await begun(registry, place, b"", len(BODY), "Expect: 100-continue")
    assert await peer.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    await peer.send(BODY)
    assert (await peer.answer()).status == 202
    await close(registry, place, BODY)


@pytest.mark.parametrize("expect", [(), ("Expect: 100-continue",)], ids=["sends at once", "asks first"])
async def test_an_early_refusal_is_heard(start: Start, expect: tuple[str, ...]) -> None:
    registry = await start({"MAX_BLOB_SIZE": "64KiB"})
    place = await session(registry)
    refused = [
        (head("PATCH", "/v2/a/blobs/uploads/none", len(BODY), *expect), 404),
        (head("PATCH", place, len(BODY), "Content-Range: 5-9", *expect), 400),
        (head("PATCH", place, len(BODY), f"Content-Range: 5-{len(BODY) + 4}", *expect), 416),
        (head("POST", f"/v2/a/blobs/uploads/?digest={digest(BODY)}", len(BODY), *expect), 413),
        (head("PUT", "/v2/a/manifests/x", 5 << 20, *expect), 413),
    ]
    for request, status in refused:
        peer = await registry.connect()
        await peer.send(request, b"" if expect else BODY)
        assert (await peer.answer()).status == status
        peer.writer.write_eof()
        assert await peer.rest() == b""
    assert (await registry.client.get(place)).headers["range"] == "0-0"


async def test_a_blob_over_the_limit_is_refused_on_the_way_and_nothing_of_it_counts(start: Start) -> None:
    registry = await start({"MAX_BLOB_SIZE": "300KiB"})
    place = await session(registry)
    peer = await begun(registry, place, BODY)
    answer = await peer.answer()
    assert (answer.status, json.loads(answer.body)["errors"][0]["code"]) == (413, "SIZE_INVALID")
    peer.writer.write_eof()
    assert await peer.rest() == b""
    assert (await registry.client.get(place)).headers["range"] == "0-0"


async def test_a_full_disk_is_told_and_what_came_before_stays(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = await session(registry)
    assert (await registry.client.patch(place, content=b"abc")).status_code == 202
    with monkeypatch.context() as patch:
        patch.setattr(registry.app.shelf().store, "free", lambda: 0)
        peer = await begun(registry, place, BODY)
        assert (await peer.answer()).status == 507
    assert (await registry.client.get(place)).headers["range"] == "0-2"
    await close(registry, place, b"abc" + BODY, BODY)


async def test_a_stop_waits_for_a_body(registry: Registry) -> None:
    place = await session(registry)
    peer = await begun(registry, place, BODY[:500_000])
    registry.running.stop.set()
    await registry.refuses()
    await peer.send(BODY[500_000:])
    answer = await peer.answer()
    assert (answer.status, answer.headers["connection"]) == (202, "close")
    await registry.running.task


async def test_many_uploads_at_once_share_few_threads(registry: Registry) -> None:
    async def upload(number: int) -> None:
        place = await session(registry)
        peer = await registry.connect()
        content = b"%03d" % number + BODY[: 200_000 + number]
        sending = [head("PUT", f"{place}?digest={digest(content)}", len(content)), content]
        await peer.send(*sending)
        assert (await peer.answer()).status == 201
        await peer.close()

    await asyncio.gather(*(upload(number) for number in range(64)))


def trickle(slow: list[socket.socket], begun: threading.Event, over: threading.Event) -> None:
    """Much at once, which is worth a thread, then a byte at a time."""
    for one in slow:
        with contextlib.suppress(BlockingIOError):
            one.send(BODY)
    while not over.wait(0.0005):
        begun.set()
        for one in slow:
            with contextlib.suppress(BlockingIOError):
                one.send(b"x")


async def test_clients_that_trickle_keep_no_thread_from_the_others(registry: Registry) -> None:
    peers = [await begun(registry, await session(registry), b"x", 1 << 30) for _ in range(8)]
    slow = [socket.socket(fileno=os.dup(peer.writer.get_extra_info("socket").fileno())) for peer in peers]
    burst, over = threading.Event(), threading.Event()
    trickling = asyncio.create_task(asyncio.to_thread(trickle, slow, burst, over))
    await asyncio.to_thread(burst.wait)
    try:
        for _ in range(3):
            place = await session(registry)
            assert (await registry.client.patch(place, content=BODY)).status_code == 202
    finally:
        over.set()
        await trickling
        for one in slow:
            one.close()


async def test_chunked_bodies_come_to_the_same_another_way(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = spied(monkeypatch)

    async def pieces() -> Any:
        for at in range(0, len(BODY), 100_000):
            yield BODY[at : at + 100_000]

    place = await session(registry)
    assert (await registry.client.patch(place, content=pieces())).headers["range"] == f"0-{len(BODY) - 1}"
    assert taken == []
    await close(registry, place, BODY)


async def test_an_upload_that_is_cancelled_twice_has_stopped_writing_when_it_ends() -> None:
    here, there = socket.socketpair()
    here.setblocking(False)  # noqa: FBT003 - the name of the call says it
    left: list[int] = []
    body = direct.DirectBody(here, b"", 1 << 20, left.append)
    loop, writing, entered, go = asyncio.get_running_loop(), [0], asyncio.Event(), threading.Event()

    def put(piece: memoryview) -> None:
        if threading.current_thread() is threading.main_thread():
            return
        writing[0] += 1
        loop.call_soon_threadsafe(entered.set)
        go.wait()
        writing[0] -= 1

    async def read() -> None:
        async for _ in body.pour(put, 10):
            pass

    task = asyncio.create_task(read())
    sender = asyncio.create_task(asyncio.to_thread(there.sendall, b"x" * (1 << 20)))
    await entered.wait()
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
    assert (task.done(), writing) == (False, [1])
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (writing, len(left)) == ([0], 1)
    there.close()
    with contextlib.suppress(OSError):
        await sender
