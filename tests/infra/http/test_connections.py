"""Many clients, few descriptors, the end of the process, several processes."""

import asyncio
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from registry.infra.http.serving import STOPPING
from tests.infra.http.conftest import Serve, options, reply, trusting, whole
from tests.infra.http.served import FILES
from tests.infra.http.test_protocol import GET, ok, post

ROOT = Path(__file__).parents[3]


async def test_the_one_over_the_limit_waits_until_there_is_room(serve: Serve) -> None:
    running = await serve(echo, max_connections=2)
    busy = [await running.connect() for _ in range(2)]
    for peer in busy:
        await peer.send(post(1))
    late = await running.connect()
    await late.send(GET)
    await busy[0].send(b"x")
    assert (await busy[0].answer()).status == 200
    assert (await late.answer()).status == 200


async def echo(_: Scope, receive: Receive, send: Send) -> None:
    await reply(send, 200, await whole(receive))


async def test_an_idle_connection_makes_room_for_a_new_client(serve: Serve) -> None:
    running = await serve(ok, max_connections=2)
    idle = [await running.connect() for _ in range(2)]
    for peer in idle:
        await peer.send(GET)
        await peer.answer()
    late = await running.connect()
    await late.send(GET)
    assert (await late.answer()).status == 200
    assert await idle[0].rest() == b""


async def test_what_is_in_flight_is_finished_and_told_to_close(serve: Serve) -> None:
    begun, states = asyncio.Event(), []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        begun.set()
        body = await whole(receive)
        states.append(scope["state"])
        await reply(send, 200, body)

    running = await serve(app)
    peer, idle = await running.connect(), await running.connect()
    await idle.send(GET)
    await idle.answer()
    begun.clear()
    await peer.send(post(2), b"a")
    await begun.wait()
    running.stop.set()
    assert await idle.rest() == b""
    await peer.send(b"b")
    answer = await peer.answer()
    assert (answer.body, answer.headers["connection"]) == (b"ab", "close")
    await running.task
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", running.port)


async def test_a_request_whose_headers_had_begun_hears_that_the_process_stops(serve: Serve) -> None:
    seen: list[bool] = []

    async def app(scope: Scope, _: Receive, send: Send) -> None:
        seen.append(scope["state"][STOPPING].is_set())
        await reply(send)

    running = await serve(app)
    peer, idle = await running.connect(), await running.connect()
    await idle.send(GET)
    await idle.answer()
    await peer.send(GET, GET[:10])
    await peer.answer()
    running.stop.set()
    await idle.rest()
    await peer.send(GET[10:])
    assert (await peer.answer()).headers["connection"] == "close"
    assert seen == [False, False, True]


async def test_what_outlasts_the_grace_is_cancelled_with_503(serve: Serve) -> None:
    begun = asyncio.Event()

    async def app(_: Scope, __: Receive, ___: Send) -> None:
        begun.set()
        await asyncio.Event().wait()

    running = await serve(app, shutdown_timeout=0.05)
    peer = await running.connect()
    await peer.send(GET)
    await begun.wait()
    running.stop.set()
    answer = await peer.answer()
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    await running.task


async def refuse(_: Scope, __: Receive, send: Send) -> None:
    await reply(send, 404)


async def test_tls_carries_the_same_protocol(serve: Serve, certificate: Path) -> None:
    running = await serve(echo, trusting(certificate), options(certificate))
    peer = await running.connect()
    for size in (1, 400_000):
        await peer.send(post(size), b"x" * size)
        assert len((await peer.answer()).body) == size


async def test_an_early_answer_reaches_a_client_that_is_still_sending_over_tls(serve: Serve, certificate: Path) -> None:
    running = await serve(refuse, trusting(certificate), options(certificate))
    peer = await running.connect()
    await peer.send(post(16 << 20), b"x" * (8 << 20))
    assert (await peer.answer()).status == 404


async def test_a_client_that_speaks_no_tls_takes_no_place(serve: Serve, certificate: Path) -> None:
    running = await serve(ok, trusting(certificate), options(certificate, max_connections=1))
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    writer.write(GET)
    with contextlib.suppress(ConnectionError):
        await reader.read()
    writer.close()
    peer = await running.connect()
    await peer.send(GET)
    assert (await peer.answer()).status == 200


class Process:
    """`served.py` in a process of its own."""

    def __init__(self, kind: str, log: Path) -> None:
        self.log = log
        with log.open("w") as file:
            self.process = subprocess.Popen(
                [sys.executable, str(ROOT / "tests" / "infra" / "http" / "served.py"), kind],
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
            )
        self.port = int(self.line())

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def get(self, path: str = "/", headers: dict[str, str] | None = None) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", headers=headers, timeout=30)

    def end(self) -> int:
        assert self.process.stdout is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(30)
        self.process.stdout.close()
        return status


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Callable[[str], Process]]:
    with contextlib.ExitStack() as stack:

        def start(kind: str) -> Process:
            started = Process(kind, tmp_path / f"{kind}.log")
            stack.callback(started.end)
            return started

        yield start


def test_at_the_descriptor_limit_it_serves_some_and_the_others_afterwards(spawn: Callable[[str], Process]) -> None:
    served = spawn("few")
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(served.connect()) for _ in range(2 * FILES)]
        for connection in held:
            connection.sendall(post(1))
        for connection in held:
            connection.sendall(b"x")
            assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")
    assert served.get().status_code == 200


def test_without_a_free_descriptor_a_new_client_waits_for_one(spawn: Callable[[str], Process]) -> None:
    served = spawn("few")
    with served.connect() as busy:
        busy.sendall(b"POST /exhaust HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n")
        assert busy.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        with served.connect() as late:
            late.sendall(GET)
            while "cannot accept" not in served.log.read_text():
                assert served.process.poll() is None
            busy.sendall(b"x")
            assert busy.recv(4096).startswith(b"HTTP/1.1 200 ")
            assert late.recv(4096).startswith(b"HTTP/1.1 200 ")


def test_a_signal_ends_it_after_what_is_in_flight_and_a_second_at_once(spawn: Callable[[str], Process]) -> None:
    patient, forced = spawn("one"), spawn("one")
    for served in (patient, forced):
        with served.connect() as connection:
            connection.sendall(b"POST /wait HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n")
            assert served.line() == "waiting\n"
            served.process.send_signal(signal.SIGTERM)
            if served is patient:
                connection.sendall(b"x")
                assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")
            else:
                while served.process.poll() is None:
                    served.process.send_signal(signal.SIGTERM)
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        served.process.wait(0.2)
        assert served.process.wait(30) in {0, -signal.SIGTERM}


def children(parent: int) -> set[int]:
    """The processes whose parent is this one."""
    text = Path(f"/proc/{parent}/task/{parent}/children").read_text()
    return {int(word) for word in text.split()}


def test_several_processes_share_a_port_and_one_that_dies_is_replaced(spawn: Callable[[str], Process]) -> None:
    served = spawn("many")
    assert served.get().status_code == 200
    before = children(served.process.pid)
    assert len(before) == 2
    victim = before.pop()
    os.kill(victim, signal.SIGKILL)
    after = before
    while len(after - {victim}) < 2:
        after = children(served.process.pid)
    assert served.get().status_code == 200
    assert served.end() == 0
    assert "a web process ended and is started again" in served.log.read_text()


def test_secrets_of_a_request_or_an_error_never_reach_the_log(spawn: Callable[[str], Process]) -> None:
    served = spawn("one")
    secrets = {
        "Authorization": "Basic Y2FuYXJ5LTdmM2E6Y2FuYXJ5LTdmM2E=",
        "Proxy-Authorization": "Bearer canary-7f3a",
        "Cookie": "session=canary-7f3a; other=canary-7f3a",
        "X-Api-Key": "canary-7f3a",
    }
    answer = served.get("/fail?token=canary-7f3a", secrets)
    assert served.get("/v2/", secrets).status_code == 200
    with served.connect() as garbage:
        garbage.sendall(b"GET / HTTP/1.1\r\nAuthorization: Bearer canary-7f3a\r\nBad Field: canary-7f3a\r\n\r\n")
        assert garbage.recv(4096).startswith(b"HTTP/1.1 400 ")
    assert served.end() in {0, -signal.SIGTERM}
    log = served.log.read_text()
    assert answer.status_code == 500
    assert answer.headers["x-request-id"] in log
    assert "could not use" in log
    assert '"path": "/v2/"' in log
    assert not re.search("canary|Y2FuYXJ5", log + answer.text)
