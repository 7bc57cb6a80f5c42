"""Several processes on one listening socket: started, started again when they die, stopped in order."""

import asyncio
import contextlib
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Final

import structlog

from registry.infra.telemetry import metrics

_MARGIN: Final = 10.0
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 10.0
_SETTLED: Final = 30.0
_log = structlog.get_logger("registry.processes")


async def serve_many(command: list[str], count: int, listener: socket.socket, shutdown_timeout: float) -> None:
    """Keep `count` processes of `command` + descriptor alive until SIGTERM or SIGINT, then stop them in order.

    A process that dies soon after its start is started again after a pause that doubles up to ten seconds. A second
    signal kills what is left; so does `shutdown_timeout` and a margin.
    """
    order = _Order(asyncio.Event(), asyncio.Event(), shutdown_timeout + _MARGIN)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, order.come)
    listener.set_inheritable(True)
    words = [*command, str(listener.fileno())]
    await asyncio.gather(*(_keep(words, listener.fileno(), order) for _ in range(count)))


@dataclass(frozen=True, slots=True)
class _Order:
    """What the parent wants of its children."""

    stop: asyncio.Event
    kill: asyncio.Event
    seconds: float

    def come(self) -> None:
        """A signal came."""
        (self.kill if self.stop.is_set() else self.stop).set()


async def _keep(words: list[str], descriptor: int, order: _Order) -> None:
    loop, pause = asyncio.get_running_loop(), _FIRST_PAUSE
    while not order.stop.is_set():
        began = loop.time()
        child = await asyncio.create_subprocess_exec(
            sys.executable, *words, pass_fds=[descriptor], start_new_session=True
        )
        await _live(child, order)
        metrics.forget(child.pid)
        if order.stop.is_set():
            return
        pause = _FIRST_PAUSE if loop.time() - began > _SETTLED else min(2 * pause, _LONGEST_PAUSE)
        _log.error("a web process ended and is started again", process=child.pid, status=child.returncode)
        await _first(order.stop.wait(), pause)


async def _live(child: Process, order: _Order) -> None:
    """Wait until the child has ended, by itself or by order."""
    ended = asyncio.ensure_future(child.wait())
    await _first(order.stop.wait(), None, ended)
    if not ended.done():
        _send(child, signal.SIGTERM)
        await _first(order.kill.wait(), order.seconds, ended)
    if not ended.done():
        _send(child, signal.SIGKILL)
    await ended


def _send(child: Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        child.send_signal(number)


async def _first(event: Coroutine[Any, Any, Any], seconds: float | None, *others: asyncio.Future[Any]) -> None:
    """Wait for the event or one of the others, at most so long."""
    waiting = asyncio.ensure_future(event)
    await asyncio.wait({waiting, *others}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
