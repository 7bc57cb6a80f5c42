"""The web application, put together by plain calls."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.routing import Router
from starlette.types import ASGIApp, Receive, Scope, Send

from registry import worker
from registry.auth import signing
from registry.auth.passwords import Passwords
from registry.auth.realm import Realm
from registry.auth.secrets import Secrets
from registry.config import Settings
from registry.content.shelf import Policy, Shelf
from registry.core.errors import RouteUnknown, Unauthorized, Unavailable
from registry.guard import Guard
from registry.infra.changes import Changes
from registry.infra.db import embedded
from registry.infra.db.pool import Database, connect_arguments, open_database
from registry.infra.http.address import Addresses
from registry.infra.http.boundary import Boundary
from registry.infra.http.counters import Counters
from registry.infra.http.lane import Lane, account
from registry.infra.http.origin import BrowserGuard
from registry.infra.http.serving import LANE, TICK
from registry.infra.limits.limiter import Limiter
from registry.infra.limits.model import Kind
from registry.infra.limits.open import Counting, open_limiter
from registry.infra.mail import Mail
from registry.infra.storage.directory import DirectoryStore
from registry.infra.storage.keys import COUNTERS, LIMITS
from registry.infra.telemetry import metrics
from registry.oci.routes import OciDoor
from registry.web import operations


async def open_shelf(settings: Settings) -> Shelf:
    """Database and store of these settings.

    Raises:
        Unavailable: the database does not answer.
    """
    if settings.database_url is not None:
        arguments = connect_arguments(settings.database_url)
    else:
        server = await embedded.attach(settings.data_dir)
        if server is None:
            raise Unavailable("The embedded database does not run: gati-registry serve starts it.")
        arguments = server.connect_arguments()
    store = DirectoryStore(settings.storage_url, settings.disk_reserve)
    await asyncio.to_thread(store.prepare)
    is_alone = settings.database_url is None or settings.single_host
    async with AsyncExitStack() as opened:
        counters = Counters(settings.storage_url / COUNTERS) if is_alone else None
        token = ""
        if counters is not None:
            opened.callback(counters.close)
            token = counters.token
        db = await open_database(arguments, settings.database_pool_min, settings.database_pool_max, token)
        opened.push_async_callback(db.close)
        await _check_others(settings, db, counters)
        secret = await _secret(db)
        opened.pop_all()
    return Shelf(db, store, _policy(settings), secret, Changes(db, counters))


async def open_realm(settings: Settings, shelf: Shelf) -> Realm:
    """What accounts and their credentials need, with a key that signs tokens.

    Raises:
        Unavailable: the file of secrets or the database cannot be used.
    """
    secrets = await asyncio.to_thread(Secrets.load, settings.secrets_file)
    mail = Mail(settings.smtp_url, settings.mail_from) if settings.smtp_url and settings.mail_from else None
    realm = Realm(
        shelf.db, shelf.changes, secrets, Passwords(), mail, lambda: datetime.now(UTC), public_url=settings.public_url
    )
    await signing.ensure(realm, settings.jwt_secret)
    return realm


async def _check_others(settings: Settings, db: Database, counters: Counters | None) -> None:
    """Refuse to run beside processes of the other kind; this one's cell or connection can be seen by them already."""
    if counters is not None and await db.has_connections(""):
        raise Unavailable("Processes of this registry run without SINGLE_HOST: it holds for all of them or for none.")
    if counters is None and await asyncio.to_thread(Counters.is_used, settings.storage_url / COUNTERS):
        raise Unavailable("Other processes of this registry answer from memory: set SINGLE_HOST=true here, too.")


async def _secret(db: Database) -> bytes:
    async with db.connection() as connection:
        return bytes(await connection.fetchval("SELECT secret FROM instance"))


def open_limits(settings: Settings, secret: bytes) -> Limiter:
    """The rate limits of these settings, counted by all processes together, and by several hosts in Redis.

    Raises:
        Unavailable: the file that the processes share cannot be used.
    """
    rates = {
        Kind.GENERAL: settings.rate_limit_general,
        Kind.SIGNED_IN: settings.rate_limit_signed_in,
        Kind.UPLOAD: settings.rate_limit_upload,
        Kind.TRANSFER: settings.rate_limit_transfer,
        Kind.AUTH: settings.rate_limit_auth,
    }
    if settings.database_url is None or settings.single_host:
        is_one = settings.database_url is None and settings.web_processes == 1
        return open_limiter(rates, Counting(None if is_one else settings.storage_url / LIMITS))
    folder = os.environ.get(metrics.DIRECTORY_VARIABLE)
    return open_limiter(rates, Counting(Path(folder) / LIMITS if folder else None, settings.redis_url, secret))


def _policy(settings: Settings) -> Policy:
    return Policy(
        grace=settings.grace,
        orphans=settings.orphan_referrers,
        upload_expiry=settings.upload_expiry,
        sparse=settings.sparse_manifests,
        max_blob_size=settings.max_blob_size,
        small_blob=settings.small_blob,
        max_uploads=settings.max_uploads,
    )


def create_app(settings: Settings) -> ASGIApp:
    """The application of one web process; its lifespan opens the shelf and runs the worker when JOBS=inline."""
    return Boundary(Application(settings))


class Application:
    """Sends each request to its door; holds what its lifespan opened."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._opened: Shelf | None = None
        self.limiter: Limiter | None = None
        self.addresses = Addresses(settings.trusted_proxies)
        self._guard = Guard(
            BrowserGuard(settings.public_url, settings.allowed_hosts, settings.cors_origins),
            settings.public_url,
            is_open=settings.is_open,
        )
        self.oci = OciDoor(self.shelf, self._guard, settings.body_timeout.total_seconds())
        self._site = Router(
            operations.routes(self.check), default=_nothing, redirect_slashes=False, lifespan=lambda _: self.lifespan()
        )

    def shelf(self) -> Shelf:
        """What the lifespan opened."""
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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the lifespan."""
        path = scope.get("path", "")
        if path == "/v2" or path.startswith("/v2/"):
            await self.oci(scope, receive, send)
        elif path == "/token":
            raise Unauthorized(
                "This registry has no accounts: its operator starts it with ACCESS=open to let everybody in."
            )
        else:
            scope["route_name"] = path.strip("/") if path in {"/health", "/ready", "/metrics"} else "other"
            await self._site(scope, receive, send)

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[dict[str, Any]]:
        """Open the shelf, run the worker when JOBS=inline; leaving ends both in order. The state is the server's."""
        shelf = self._opened = await open_shelf(self._settings)
        stop, task = asyncio.Event(), None
        try:
            if not self._settings.is_open:
                self.limiter = open_limits(self._settings, shelf.secret)
            state = self._open_lane(shelf)
            if self._settings.jobs == "inline":
                pauses = (self._settings.sweep_interval, stop, self._settings.retention_interval)
                task = asyncio.create_task(worker.run(shelf, *pauses))
            yield state
        finally:
            stop.set()
            if task is not None:
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            self._opened = self.oci.lane = self._guard.counters = None
            if self.limiter is not None:
                await self.limiter.close()
            await shelf.close()

    def _open_lane(self, shelf: Shelf) -> dict[str, Any]:
        counters, memory = shelf.changes.counters, self._settings.lane_memory
        if counters is None or not memory:
            return {TICK: self._tick}
        self._guard.counters = counters
        self.oci.lane = Lane(counters, memory, self.limiter)
        return {TICK: self._tick, LANE: self.oci.lane}

    def _tick(self, headers: list[tuple[bytes, bytes]]) -> None:
        """Count what cannot be counted one by one; `headers` are those of every answer from now on."""
        metrics.record_pool(*self.shelf().db.sizes)
        if self.oci.lane is not None:
            hits = self.oci.lane.tick(headers)
            account(hits)
            self.shelf().pulls.note_paths(hit.label.path for hit in hits if hit.label.route == "manifests")
        self.shelf().pulls.tick(self.shelf().db)


async def _nothing(_: Scope, __: Receive, ___: Send) -> None:
    raise RouteUnknown("There is nothing under this path.")
