"""What operators and their machines ask: /health, /ready, /metrics."""

import ipaddress
from collections.abc import Awaitable, Callable

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from registry.core.errors import Denied, RegistryError, Unavailable
from registry.infra.telemetry import metrics


def routes(check: Callable[[], Awaitable[None]]) -> list[Route]:
    """The rows; `check` raises what keeps this process from serving."""

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(_: Request) -> Response:
        try:
            await check()
        except RegistryError as error:
            raise Unavailable(f"Not ready: {error.message}") from error
        return JSONResponse({"status": "ready"})

    return [Route("/health", health), Route("/ready", ready), Route("/metrics", _metrics)]


async def _metrics(request: Request) -> Response:
    peer = request.client.host if request.client else ""
    proxied = "forwarded" in request.headers or "x-forwarded-for" in request.headers
    if proxied or not _is_loopback(peer):
        raise Denied("Metrics are for callers on this machine.")
    return Response(metrics.exposition(), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
