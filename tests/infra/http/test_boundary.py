"""What the boundary makes of requests and errors, without a network."""

import asyncio
import contextlib
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import REGISTRY
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from registry.core.errors import NotFound, RegistryError, RequestTimeout, TooLarge
from registry.infra.http.body import ClientDisconnected, chunks, read_all
from registry.infra.http.boundary import Boundary
from registry.infra.http.problems import wire_answer
from registry.infra.telemetry import logs
from tests.infra.http.conftest import reply


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What is logged."""
    stream = io.StringIO()
    logs.configure("info", "json", stream)
    yield stream
    logs.configure("error", "json")


def request(path: str = "/v2/", **fields: str) -> Scope:
    headers = [(b"host", b"localhost"), *((k.replace("_", "-").encode(), v.encode()) for k, v in fields.items())]
    return {"type": "http", "method": "GET", "path": path, "headers": headers, "http_version": "1.1"}


async def never() -> Message:
    raise AssertionError


async def ask(app: ASGIApp, scope: Scope) -> tuple[int, dict[str, str], bytes]:
    """The one response of an application."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await Boundary(app)(scope, never, send)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:])


async def ok(scope: Scope, _: Receive, send: Send) -> None:
    scope["route_name"] = "version"
    await reply(send)


def raising(error: BaseException) -> ASGIApp:
    async def app(_: Scope, __: Receive, ___: Send) -> None:
        raise error

    return app


async def test_a_plain_request_id_is_kept_and_any_other_replaced() -> None:
    assert (await ask(ok, request(x_request_id="abc.1-2_3")))[1]["x-request-id"] == "abc.1-2_3"
    for given in ("a b", "x" * 65, "", '"}', "a\tb"):
        found = (await ask(ok, request(x_request_id=given)))[1]["x-request-id"]
        assert found.startswith("req_")
    assert len({(await ask(ok, request()))[1]["x-request-id"] for _ in range(100)}) == 100


async def test_an_error_under_v2_is_the_oci_envelope() -> None:
    error = NotFound("There is nothing here.", detail={"name": "é"}, headers={"Retry-After": "1"})
    status, headers, body = await ask(raising(error), request())
    assert (status, headers["content-type"], headers["retry-after"]) == (404, "application/json", "1")
    assert headers["docker-distribution-api-version"] == "registry/2.0"
    assert headers["content-length"] == str(len(body))
    expected = {"code": "NOT_FOUND", "message": "There is nothing here.", "detail": {"name": "é"}}
    assert json.loads(body) == {"errors": [expected]}


async def test_an_error_elsewhere_is_one_object_or_a_page_for_browsers() -> None:
    app = raising(NotFound("There is no <b>such</b> page."))
    _, headers, body = await ask(app, request("/x", accept="application/json"))
    told = json.loads(body)
    assert datetime.fromisoformat(told.pop("timestamp")).tzinfo == UTC
    assert told == {
        "code": "NOT_FOUND",
        "message": "There is no <b>such</b> page.",
        "suggestions": [told["suggestions"][0]],
        "requestId": headers["x-request-id"],
    }
    assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")
    _, headers, body = await ask(app, request("/x", accept="text/html,application/xhtml+xml,*/*;q=0.8"))
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert b"There is no &lt;b&gt;such&lt;/b&gt; page." in body
    _, headers, _ = await ask(app, request("/v2/x", accept="text/html"))
    assert headers["content-type"] == "application/json"


async def test_an_unforeseen_error_is_500_whose_cause_only_the_log_knows(lines: io.StringIO) -> None:
    status, headers, body = await ask(raising(ValueError("inner matters")), request())
    assert (status, json.loads(body)["errors"][0]["code"]) == (500, "INTERNAL")
    assert b"inner" not in body
    [line] = [json.loads(line) for line in lines.getvalue().splitlines() if "inner matters" in line]
    assert line["request_id"] == headers["x-request-id"]


async def test_an_error_after_the_answer_began_ends_the_connection() -> None:
    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ValueError("too late")

    with pytest.raises(ValueError, match="too late"):
        await ask(app, request())


async def test_values_that_no_header_may_hold_do_not_break_the_answer() -> None:
    error = NotFound("Nothing \udc80 here.", detail={"at": object()}, headers={"Location": "/a\r\nb\u20ac"})
    status, headers, body = await ask(raising(error), request())
    assert (status, headers["location"]) == (404, "/a  b ")
    assert json.loads(body)["errors"][0]["detail"]["at"].startswith("<object")


def requests(route: str, status: str) -> float:
    labels = {"route": route, "method": "GET", "status": status}
    return REGISTRY.get_sample_value("gati_registry_http_requests_total", labels) or 0.0


async def test_a_request_is_counted_by_route_and_logged_once(lines: io.StringIO) -> None:
    before = requests("version", "200")
    _, headers, _ = await ask(ok, request("/v2/\n\u2028\U0001f600"))
    assert requests("version", "200") == before + 1
    found = logs.access_log()
    assert found is not None
    found.flush()
    [line] = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert (line["request_id"], line["method"], line["status"]) == (headers["x-request-id"], "GET", 200)
    assert line["path"] == "/v2/\n\u2028\U0001f600"


async def test_a_client_that_went_is_499(lines: io.StringIO) -> None:
    before = requests("other", "499")
    await Boundary(raising(ClientDisconnected()))(request(), never, never)  # type: ignore[arg-type]
    assert requests("other", "499") == before + 1


async def test_a_client_that_went_before_its_error_was_told_is_499_and_no_failure(lines: io.StringIO) -> None:
    async def gone(_: Message) -> None:
        raise ClientDisconnected

    before = requests("other", "499")
    await Boundary(raising(NotFound("There is no such thing.")))(request(), never, gone)
    assert requests("other", "499") == before + 1
    assert "Traceback" not in lines.getvalue()


async def test_an_unknown_method_is_counted_as_other() -> None:
    labels = {"route": "version", "method": "other", "status": "200"}
    await ask(ok, {**request(), "method": "BREW"})
    assert REGISTRY.get_sample_value("gati_registry_http_requests_total", labels)
    assert not REGISTRY.get_sample_value("gati_registry_http_requests_total", labels | {"method": "BREW"})


async def test_a_cancelled_request_is_503_and_stays_cancelled() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    with pytest.raises(asyncio.CancelledError):
        await Boundary(raising(asyncio.CancelledError()))(request(), never, send)
    assert sent[0]["status"] == 503


async def test_what_is_no_request_passes_through() -> None:
    seen: list[Scope] = []

    async def app(scope: Scope, _: Receive, __: Send) -> None:
        seen.append(scope)

    await Boundary(app)({"type": "lifespan"}, never, never)  # type: ignore[arg-type]
    assert seen == [{"type": "lifespan"}]


def receiving(*messages: Any) -> Receive:
    given = iter(messages)

    async def receive() -> Message:
        message = next(given, None)
        if message is None:
            await asyncio.Event().wait()
        if isinstance(message, bytes):
            return {"type": "http.request", "body": message, "more_body": True}
        return message if isinstance(message, dict) else {"type": "http.disconnect"}

    return receive


END = {"type": "http.request", "body": b"", "more_body": False}


async def test_a_body_comes_in_pieces_none_of_them_empty() -> None:
    assert [piece async for piece in chunks(receiving(b"a", b"", b"bc", END), 1)] == [b"a", b"bc"]
    assert await read_all(receiving(b"a", b"bc", END), 3, 1) == b"abc"


async def test_a_body_over_its_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(TooLarge):
        await read_all(receiving(b"a" * 4), 3, 1)
    with pytest.raises(TooLarge):
        await read_all(never, 3, 1, 4)


async def test_a_body_that_stops_is_too_late() -> None:
    with pytest.raises(RequestTimeout) as stopped:
        await read_all(receiving(b"a"), 3, 0.01)
    assert stopped.value.headers == {"Connection": "close"}


def test_a_body_that_trickles_is_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte comes just in time, again and again, by a clock that moves with them."""
    now = 0.0

    async def trickle() -> Message:
        nonlocal now
        now += 0.9
        await asyncio.sleep(0)
        return {"type": "http.request", "body": b"a", "more_body": True}

    loop = asyncio.new_event_loop()
    monkeypatch.setattr(loop, "time", lambda: now)
    with contextlib.closing(loop), pytest.raises(RequestTimeout, match="not whole"):
        loop.run_until_complete(read_all(trickle, 1 << 20, 1))


async def test_a_client_that_leaves_its_body_is_no_error_of_ours() -> None:
    with pytest.raises(ClientDisconnected):
        await read_all(receiving(b"a", 0), 3, 1)
    assert not issubclass(ClientDisconnected, RegistryError)


def test_an_answer_outside_of_any_request_is_complete() -> None:
    answer = wire_answer(RequestTimeout("Too slow."), [(b"date", b"now")], "req_1")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 Request Timeout\r\ndate: now\r\n")
    assert b"content-length: %d" % len(body) in head
    assert json.loads(body)["errors"][0]["code"] == "REQUEST_TIMEOUT"


async def test_an_error_under_token_is_the_oci_envelope() -> None:
    _, _, body = await ask(raising(NotFound("No.")), request("/token", accept="text/html"))
    assert json.loads(body) == {"errors": [{"code": "NOT_FOUND", "message": "No.", "detail": None}]}
