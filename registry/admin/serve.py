"""`gati-registry serve`: the embedded database where none is set, then the web processes."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import click
import uvloop

from registry.admin import running
from registry.app import create_app
from registry.config import Settings, is_loopback
from registry.infra.db import embedded
from registry.infra.db.pool import connect_arguments
from registry.infra.http.server import ServerOptions, bind, serve_many, serve_one


@click.command()
def command() -> None:
    """Start the registry."""
    settings = running.settings()
    uvloop.install()
    running.run(_serve(settings))


def options(settings: Settings) -> ServerOptions:
    """What the web server needs of the settings."""
    return ServerOptions(
        host=settings.host,
        port=settings.port,
        tls_certificate=settings.tls_certificate,
        tls_key=settings.tls_key,
        header_timeout=settings.header_timeout.total_seconds(),
        shutdown_timeout=settings.shutdown_timeout.total_seconds(),
    )


async def _serve(settings: Settings) -> None:
    listener = _listen(settings)
    with contextlib.closing(listener):
        async with _database(settings):
            click.echo(banner(settings, listener.getsockname()[1]))
            if settings.web_processes == 1:
                await serve_one(create_app(settings), options(settings), listener)
            else:
                arguments = ["-m", "registry", "web-process"]
                timeout = settings.shutdown_timeout.total_seconds()
                await serve_many(arguments, settings.web_processes, listener, timeout)


def _listen(settings: Settings) -> socket.socket:
    try:
        return bind(options(settings))
    except OSError as error:
        raise click.ClickException(
            f"{settings.host} port {settings.port} cannot be listened on: {error.strerror}. PORT chooses another."
        ) from error


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[None]:
    if settings.database_url is not None:
        await running.require_current(connect_arguments(settings.database_url))
        yield
        return
    with embedded.DirectoryLock(settings.data_dir):
        server = await embedded.start(settings.data_dir)
        keeper = asyncio.create_task(embedded.supervise(server, _restarted))
        try:
            await running.bring_up_to_date(server.connect_arguments())
            yield
        finally:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
            await embedded.stop(server)


def banner(settings: Settings, port: int) -> str:
    """Where the registry is, where its data lies, and what to try."""
    scheme = "https" if settings.tls_certificate else "http"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    place = f"{host}:{port}"
    plain = "" if settings.tls_certificate else " --plain-http"
    lines = [
        f"Gati Registry listens on {scheme}://{place}, its data lies in {settings.data_dir}.",
        "Try:",
        f"  docker tag alpine {place}/library/alpine && docker push {place}/library/alpine",
        f"  oras push{plain} {place}/demo/hello:v1 README.md",
        f"  curl {scheme}://{place}/v2/_catalog",
    ]
    if settings.is_open and not is_loopback(settings.host):
        lines.append("ACCESS=open: everybody who reaches this address may pull, push and delete everything.")
    return "\n".join(lines)


async def _restarted(_: embedded.EmbeddedServer) -> None:
    click.echo("PostgreSQL had died and runs again.", err=True)
