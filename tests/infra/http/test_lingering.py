"""An answer that comes before the whole body reaches the client, whatever the client is doing."""

import asyncio
import socket

import pytest
from starlette.types import Receive, Scope, Send

from registry.core.errors import NotFound
from registry.infra.http.limits import Limits
from tests.infra.http.conftest import Peer, Running, Serve, reply, whole
from tests.infra.http.test_protocol import GET, post

SHORT = Limits(linger_pause=0.05, linger_seconds=0.2, drain_seconds=0.05)


async def missing(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["method"] == "POST":
        raise NotFound("There is nothing here.")
    await reply(send)


def send_all_then_read(port: int, size: int) -> bytes:
    """A client that looks at nothing before all is sent, as many libraries do."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(post(size))
        piece = b"x" * (1 << 20)
        for _ in range(size >> 20):
            connection.sendall(piece)
        received = b""
        while more := connection.recv(65536):
            received += more
        return received


async def test_a_client_that_sends_64_mib_first_reads_the_404_afterwards(serve: Serve) -> None:
    running = await serve(missing)
    answer = await asyncio.to_thread(send_all_then_read, running.port, 64 << 20)
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"connection: close\r\n" in answer


async def test_a_small_rest_is_read_and_the_connection_goes_on(serve: Serve) -> None:
    peer = await (await serve(missing)).connect()
    await peer.send(post(100_000))
    first = await peer.answer()
    assert (first.status, "connection" in first.headers) == (404, False)
    await peer.send(b"x" * 100_000, GET)
    assert (await peer.answer()).status == 200


async def test_a_small_rest_that_does_not_come_ends_the_connection(serve: Serve) -> None:
    peer = await (await serve(missing, limits=SHORT)).connect()
    await peer.send(post(100_000), b"x")
    assert (await peer.answer()).status == 404
    assert await peer.rest() == b""


async def test_a_rest_of_unknown_length_that_grows_ends_the_connection(serve: Serve) -> None:
    """The answer promised nothing about the connection; the client still reads it whole."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await reply(send, 404)

    peer = await (await serve(app)).connect()
    await peer.send(b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
    answer = await peer.answer()
    assert (answer.status, answer.headers["connection"]) == (404, "close")
    assert await peer.rest() == b""


async def refuses(peer: Peer, piece: bytes = b"x" * (1 << 20)) -> None:
    """Send until the server takes no more."""
    while True:
        await peer.send(piece)
        await asyncio.sleep(0)


async def test_lingering_ends_after_so_many_bytes(serve: Serve) -> None:
    peer = await (await serve(missing, limits=Limits(linger_bytes=4 << 20))).connect()
    await peer.send(post(1 << 40))
    assert (await peer.answer()).status == 404
    with pytest.raises(ConnectionError):
        await refuses(peer)


async def test_lingering_ends_after_some_time_though_bytes_come(serve: Serve) -> None:
    peer = await (await serve(missing, limits=SHORT)).connect()
    await peer.send(post(1 << 40))
    assert (await peer.answer()).status == 404
    with pytest.raises(ConnectionError):
        await refuses(peer, b"x")


async def test_a_client_that_stays_without_a_word_is_let_go(serve: Serve) -> None:
    running = await serve(missing, limits=SHORT, max_connections=1)
    silent = await running.connect()
    await silent.send(post(1 << 40))
    assert (await silent.answer()).status == 404
    other = await running.connect()
    await other.send(GET)
    assert (await other.answer()).status == 200


@pytest.mark.parametrize("version", [b"HTTP/1.1", b"HTTP/1.0"])
async def test_a_client_that_waits_for_100_gets_the_final_answer_and_the_end(serve: Serve, version: bytes) -> None:
    running = await serve(missing, limits=SHORT)
    answer = await running.exchange(post(5, b"Expect: 100-continue").replace(b"HTTP/1.1", version))
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"connection: close\r\n" in answer


async def echo(_: Scope, receive: Receive, send: Send) -> None:
    await reply(send, 200, await whole(receive))


async def test_a_client_that_waits_for_100_is_told_when_the_body_is_wanted(serve: Serve) -> None:
    peer = await (await serve(echo)).connect()
    await peer.send(post(5, b"Expect: 100-continue"))
    assert await peer.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    await peer.send(b"12345", GET)
    assert (await peer.answer()).body == b"12345"
    assert (await peer.answer()).status == 200


async def test_http_1_0_is_not_told_to_continue(serve: Serve) -> None:
    """RFC 9110, section 10.1.1."""
    running: Running = await serve(echo)
    head = post(5, b"Expect: 100-continue").replace(b"HTTP/1.1", b"HTTP/1.0")
    assert (await running.exchange(head, b"12345")).startswith(b"HTTP/1.1 200 ")
