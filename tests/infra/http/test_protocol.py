"""What a client sees on the wire while all goes well, and when it is slow, large or wrong."""

import asyncio
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from registry.core.errors import NotFound
from registry.infra.http.body import ClientDisconnected, chunks, read_all
from registry.infra.http.limits import Limits
from tests.infra.http.conftest import Serve, reply, whole

GET = b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n"


def post(length: int, *fields: bytes) -> bytes:
    lines = [b"POST /v2/ HTTP/1.1", b"Host: localhost", b"Content-Length: %d" % length, *fields]
    return b"\r\n".join([*lines, b"", b""])


async def ok(scope: Scope, receive: Receive, send: Send) -> None:
    await reply(send)


async def echo(_: Scope, receive: Receive, send: Send) -> None:
    await reply(send, 200, await whole(receive))


async def target(scope: Scope, _: Receive, send: Send) -> None:
    await reply(send, 200, scope["raw_path"])


async def missing(scope: Scope, receive: Receive, send: Send) -> None:
    raise NotFound("There is nothing here.")


async def test_a_connection_carries_one_request_after_another(serve: Serve) -> None:
    peer = await (await serve(echo)).connect()
    for size in (0, 5, 300_000):
        await peer.send(post(size), b"x" * size)
        assert len((await peer.answer()).body) == size


async def test_pipelined_requests_are_answered_in_order(serve: Serve) -> None:
    peer = await (await serve(echo)).connect()
    await peer.send(*(post(1) + b"%d" % number for number in range(10)))
    assert [(await peer.answer()).body for _ in range(10)] == [b"%d" % number for number in range(10)]


async def test_more_requests_at_once_than_allowed_end_the_connection_after_those(serve: Serve) -> None:
    running = await serve(ok, limits=Limits(pipelined=4))
    answers = await running.exchange(GET * 100)
    assert answers.count(b"HTTP/1.1 200 ") == 5
    assert answers.count(b"HTTP/1.1") == 5


async def test_the_server_does_not_name_itself_but_says_the_date(serve: Serve) -> None:
    peer = await (await serve(ok)).connect()
    await peer.send(GET)
    headers = (await peer.answer()).headers
    assert "server" not in headers
    assert headers["date"].endswith(" GMT")
    assert headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize("path", [b"/v2/a%2Fb/%C3%BC", b"/v2/a//b/../c", b"/v2/%00%zz"])
async def test_the_target_reaches_the_application_unchanged(serve: Serve, path: bytes) -> None:
    peer = await (await serve(target)).connect()
    await peer.send(b"GET " + path + b"?n=1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (await peer.answer()).body == path


@pytest.mark.parametrize("sent", [b"", b"GET /v2/ HTTP/1.1\r\nHost: loc"], ids=["nothing", "half a header section"])
async def test_headers_that_do_not_come_are_408(serve: Serve, sent: bytes) -> None:
    running = await serve(ok, header_timeout=0.05)
    answer = await running.exchange(sent)
    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert b"x-request-id: req_" in answer
    assert b'"code": "REQUEST_TIMEOUT"' in answer


async def test_headers_that_stop_after_a_first_request_are_408(serve: Serve) -> None:
    peer = await (await serve(ok, header_timeout=0.5)).connect()
    await peer.send(GET, GET[:20])
    assert (await peer.answer()).status == 200
    assert (await peer.answer()).status == 408


async def test_an_idle_connection_is_closed_without_a_word(serve: Serve) -> None:
    peer = await (await serve(ok, limits=Limits(keep_alive=0.05))).connect()
    await peer.send(GET)
    await peer.answer()
    assert await peer.rest() == b""


LARGE = b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\nX-Much: " + b"x" * 40_000


@pytest.mark.parametrize(
    "parts",
    [
        [LARGE],
        [LARGE + b"\r\n\r\n"],
        [GET[:-2], *[b"X-One: y\r\n" * 100] * 40],
        [b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"],
    ],
    ids=["unfinished", "whole", "in pieces", "a long target"],
)
async def test_a_header_section_over_its_limit_is_431(serve: Serve, parts: list[bytes]) -> None:
    peer = await (await serve(ok)).connect()
    for part in parts:
        await peer.send(part)
    answer = await peer.answer()
    assert answer.status == 431
    assert b"HEADERS_TOO_LARGE" in answer.body
    assert await peer.rest() == b""


async def test_a_large_header_section_behind_another_request_is_refused_too(serve: Serve) -> None:
    answer = await (await serve(ok)).exchange(GET, LARGE, b"\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200 ") == 1
    assert answer.count(b"HTTP/1.1") == 1 or b"HTTP/1.1 431 " in answer


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /v2/\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost : b\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_400_and_others_are_served(serve: Serve, sent: bytes) -> None:
    running = await serve(echo, limits=Limits(keep_alive=0.05, linger_pause=0.05))
    answers = await running.exchange(sent)
    assert answers.startswith(b"HTTP/1.1 400 ")
    assert answers.count(b"HTTP/1.1") == 1
    assert b'"code": ' in answers
    peer = await running.connect()
    await peer.send(GET)
    assert (await peer.answer()).status == 200


async def test_trailers_do_not_become_headers(serve: Serve) -> None:
    seen: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await whole(receive)
        seen.extend(name for name, _ in scope["headers"])
        await reply(send)

    peer = await (await serve(app)).connect()
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"
    await peer.send(head, b"Authorization: Basic eDp5\r\n\r\n", GET)
    assert [(await peer.answer()).status for _ in range(2)] == [200, 200]
    assert b"authorization" not in seen


async def test_an_offer_of_another_protocol_is_ignored(serve: Serve) -> None:
    running = await serve(echo)
    fields = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    answer = await running.exchange(GET[:-2], fields, b"\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close\r\n" in answer


@pytest.mark.parametrize(
    ("framing", "body"),
    [
        (b"Content-Length: 3", b"abc"),
        (b"Content-Length: 0", b""),
        (b"Transfer-Encoding: chunked", b"1\r\na\r\n2\r\nbc\r\n0\r\nAuthorization: Basic eDp5\r\n\r\n"),
    ],
)
async def test_an_offer_of_another_protocol_hides_no_body(serve: Serve, framing: bytes, body: bytes) -> None:
    running = await serve(echo)
    head = b"PUT / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n" + framing + b"\r\n\r\n"
    expected = b"abc" if body else b""
    assert (await running.exchange(head, body)).endswith(b"\r\n\r\n" + expected)
    assert (await running.exchange(head, body, post(5) + b"smuggled")).endswith(b"\r\n\r\n" + expected)
    peer = await running.connect()
    for byte in head + body:
        await peer.send(bytes([byte]))
    assert (await peer.answer()).body == expected


async def test_a_broken_body_behind_an_offer_of_another_protocol_is_400(serve: Serve) -> None:
    head = b"PUT / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
    answer = await (await serve(echo)).exchange(head, b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")


async def test_a_body_that_stops_is_408_and_ends_the_connection(serve: Serve) -> None:
    async def app(_: Scope, receive: Receive, send: Send) -> None:
        await reply(send, 200, await read_all(receive, 100, 0.05))

    answer = await (await serve(app)).exchange(post(10), b"12345")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close\r\n" in answer.lower()


async def test_reading_pauses_while_the_application_does_not_read(serve: Serve) -> None:
    paused, go = asyncio.Event(), asyncio.Event()
    held: list[int] = []

    async def app(_: Scope, receive: Any, send: Send) -> None:
        cycle = receive.__self__
        while not cycle.flow.read_paused:  # noqa: ASYNC110 - the protocol has no event for it
            await asyncio.sleep(0)
        held.append(len(cycle.body))
        paused.set()
        await go.wait()
        total = 0
        async for piece in chunks(receive, 5):
            total += len(piece)
        await reply(send, 200, str(total).encode())

    peer = await (await serve(app)).connect()
    sending = asyncio.create_task(peer.send(post(32 << 20), b"x" * (32 << 20)))
    await paused.wait()
    assert held[0] < 1 << 20
    assert not sending.done()
    go.set()
    assert (await peer.answer()).body == str(32 << 20).encode()
    await sending


async def test_a_client_that_goes_ends_a_download(serve: Serve) -> None:
    ended: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % (1 << 40))]})
        try:
            while True:
                await send({"type": "http.response.body", "body": b"x" * (1 << 20), "more_body": True})
        except ClientDisconnected as error:
            ended.set_result(error)
            raise

    peer = await (await serve(app)).connect()
    await peer.send(GET)
    await peer.answer(has_body=False)
    await peer.close()
    assert isinstance(await ended, ClientDisconnected)


async def test_a_client_that_takes_nothing_is_dropped(serve: Serve) -> None:
    ended = asyncio.Event()

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % (1 << 40))]})
        try:
            while True:
                await send({"type": "http.response.body", "body": b"x" * (1 << 20), "more_body": True})
        finally:
            ended.set()

    peer = await (await serve(app, limits=Limits(write_timeout=0.05))).connect()
    await peer.send(GET)
    await ended.wait()
    assert len(await peer.rest()) < 1 << 30


async def test_garbage_behind_a_request_does_not_break_into_its_answer(serve: Serve) -> None:
    begun = asyncio.Event()

    async def app(_: Scope, receive: Any, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"10")]})
        await send({"type": "http.response.body", "body": b"01234", "more_body": True})
        begun.set()
        while receive.__self__.keep_alive:  # noqa: ASYNC110 - the protocol has no event for what it has read
            await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b"56789"})

    peer = await (await serve(app)).connect()
    await peer.send(GET)
    await begun.wait()
    await peer.send(b"\x00garbage\r\n\r\n")
    assert (await peer.answer()).body == b"0123456789"
    assert await peer.rest() == b""


async def test_a_body_that_breaks_is_400_and_the_application_hears_of_it(serve: Serve) -> None:
    reading = asyncio.Event()
    heard: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def app(_: Scope, receive: Receive, send: Send) -> None:
        try:
            async for _piece in chunks(receive, 5):
                reading.set()
        except ClientDisconnected:
            heard.set_result(True)
            raise

    peer = await (await serve(app)).connect()
    await peer.send(b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
    await reading.wait()
    await peer.send(b"nonsense\r\n")
    assert (await peer.answer()).status == 400
    assert await heard


async def test_a_broken_body_that_waits_its_turn_is_dropped_with_the_connection(serve: Serve) -> None:
    begun, go = asyncio.Event(), asyncio.Event()
    count: list[int] = []

    async def app(_: Scope, receive: Receive, send: Send) -> None:
        count.append(1)
        begun.set()
        await go.wait()
        await reply(send)

    peer = await (await serve(app)).connect()
    await peer.send(GET)
    await begun.wait()
    await peer.send(b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n")
    while not peer.reader.at_eof() and len(count) == 1 and not go.is_set():
        await asyncio.sleep(0)
        go.set()
    assert (await peer.rest()).count(b"HTTP/1.1 200 ") == 1
    assert len(count) == 1


async def test_a_head_answer_has_the_length_and_no_body(serve: Serve) -> None:
    peer = await (await serve(missing)).connect()
    await peer.send(GET.replace(b"GET", b"HEAD"))
    first = await peer.answer(has_body=False)
    await peer.send(GET)
    second = await peer.answer()
    assert (first.status, first.headers["content-length"]) == (404, str(len(second.body)))
