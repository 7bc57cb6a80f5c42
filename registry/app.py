"""The web application, put together by plain calls."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.routing import Router
from starlette.types import ASGIApp, Receive, Scope, Send

from registry import worker
from registry.access import Access, open_access
from registry.audit.jobs import writing
from registry.audit.model import By
from registry.auth.bootstrap import OPERATOR, initial_password
from registry.config import Settings
from registry.content import repositories
from registry.content.shelf import Shelf
from registry.core.errors import RouteUnknown, Unavailable
from registry.infra.http.boundary import SHARES, Boundary
from registry.infra.http.lane import Lane, account
from registry.infra.http.serving import LANE, TICK
from registry.infra.telemetry import metrics
from registry.oci.routes import OciDoor
from registry.oci.token import TokenDoor
from registry.parts import open_shelf
from registry.web import operations
from registry.web.rest import Behind, RestDoor
from registry.web.rows import rows
from registry.web.site import Site


def create_app(settings: Settings) -> ASGIApp:
    """The application of one web process; its lifespan opens the shelf and runs the worker when JOBS=inline."""
    return Boundary(Application(settings))


class Application:
    """Sends each request to its door; holds what its lifespan opened."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._opened: tuple[Shelf, Access] | None = None
        wait = settings.body_timeout.total_seconds()
        self.oci = OciDoor(self.shelf, lambda: self.access().guard, wait)
        self._token = TokenDoor(lambda: self.access().issuer, wait)
        self._rest = RestDoor(
            rows(self._site_of(settings)),
            Behind(lambda: self.access().realm, lambda: self.access().rest, self._refused, wait),
        )
        self._site = Router(
            operations.routes(self.check, self.jwks),
            default=_nothing,
            redirect_slashes=False,
            lifespan=lambda _: self.lifespan(),
        )

    def _site_of(self, settings: Settings) -> Site:
        return Site(
            takes_sign_ups=settings.takes_sign_ups,
            initial_password=initial_password(settings.data_dir),
            attempts=lambda: self.access().guard,
            identifier=lambda: self.access().identifier,
            remove_repository=lambda name: repositories.delete(self.shelf(), name, OPERATOR),
            shelf=self.shelf,
            max_archive=settings.max_archive_size,
        )

    def _refused(self, by: By, action: str, target: str, namespace: int | None) -> None:
        self.access().denials.note(by, action, target, namespace)

    def shelf(self) -> Shelf:
        """The content that the lifespan opened."""
        return self._get()[0]

    def access(self) -> Access:
        """Who decides, as the lifespan opened it."""
        return self._get()[1]

    def _get(self) -> tuple[Shelf, Access]:
        if self._opened is None:
            raise Unavailable("The registry is starting or stopping.")
        return self._opened

    async def check(self) -> None:
        """Raise what keeps this process from serving."""
        shelf = self.shelf()
        async with shelf.db.connection() as connection:
            await connection.fetchval("SELECT 1 FROM instance")
        try:
            shelf.store.check_room()
        except OSError as error:
            raise Unavailable(f"The storage does not answer: {error.strerror}.") from error

    async def jwks(self) -> dict[str, Any]:
        """The keys that verify registry tokens now."""
        return await self.access().keys.jwks(time.time())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the lifespan."""
        path = scope.get("path", "")
        if path == "/v2" or path.startswith("/v2/"):
            await self.oci(scope, receive, send)
        elif path == "/token":
            await self._token(scope, receive, send)
        elif path.startswith(("/v1/", SHARES)):
            await self._rest(scope, receive, send)
        else:
            scope["route_name"] = path.strip("/") if path in {"/health", "/ready", "/metrics"} else "other"
            await self._site(scope, receive, send)

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[dict[str, Any]]:
        """Open the shelf, run the worker when JOBS=inline; leaving ends both in order. The state is the server's."""
        async with contextlib.AsyncExitStack() as opened:
            shelf = await open_shelf(self._settings)
            opened.push_async_callback(shelf.close)
            access = await opened.enter_async_context(open_access(self._settings, shelf))
            self._opened = shelf, access
            opened.callback(self._forget)
            state = self._open_lane(shelf, access)
            async with self._worker(shelf, access), writing(access.denials, shelf.db):
                yield state

    @asynccontextmanager
    async def _worker(self, shelf: Shelf, access: Access) -> AsyncIterator[None]:
        if self._settings.jobs != "inline":
            yield
            return
        stop = asyncio.Event()
        pauses = worker.Pauses(self._settings.sweep_interval, self._settings.retention_interval)
        task = asyncio.create_task(worker.run(shelf, access.realm, pauses, stop))
        try:
            yield
        finally:
            stop.set()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def _forget(self) -> None:
        self._opened = self.oci.lane = None

    def _open_lane(self, shelf: Shelf, access: Access) -> dict[str, Any]:
        counters, memory = shelf.changes.counters, self._settings.lane_memory
        if counters is None or not memory:
            return {TICK: self._tick}
        self.oci.lane = Lane(counters, memory, access.limiter)
        return {TICK: self._tick, LANE: self.oci.lane}

    def _tick(self, headers: list[tuple[bytes, bytes]]) -> None:
        """Count what cannot be counted one by one; `headers` are those of every answer from now on."""
        metrics.record_pool(*self.shelf().db.sizes)
        self.access().tick()
        if self.oci.lane is not None:
            hits = self.oci.lane.tick(headers)
            account(hits)
            self.shelf().pulls.note_paths(hit.label.path for hit in hits if hit.label.route == "manifests")
        self.shelf().pulls.tick(self.shelf().db)


async def _nothing(_: Scope, __: Receive, ___: Send) -> None:
    raise RouteUnknown("There is nothing under this path.")
