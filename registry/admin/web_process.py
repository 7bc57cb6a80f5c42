"""One web process of several, on the socket that its parent bound; ends when the parent does."""

import ctypes
import os
import signal
import socket
import sys
from typing import Final

import click
import uvloop

from registry.admin import running
from registry.admin.serve import options
from registry.app import create_app
from registry.infra.http.server import serve_one

_PR_SET_PDEATHSIG: Final = 1


@click.command(hidden=True)
@click.argument("parent", type=int)
@click.argument("descriptor", type=int)
def command(parent: int, descriptor: int) -> None:
    """Serve on an inherited descriptor for the process PARENT."""
    _end_with(parent)
    settings = running.settings()
    listener = socket.socket(fileno=descriptor)
    listener.setblocking(False)  # noqa: FBT003 - the name of the call says it
    running.run(serve_one(create_app(settings), options(settings), listener), uvloop.run)


def _end_with(parent: int) -> None:
    """Take SIGTERM from the kernel when the parent is gone, killed or not: its successor needs the port."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        raise SystemExit(0)
