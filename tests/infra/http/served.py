"""A server for tests that need a process of their own: `served.py one|many|child …`, the port on standard output."""

import asyncio
import contextlib
import os
import resource
import socket
import sys
from collections.abc import Iterator

from starlette.types import Receive, Scope, Send

from registry.infra.http.boundary import Boundary
from registry.infra.http.server import ServerOptions, bind, serve_many, serve_one
from registry.infra.telemetry import logs
from tests.infra.http.conftest import living, options, reply, whole

FILES = 90


@contextlib.contextmanager
def exhausted() -> Iterator[None]:
    """Leave no descriptor free."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            while True:
                stack.callback(os.close, os.dup(0))
        yield


async def handler(scope: Scope, receive: Receive, send: Send) -> None:
    """`/fail` fails with the Authorization in its message; everything else answers with the length of its body.

    `/exhaust` leaves no descriptor free until its body has come.
    """
    if scope["path"] == "/fail":
        raise ValueError(f"could not use {dict(scope['headers'])} with postgresql://gati:canary-7f3a@db/gati")
    if scope["path"] == "/wait":
        sys.stdout.write("waiting\n")
        sys.stdout.flush()
    with exhausted() if scope["path"] == "/exhaust" else contextlib.nullcontext():
        body = await whole(receive)
    await reply(send, 200, str(len(body)).encode())


def say(listener: socket.socket) -> None:
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()


async def main(kind: str, rest: list[str]) -> None:
    logs.configure("debug", "json")
    at: ServerOptions = options()
    if kind == "child":
        listener = socket.socket(fileno=int(rest[0]))
        listener.setblocking(False)  # noqa: FBT003 - the name of the call says it
        await serve_one(Boundary(living(handler)), at, listener)
        return
    if kind == "few":
        resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))
    listener = bind(at)
    if kind == "many":
        say(listener)
        await serve_many([__file__, "child"], 2, listener, 10)
    else:
        await serve_one(Boundary(living(handler)), at, listener, lambda: say(listener))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2:]))
