"""uvicorn as this registry runs it: one process here, or several on one socket (`processes`)."""

import asyncio
import contextlib
import resource
import socket
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from starlette.types import ASGIApp

from registry.infra.http.connections import Connections
from registry.infra.http.limits import Limits
from registry.infra.http.processes import serve_many
from registry.infra.http.serving import Server, tls_context

__all__ = ["ServerOptions", "bind", "raise_file_limit", "serve_many", "serve_one"]

_BACKLOG: Final = 2048
_RESERVED_FILES: Final = 64


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Where and how to listen; times in seconds. `limits` but for `header_timeout`, which stands here."""

    host: str
    port: int
    tls_certificate: Path | None
    tls_key: Path | None
    header_timeout: float
    shutdown_timeout: float
    max_connections: int = 1000
    limits: Limits = field(default_factory=Limits)


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
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)  # noqa: FBT003 - the name of the call says it
    return listener


def raise_file_limit() -> int:
    """Take as many descriptors as this process may, and say how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


async def serve_one(
    app: ASGIApp,
    options: ServerOptions,
    listener: socket.socket,
    started: Callable[[], None] | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Serve until SIGTERM, SIGINT or `stop`, then finish what is in flight; a second signal drops it.

    `started` is called when connections are accepted. The signals are raised again at the end, for the caller.

    Raises:
        Unavailable: the application did not start.
        OSError: the certificate or its key cannot be used.
    """
    tls = None
    if options.tls_certificate is not None and options.tls_key is not None:
        tls = tls_context(str(options.tls_certificate), str(options.tls_key))
    limits = replace(options.limits, header_timeout=options.header_timeout)
    server = Server(app, limits, Connections(_room(options)), options.shutdown_timeout, tls, started)
    if stop is not None:
        server.stop = stop
    await server.serve(sockets=[listener])


def _room(options: ServerOptions) -> int:
    """Connections for which there are descriptors: each request may need a file besides."""
    files = raise_file_limit()
    if files == resource.RLIM_INFINITY:
        return options.max_connections
    return min(options.max_connections, max(4, (files - _RESERVED_FILES) // 2))
