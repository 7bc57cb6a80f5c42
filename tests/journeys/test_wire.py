"""What only a raw connection can do to a running registry."""

import os
import signal
import socket
from collections.abc import Callable

import httpx
import pytest

from tests.journeys.conftest import Served
from tests.journeys.test_first_day import push
from tests.pushing import digest


def connect(served: Served) -> socket.socket:
    host, port = served.url.removeprefix("http://").rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=30)


def exchange(served: Served, sent: bytes) -> bytes:
    """Send, then read until the registry closes."""
    with connect(served) as connection:
        connection.sendall(sent)
        received = b""
        while piece := connection.recv(65536):
            received += piece
        return received


@pytest.fixture
def served(serve: Callable[..., Served]) -> Served:
    return serve(HEADER_TIMEOUT="1s", BODY_TIMEOUT="1s")


def test_headers_that_never_end_are_answered_and_closed(served: Served) -> None:
    assert exchange(served, b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\n").startswith(b"HTTP/1.1 408 ")
    assert exchange(served, b"").startswith(b"HTTP/1.1 408 ")


def test_headers_over_32_kib_are_refused(served: Served) -> None:
    sent = b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\nX-Much: " + b"x" * 40_000
    assert exchange(served, sent).startswith(b"HTTP/1.1 431 ")


def test_a_body_that_stops_is_told_and_what_came_is_kept(served: Served) -> None:
    with httpx.Client(base_url=served.url) as client:
        place = client.post("/v2/a/blobs/uploads/").headers["location"]
        head = f"PATCH {place} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n".encode()
        answer = exchange(served, head + b"12345")
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"REQUEST_TIMEOUT" in answer
        assert client.get(place).headers["range"] == "0-4"
        assert client.put(place, params={"digest": digest(b"1234567890")}, content=b"67890").status_code == 201


def test_a_lost_connection_keeps_what_came_and_does_not_hold_the_session(served: Served) -> None:
    with httpx.Client(base_url=served.url, timeout=30) as client:
        place = client.post("/v2/a/blobs/uploads/").headers["location"]
        with connect(served) as lost:
            lost.sendall(f"PATCH {place} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12345".encode())
        content = b"12345" + b"x" * 1000
        retried = client.patch(place, content=content[5:], headers={"Content-Range": "5-1004"})
        if retried.status_code == 416:
            assert retried.headers["range"] == "0-0"
            assert client.patch(place, content=content).status_code == 202
        assert client.put(place, params={"digest": digest(content)}).status_code == 201


def test_an_answer_before_the_body_reaches_a_client_that_is_still_sending(served: Served) -> None:
    with httpx.Client(base_url=served.url, timeout=30) as client:
        answer = client.patch("/v2/a/blobs/uploads/no-such-session", content=b"x" * (8 << 20))
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, "BLOB_UPLOAD_UNKNOWN")
        large = client.put("/v2/a/manifests/x", content=b"x" * (8 << 20))
        assert large.status_code == 413


def test_a_client_that_asks_is_told_to_continue(served: Served) -> None:
    raw = digest(b"12345")
    head = f"POST /v2/a/blobs/uploads/?digest={raw} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
    with connect(served) as connection:
        connection.sendall(f"{head}Expect: 100-continue\r\nConnection: close\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"12345")
        assert connection.recv(4096).startswith(b"HTTP/1.1 201 ")


def test_garbage_is_a_400_and_the_registry_goes_on(served: Served) -> None:
    for sent in (b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"GET /v2/\xff HTTP/1.1\r\nHost: x\r\n\r\n"):
        assert exchange(served, sent).startswith(b"HTTP/1.1 400 ")
    traversal = b"GET /v2/../../etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    assert exchange(served, traversal)[9:12] in {b"400", b"404"}
    assert httpx.get(f"{served.url}/health").status_code == 200


def test_a_database_that_dies_is_503_and_comes_back(served: Served) -> None:
    with httpx.Client(base_url=served.url, timeout=60) as client:
        raw = push(client, "a", b"content")
        postmaster = int((served.data / "pg" / "postmaster.pid").read_text().split("\n")[0])
        os.kill(postmaster, signal.SIGKILL)
        answer = client.get("/v2/a/manifests/latest")
        for _ in range(10_000):
            if answer.status_code == 200:
                break
            assert answer.status_code == 503
            assert "retry-after" in answer.headers
            answer = client.get("/v2/a/manifests/latest")
        assert answer.content == raw


def test_what_is_in_flight_is_finished_before_the_end(served: Served) -> None:
    with httpx.Client(base_url=served.url) as client:
        place = client.post("/v2/a/blobs/uploads/").headers["location"]
    named = digest(b"1234567890")
    with connect(served) as connection:
        head = f"PUT {place}?digest={named} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n"
        connection.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        assert served.process is not None
        served.process.send_signal(signal.SIGTERM)
        connection.sendall(b"1234567890")
        assert connection.recv(4096).startswith(b"HTTP/1.1 201 ")
    assert served.ended() == 0


def test_secrets_stay_out_of_the_log(serve: Callable[..., Served]) -> None:
    served = serve(LOG_LEVEL="debug")
    canary = "canary-d2c1"
    headers = {"Authorization": f"Bearer {canary}", "Cookie": f"session={canary}"}
    for path in ("/v2/", "/v2/a/manifests/x", "/nothing", "/metrics"):
        httpx.get(f"{served.url}{path}", params={"token": canary}, headers=headers)
    password = (served.data / "pg.password").read_text().strip()
    served.stop()
    log = (served.data.parent / "serve.log").read_text()
    assert '"path": "/v2/a/manifests/x"' in log
    assert canary not in log
    assert password not in log
