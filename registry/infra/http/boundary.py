"""Around the whole application: request ids, one log line and one measure a request, errors to responses."""

import asyncio
import time
from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from registry.core.errors import BadRequest, Internal, RegistryError, Unavailable
from registry.infra.http import request_id
from registry.infra.http.body import ClientDisconnected
from registry.infra.http.problems import response_for
from registry.infra.limits.model import BUDGET
from registry.infra.limits.model import headers as budget_headers
from registry.infra.telemetry import logs, metrics
from registry.infra.telemetry.access import Access

SHARES: Final = "/s/"
"""What paths begin with that end in a secret: no log has the rest of them."""

_CLIENT_GONE: Final = 499
_log = structlog.get_logger("registry.http")


class Boundary:
    """An ASGI application around another; lifespan messages pass through, after the last the log is written out.

    What the application raises before it answers becomes the answer; what it raises later ends the connection, so that
    a cut answer is seen as one.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._new_id = request_id.maker()
        self._access = logs.access_log()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever the application does."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            self._flush()
            return
        began, name, hosts = time.perf_counter(), None, 0
        for key, value in scope["headers"]:
            if key == b"host":
                hosts += 1
            elif key == b"x-request-id":
                name = request_id.accepted(value)
        answer = _Answer(name or self._new_id(), scope, send)
        logs.REQUEST_ID.set(answer.request_id)
        try:
            app = self._app if hosts == 1 or scope["http_version"] == "1.0" else _without_host
            await app(scope, receive, answer.send)
        except BaseException as error:  # noqa: BLE001 - `fail` raises again what is no error of the application
            await answer.fail(error, scope, receive)
        finally:
            self._account(scope, answer, time.perf_counter() - began)

    def _flush(self) -> None:
        """Lose no line of the log: a signal that ends the process afterwards leaves it no time."""
        if self._access is not None:
            self._access.flush()

    def _account(self, scope: Scope, answer: "_Answer", seconds: float) -> None:
        metrics.count(scope.get("route_name", "other"), scope["method"], answer.status, seconds)
        if self._access is not None:
            path, method = _loggable(scope["path"]), scope["method"]
            self._access.write(Access(time.time(), answer.request_id, method, path, answer.status, seconds))


class _Answer:
    """One answer: the id that it carries, the status that was sent, 0 before."""

    __slots__ = ("_scope", "_send", "request_id", "status")

    def __init__(self, name: str, scope: Scope, send: Send) -> None:
        self.request_id = name
        self._scope = scope
        self.status = 0
        self._send = send

    async def send(self, message: Message) -> None:
        """Pass a message on; its first carries the request id."""
        if message["type"] == "http.response.start":
            headers = [*message.get("headers", ()), (b"x-request-id", self.request_id.encode()), *_budget(self._scope)]
            await self._send({**message, "headers": headers})
            self.status = message["status"]
        else:
            await self._send(message)

    async def fail(self, error: BaseException, scope: Scope, receive: Receive) -> None:
        """Answer with what `error` means; raise it again where an answer has begun or nobody can be told."""
        if isinstance(error, ClientDisconnected):
            self.status = _CLIENT_GONE
        elif self.status or not isinstance(error, Exception | asyncio.CancelledError):
            raise error
        else:
            response = response_for(self._meaning(error, scope), scope["path"], self.request_id, _accept(scope))
            try:
                await response(scope, receive, self.send)
            except ClientDisconnected:
                self.status = _CLIENT_GONE
            if isinstance(error, asyncio.CancelledError):
                raise error

    def _meaning(self, error: BaseException, scope: Scope) -> RegistryError:
        if isinstance(error, RegistryError):
            return error
        if isinstance(error, asyncio.CancelledError):
            return Unavailable("The registry is stopping.", headers={"Connection": "close", "Retry-After": "5"})
        _log.error("failed", method=scope["method"][:50], path=_loggable(scope["path"])[:500], exc_info=error)
        return Internal(f"The registry failed; its log has the cause under {self.request_id}.")


def _budget(scope: Scope) -> list[tuple[bytes, bytes]]:
    """What the sender may still ask for, where that is counted; a refusal says so itself."""
    found = scope.get(BUDGET)
    if found is None or not found.allowed:
        return []
    return [(name.lower().encode(), value.encode()) for name, value in budget_headers(found).items()]


async def _without_host(_: Scope, __: Receive, ___: Send) -> None:
    raise BadRequest("A request has one Host field (RFC 9112, section 3.2).")


def _loggable(path: str) -> str:
    return f"{SHARES}…" if path.startswith(SHARES) else path


def _accept(scope: Scope) -> str:
    return ",".join(value.decode("latin-1") for name, value in scope["headers"] if name == b"accept")
