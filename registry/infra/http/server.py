"""uvicorn as this registry runs it: one process, or several on one socket."""

import asyncio
import contextlib
import resource
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from registry.infra.http.protocol import RegistryProtocol


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Where and how to listen; times in seconds."""

    host: str
    port: int
    tls_certificate: Path | None
    tls_key: Path | None
    header_timeout: float
    shutdown_timeout: float


def bind(options: ServerOptions) -> socket.socket:
    """A listening socket.

    Raises:
        OSError: the address is taken, not of this machine, or not allowed.
    """
    family, _, _, _, address = socket.getaddrinfo(options.host, options.port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)  # noqa: FBT003 - the name of the call says it
    return listener


def raise_file_limit() -> int:
    """Take as many descriptors as this process may; a quarter of them is left for files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


async def serve_one(
    app: ASGIApp, options: ServerOptions, listener: socket.socket, stop: asyncio.Event | None = None
) -> None:
    """Serve until SIGTERM, SIGINT or `stop`, then finish what is in flight."""
    limit = raise_file_limit()
    protocol = type("Protocol", (RegistryProtocol,), {"header_timeout": options.header_timeout})
    config = uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        loop="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=max(16, limit * 3 // 4) if limit > 0 else None,
        timeout_graceful_shutdown=int(options.shutdown_timeout),
        ssl_certfile=options.tls_certificate,
        ssl_keyfile=options.tls_key,
    )
    server = uvicorn.Server(config)
    ending = asyncio.create_task(_end_when(stop, server)) if stop is not None else None
    try:
        await server.serve(sockets=[listener])
    finally:
        if ending is not None:
            ending.cancel()


async def _end_when(stop: asyncio.Event, server: uvicorn.Server) -> None:
    """End the server for a signal that came before it listened for signals itself."""
    await stop.wait()
    server.should_exit = True


async def serve_many(command: list[str], count: int, listener: socket.socket, shutdown_timeout: float) -> None:
    """Keep `count` processes of `command` + descriptor alive until SIGTERM or SIGINT, then stop them in order."""
    stopping, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    keepers = [asyncio.create_task(_keep(command, listener, stopping, shutdown_timeout)) for _ in range(count)]
    await asyncio.gather(*keepers)


async def _keep(command: list[str], listener: socket.socket, stopping: asyncio.Event, shutdown_timeout: float) -> None:
    listener.set_inheritable(True)
    while not stopping.is_set():
        descriptor = listener.fileno()
        child = await asyncio.create_subprocess_exec(
            sys.executable, *command, str(descriptor), pass_fds=[descriptor], start_new_session=True
        )
        ended, stopped = asyncio.create_task(child.wait()), asyncio.create_task(stopping.wait())
        await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not ended.done():
            child.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(ended), shutdown_timeout + 5)
            if not ended.done():
                child.kill()
        await ended
