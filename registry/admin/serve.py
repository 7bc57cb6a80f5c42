"""`gati-registry serve`: the embedded database where none is set, then the web processes."""

import asyncio
import contextlib
import errno
import os
import signal
import socket
import ssl
import sys
import tempfile
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import structlog
import uvloop

from registry import __version__
from registry.admin import running
from registry.admin.running import Refusal
from registry.app import create_app
from registry.auth import bootstrap
from registry.config import CONFIG_VARIABLE, Settings
from registry.core.hosts import is_loopback
from registry.infra.db import embedded
from registry.infra.db.embedded import EmbeddedServer
from registry.infra.db.pool import connect_arguments
from registry.infra.http.server import ServerOptions, bind, serve_many, serve_one
from registry.infra.storage.directory import DirectoryStore
from registry.infra.telemetry import metrics
from registry.namespaces import opening
from registry.namespaces.accounts import make_user
from registry.parts import open_realm

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_WILDCARDS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - shown, not bound
_BIND_ATTEMPTS: Final = 10
_BIND_PAUSE: Final = 0.1
_log = structlog.get_logger("registry.serve")
T = TypeVar("T")


class _Stopped(Exception):
    """A signal came before the registry served."""


@click.command()
@running.config_option
def command(config: Path | None) -> None:
    """Start the registry: the web server, its database and its worker, as far as they are not set up elsewhere."""
    settings = running.settings(config)
    if config is not None:
        os.environ[CONFIG_VARIABLE] = str(config)
    raise SystemExit(running.run(_serve(settings), uvloop.run))


def options(settings: Settings) -> ServerOptions:
    """What the web server needs of the settings."""
    return ServerOptions(
        host=settings.host,
        port=settings.port,
        tls_certificate=settings.tls_certificate,
        tls_key=settings.tls_key,
        header_timeout=settings.header_timeout.total_seconds(),
        shutdown_timeout=settings.shutdown_timeout.total_seconds(),
        max_connections=settings.max_connections,
    )


async def _serve(settings: Settings) -> int:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    # Held for the whole life: the web server raises the signals it took again once it has finished, and they must not
    # end this process before the database is stopped.
    for number in _SIGNALS:
        loop.add_signal_handler(number, stop.set)
    check_tls(settings)
    try:
        async with _database(settings, stop):
            _prepare_storage(settings)
            first = await _first_start(settings)
            with contextlib.closing(await _listen(settings)) as listener:
                click.echo(banner(settings, listener.getsockname()[1], first))
                return await _answer(settings, listener, stop)
    except _Stopped:
        return 0


async def _answer(settings: Settings, listener: socket.socket, stop: asyncio.Event) -> int:
    if stop.is_set():
        return 0
    if settings.web_processes > 1:
        await _answer_with_several(settings, listener)
        return 0
    _listen_for_metrics(settings)
    await serve_one(create_app(settings), options(settings), listener, stop=stop)
    return 0 if stop.is_set() else 1


async def _answer_with_several(settings: Settings, listener: socket.socket) -> None:
    arguments = ["-m", "registry", "web-process", str(os.getpid())]
    with tempfile.TemporaryDirectory(prefix="gati-metrics-") as counters:
        os.environ[metrics.DIRECTORY_VARIABLE] = counters
        _listen_for_metrics(settings)
        await serve_many(arguments, settings.web_processes, listener, settings.shutdown_timeout.total_seconds())


def _listen_for_metrics(settings: Settings) -> None:
    if settings.metrics_port is None:
        return
    try:
        metrics.listen(settings.host, settings.metrics_port)
    except OSError as error:
        raise Refusal(f"METRICS_PORT {settings.metrics_port} cannot be listened on: {error.strerror}.") from error


def check_tls(settings: Settings) -> None:
    """Raise `Refusal` when the certificate and the key cannot be used."""
    if settings.tls_certificate is None:
        return
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
            settings.tls_certificate, settings.tls_key, password=""
        )
    except ssl.SSLError as error:
        reason = "the key is not that of the certificate, or one of them is not in PEM"
        raise Refusal(f"TLS_CERTIFICATE and TLS_KEY cannot be used: {reason} ({error.reason or 'SSL'}).") from error
    except OSError as error:
        raise Refusal(f"TLS_CERTIFICATE and TLS_KEY cannot be read: {error.strerror}.") from error


def _prepare_storage(settings: Settings) -> None:
    try:
        DirectoryStore(settings.storage_url, settings.disk_reserve).prepare()
    except OSError as error:
        raise Refusal(f"The storage directory {settings.storage_url} cannot be written: {error.strerror}.") from error


async def _listen(settings: Settings) -> socket.socket:
    """The listening socket; the processes of a killed `serve` get a moment to let go of it."""
    for attempt in range(_BIND_ATTEMPTS):
        try:
            return bind(options(settings))
        except OSError as error:
            if error.errno == errno.EADDRINUSE and attempt + 1 < _BIND_ATTEMPTS:
                await asyncio.sleep(_BIND_PAUSE)
                continue
            reason = os.strerror(error.errno).lower() if error.errno and error.errno > 0 else str(error)
            raise Refusal(
                f"Port {settings.port} of {settings.host} cannot be listened on: {reason}. "
                "PORT and HOST choose others; PORT=0 takes any free port."
            ) from error
    raise AssertionError


@asynccontextmanager
async def _database(settings: Settings, stop: asyncio.Event) -> AsyncIterator[None]:
    if settings.database_url is not None:
        await running.require_current(connect_arguments(settings.database_url))
        yield
        return
    _prepare_data_dir(settings.data_dir)
    with embedded.DirectoryLock(settings.data_dir):
        server = await _unless(stop, embedded.start(settings.data_dir))
        keeper = asyncio.create_task(embedded.supervise(server, _restarted))
        try:
            await _unless(stop, running.bring_up_to_date(server.connect_arguments()))
            yield
        finally:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
            await embedded.stop(server)


def _prepare_data_dir(data_dir: Path) -> None:
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.scandir(data_dir):
            pass
        if not os.access(data_dir, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise Refusal(
            f"The data directory {data_dir} cannot be written: {error.strerror}. GATI_DATA_DIR chooses another."
        ) from error


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T:
    """The answer of `work`; a signal cuts it off (`_Stopped`)."""
    working, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise _Stopped
    finally:
        stopping.cancel()
        working.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)


async def _restarted(_: EmbeddedServer) -> None:
    _log.warning("PostgreSQL had ended and runs again")


@dataclass(frozen=True, slots=True)
class Start:
    """Whether there are accounts, and the password of the first administrator when this start made it."""

    has_accounts: bool
    password: str | None = None


async def _first_start(settings: Settings) -> Start:
    """Make the first administrator of a closed registry that has no account."""
    async with running.shelf(settings) as shelf, open_realm(settings, shelf) as realm:
        if settings.is_open:
            async with shelf.db.connection() as connection:
                return Start(await opening.has_ended(connection))
        password = await bootstrap.ensure_administrator(realm, settings.data_dir, make_user)
        return Start(has_accounts=True, password=password)


def banner(settings: Settings, port: int, start: Start) -> str:
    """Where the registry listens, where its data lies, who may come in, and three commands to try."""
    shown = _WILDCARDS.get(settings.host, settings.host)
    place = f"[{shown}]:{port}" if ":" in shown else f"{shown}:{port}"
    scheme, plain = ("https", "") if settings.tls_certificate else ("http", "--plain-http ")
    lines = [
        f"Gati Registry {__version__}",
        f"  listens on  {scheme}://{place}"
        + (f"  (on every address: HOST={settings.host})" if shown != settings.host else ""),
        f"  data in     {settings.data_dir}",
        f"  open to     {_audience(settings, start)}",
        *_first(settings, start),
        "Try:",
        *_tries(f"{scheme}://{place}", place, plain, is_open=settings.is_open and not start.has_accounts),
    ]
    return "\n".join(lines)


def _tries(url: str, place: str, plain: str, *, is_open: bool) -> list[str]:
    if not is_open:
        return [f"  gati login {url}", f"  docker login {place}", f"  curl {url}/v1/openapi.json"]
    return [
        f"  docker pull alpine && docker tag alpine {place}/demo/alpine && docker push {place}/demo/alpine",
        f"  echo hello > hello.txt && oras push {plain}{place}/demo/hello:v1 hello.txt",
        f"  curl {url}/v2/_catalog",
    ]


def _first(settings: Settings, start: Start) -> list[str]:
    """Who the first administrator is; the password itself is for terminals alone."""
    if start.password is None:
        return []
    shown = start.password if sys.stdout.isatty() else f"in {bootstrap.initial_password(settings.data_dir)}"
    return [f"  log in as   {bootstrap.NAME}, first password {shown}, to be changed: gati account password"]


def _audience(settings: Settings, start: Start) -> str:
    if not settings.is_open:
        return "those who have accounts (ACCESS=closed)"
    if start.has_accounts:
        return "those who have accounts, since the first was made"
    if is_loopback(settings.host):
        return "everybody on this machine"
    return (
        "EVERYBODY WHO REACHES THIS ADDRESS: they may pull, push and delete everything without a password (ACCESS=open)"
    )
