"""Around the whole application: request ids, one log line and one measure a request, errors to responses."""

import re
import secrets
import time
from collections.abc import MutableMapping
from typing import Any, Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from registry.core.errors import Internal, RegistryError
from registry.infra.http.body import ClientDisconnected
from registry.infra.http.problems import response_for
from registry.infra.telemetry import metrics

_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_METHODS: Final = frozenset({"GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"})
_CLIENT_GONE: Final = 499
_log = structlog.get_logger("registry.access")


class Boundary:
    """An ASGI application around another; lifespan messages pass through."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever the application does."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, request_id, sent = time.perf_counter(), _request_id(scope), _Sent()

        async def mark(message: Message) -> None:
            if message["type"] == "http.response.start":
                sent.status = message["status"]
                message.setdefault("headers", []).append((b"x-request-id", request_id.encode()))
            await send(message)

        try:
            await self._answer(scope, receive, mark, request_id, sent)
        finally:
            _account(scope, sent.status, time.perf_counter() - began, request_id)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, request_id: str, sent: "_Sent") -> None:
        try:
            await self._app(scope, receive, send)
        except ClientDisconnected:
            sent.status = _CLIENT_GONE
        except RegistryError as error:
            if sent.status:
                raise
            await response_for(error, scope["path"], request_id)(scope, receive, send)
        except Exception:
            _log.exception("failed", request_id=request_id, method=scope["method"], path=scope["path"][:500])
            if sent.status:
                raise
            message = f"The registry failed; its log has the cause under {request_id}."
            await response_for(Internal(message), scope["path"], request_id)(scope, receive, send)


class _Sent:
    """The status that has been sent; 0 before."""

    __slots__ = ("status",)

    def __init__(self) -> None:
        self.status = 0


def _request_id(scope: MutableMapping[str, Any]) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _ID.fullmatch(value):
            return str(value.decode())
    return f"req_{secrets.token_hex(8)}"


def _account(scope: Scope, status: int, seconds: float, request_id: str) -> None:
    method = scope["method"] if scope["method"] in _METHODS else "other"
    route = scope.get("route_name", "other")
    metrics.REQUESTS.labels(route, method, str(status)).inc()
    metrics.REQUEST_SECONDS.labels(route, method).observe(seconds)
    _log.info(
        "request",
        request_id=request_id,
        method=method,
        path=scope["path"][:500],
        status=status,
        ms=round(seconds * 1000, 2),
    )
