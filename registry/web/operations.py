"""What operators and machines ask: /health, /ready, /metrics, and the keys that verify tokens."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from registry.core.errors import Denied, RegistryError, Unavailable
from registry.core.hosts import is_here
from registry.infra.http.origin import BrowserGuard
from registry.infra.http.serving import STOPPING
from registry.infra.telemetry import metrics

_PROXIED: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via")
_FRESH: Final = {"Cache-Control": "no-store"}


def routes(check: Callable[[], Awaitable[None]], keys: Callable[[], Awaitable[dict[str, Any]]]) -> list[Route]:
    """The rows. `keys` answers the JWK Set (RFC 7517, section 5) of registry tokens.

    `check` raises the `RegistryError` that keeps this process from serving: the database or the storage does not
    answer, or the storage has only its reserve left. A process that stops is not ready either.
    """

    async def ready(request: Request) -> Response:
        stopping = request.scope.get("state", {}).get(STOPPING)
        if stopping is not None and stopping.is_set():
            raise Unavailable("Not ready: the registry is stopping.", headers=_FRESH)
        try:
            await check()
        except RegistryError as error:
            raise Unavailable(f"Not ready: {error.message}", headers=_FRESH) from error
        return JSONResponse({"status": "ready"}, headers=_FRESH)

    async def jwks(_: Request) -> Response:
        return JSONResponse(
            await keys(), headers={"Cache-Control": "max-age=60"}, media_type="application/jwk-set+json"
        )

    return [
        Route("/health", _health),
        Route("/ready", ready),
        Route("/metrics", _Metrics().answer),
        Route("/.well-known/jwks.json", jwks),
    ]


async def _health(_: Request) -> Response:
    """The process lives: nothing else is asked."""
    return JSONResponse({"status": "ok"}, headers=_FRESH)


class _Metrics:
    """/metrics on the port of the registry: for this machine alone, not for its proxy, not for its browsers."""

    def __init__(self) -> None:
        self._guard = BrowserGuard(None, (), ())

    async def answer(self, request: Request) -> Response:
        """The counts of all processes in Prometheus' text format.

        Raises:
            Denied: the caller is elsewhere.
        """
        peer = request.client.host if request.client else ""
        if not is_here(peer) or any(name in request.headers for name in _PROXIED):
            raise Denied("Metrics are for callers on this machine; METRICS_PORT opens a port for others.")
        self._guard.check(request.headers)
        return Response(metrics.exposition(), headers={"Content-Type": metrics.CONTENT_TYPE} | _FRESH)
