"""What /health, /ready and /metrics answer, and to whom."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.routing import Router
from starlette.types import Receive, Scope, Send

from registry.core.errors import StorageFull
from registry.infra.http.boundary import Boundary
from registry.web import operations


async def fine() -> None:
    return None


async def no_keys() -> dict[str, Any]:
    return {"keys": []}


def asker(
    check: Callable[[], Awaitable[None]] = fine, peer: str = "127.0.0.1", *, stopping: bool = False
) -> httpx.AsyncClient:
    site, stop = Router(operations.routes(check, no_keys)), asyncio.Event()
    if stopping:
        stop.set()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await site({**scope, "state": {"stopping": stop}}, receive, send)

    transport = httpx.ASGITransport(Boundary(app), raise_app_exceptions=False, client=(peer, 1))
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


async def failing() -> None:
    raise StorageFull("The storage has only its reserve left.")


async def test_health_says_that_the_process_lives_whatever_else_is_wrong() -> None:
    async with asker(failing, stopping=True) as asking:
        answer = await asking.get("/health")
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
        assert (await asking.head("/health")).status_code == 200


async def test_ready_says_what_is_wrong() -> None:
    async with asker() as asking:
        assert (await asking.get("/ready")).status_code == 200
    async with asker(failing) as asking:
        answer = await asking.get("/ready")
        assert answer.status_code == 503
        assert answer.json()["message"] == "Not ready: The storage has only its reserve left."
        assert answer.headers["retry-after"] == "1"
    async with asker(stopping=True) as asking:
        assert "stopping" in (await asking.get("/ready")).json()["message"]


async def test_a_registry_without_its_storage_is_not_ready(
    client: httpx.AsyncClient, server: Any, tmp_path: Path
) -> None:
    root = server.shelf().store.root
    assert (await client.get("/ready")).status_code == 200
    root.rename(tmp_path / "elsewhere")
    answer = await client.get("/ready")
    assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE")
    assert "storage" in answer.json()["message"]


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics"])
async def test_other_methods_are_405_with_allow(path: str) -> None:
    async with asker() as asking:
        answer = await asking.post(path)
    assert answer.status_code == 405
    assert {"GET", "HEAD"} == set(answer.headers["allow"].replace(" ", "").split(","))


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
async def test_metrics_are_for_this_machine(peer: str) -> None:
    async with asker(peer=peer) as asking:
        answer = await asking.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert "# TYPE gati_registry_http_requests_total counter" in answer.text


@pytest.mark.parametrize("name", ["Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"])
async def test_metrics_are_not_for_clients_of_a_proxy_on_this_machine(name: str) -> None:
    async with asker() as asking:
        assert (await asking.get("/metrics", headers={name: "127.0.0.1"})).status_code == 403


@pytest.mark.parametrize(
    ("peer", "headers"),
    [
        ("192.168.1.5", {}),
        ("", {}),
        ("127.0.0.1", {"Host": "rebound.example"}),
        ("127.0.0.1", {"Origin": "https://evil.example"}),
        ("127.0.0.1", {"Sec-Fetch-Site": "cross-site"}),
    ],
)
async def test_metrics_are_not_for_others_nor_for_pages_of_strangers(peer: str, headers: dict[str, str]) -> None:
    async with asker(peer=peer) as asking:
        assert (await asking.get("/metrics", headers=headers)).status_code == 403
