"""One web process of several, on the socket of its parent."""

import asyncio
import socket

import click
import uvloop

from registry.admin import running
from registry.admin.serve import options
from registry.app import create_app
from registry.infra.http.server import serve_one


@click.command(hidden=True)
@click.argument("descriptor", type=int)
def command(descriptor: int) -> None:
    """Serve on an inherited descriptor."""
    settings = running.settings()
    uvloop.install()
    listener = socket.socket(fileno=descriptor)
    listener.setblocking(False)  # noqa: FBT003 - the name of the call says it
    asyncio.run(serve_one(create_app(settings), options(settings), listener))
