"""Processes that read, keep and write in any order: what the fast lane must never get wrong, in small."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from registry.infra.changes import Changes
from registry.infra.http.answers import Answer
from registry.infra.http.counters import CATALOG, Counters, slot
from registry.infra.http.lane import Ask, Label, Lane, Right

TARGETS: Final = ("a", "b", "")  # two repositories and the catalog
_REQUEST: Final = "GET /v2/{} HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Stale(AssertionError):
    """The lane answered with something else than what is committed."""


@dataclass
class Backend:
    """A connection of the database server; what it is asked to commit may come true after its client is gone."""

    pid: int
    token: str
    target: str
    is_gone: bool = False


@dataclass
class Store:
    """The database: a committed number for each target, and its own processes."""

    committed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TARGETS, 0))
    backends: list[Backend] = field(default_factory=list)

    def open(self, token: str, target: str) -> Backend:
        backend = Backend(len(self.backends) + 1, token, target)
        self.backends.append(backend)
        return backend

    def commit(self, backend: Backend) -> None:
        self.committed[backend.target] += 1


class Server:
    """What `Changes` asks of a `Database`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.lost: set[int] = set()

    async def find_lost(self) -> None:
        await asyncio.sleep(0)
        self.lost -= {backend.pid for backend in self._store.backends if backend.is_gone}

    async def has_connections(self, token: str) -> bool:
        return any(backend.token == token and not backend.is_gone for backend in self._store.backends)


@dataclass
class Write:
    """A change in progress."""

    backend: Backend
    around: AbstractAsyncContextManager[None]


@dataclass
class Read:
    """A read in progress: its ask, then what it found."""

    target: str
    ask: Ask | None
    found: int | None = None


class Process:
    """A lane, its counters and the changes of one web process."""

    def __init__(self, path: Path, store: Store, kind: Callable[..., Changes]) -> None:
        self.counters = Counters(path)
        self.lane = Lane(self.counters, 1 << 20)
        self.server = Server(store)
        self.changes: Any = kind(self.server, self.counters)
        self.begun: list[Write] = []
        self.committed: list[Write] = []
        self.reads: list[Read] = []
        for target in TARGETS:
            self.ask(target)

    def ask(self, target: str) -> Ask | None:
        slots = (slot(target) if target else CATALOG,)
        return self.lane.ask(_REQUEST.format(target).encode(), Label("x", "GET", "/"), target, slots)

    def keep(self, ask: Ask, found: int) -> None:
        right = self.counters.stamp(())
        assert right is not None
        self.lane.keep(ask, Answer(200, [], b"%d" % found), Right(float("inf"), right))

    def end(self) -> None:
        """As a kill does it: nothing more is counted, and the cell is free."""
        self.changes._close = lambda _: None
        for task in self.changes._settling:
            task.cancel()
        self.counters.close()


class World:
    """Some processes on one file of counters and one database."""

    def __init__(self, path: Path, kind: Callable[..., Changes] = Changes, process: type[Process] = Process) -> None:
        self._path = path
        self._kind = kind
        self._process = process
        self.store = Store()
        self.names = 0
        self.processes = [self.spawn() for _ in range(2)]
        self.kept = 0

    def spawn(self) -> Process:
        return self._process(self._path, self.store, self._kind)

    def check(self) -> None:
        """Whatever any process answers from memory is what is committed."""
        for process in self.processes:
            for target in TARGETS:
                kept = process.lane.find(_REQUEST.format(target).encode())
                if kept is None:
                    continue
                self.kept += 1
                if int(kept.body) != self.store.committed[target]:
                    raise Stale(f"{target!r}: {kept.body!r}, not {self.store.committed[target]}")

    async def do(self, step: tuple[str, int, str]) -> None:
        """One step, where it is possible, and a look at everything."""
        word, number, target = step
        await getattr(self, f"_{word}")(self.processes[number], target)
        self.check()

    async def _ask(self, process: Process, target: str) -> None:
        process.reads.append(Read(target, process.ask(target)))

    async def _read(self, process: Process, _: str) -> None:
        for read in process.reads:
            if read.found is None:
                read.found = self.store.committed[read.target]
                return

    async def _keep(self, process: Process, _: str) -> None:
        if process.reads and process.reads[0].found is not None:
            read = process.reads.pop(0)
            if read.ask is not None and read.found is not None:
                process.keep(read.ask, read.found)

    async def _fill(self, process: Process, target: str) -> None:
        ask, found = process.ask(target), self.store.committed[target]
        if ask is not None:
            process.keep(ask, found)

    async def _begin(self, process: Process, target: str) -> None:
        self.names += 1
        name = f"new-{self.names}"
        around = process.changes.of(target) if target else process.changes.making(name, changing=False)
        await around.__aenter__()
        process.begun.append(Write(self.store.open(process.counters.token, target), around))

    async def _commit(self, process: Process, _: str) -> None:
        if process.begun:
            write = process.begun.pop(0)
            self.store.commit(write.backend)
            process.committed.append(write)

    async def _finish(self, process: Process, _: str) -> None:
        if process.committed:
            write = process.committed.pop(0)
            write.backend.is_gone = True
            await write.around.__aexit__(None, None, None)

    async def _refuse(self, process: Process, _: str) -> None:
        if process.begun:
            write = process.begun.pop(0)
            write.backend.is_gone = True
            error = ValueError()
            await write.around.__aexit__(ValueError, error, None)

    async def _lose(self, process: Process, _: str) -> None:
        """The connection breaks while the statement is under way."""
        if process.begun:
            write = process.begun.pop(0)
            process.server.lost.add(write.backend.pid)
            await write.around.__aexit__(ConnectionError, ConnectionError(), None)

    async def _late(self, _: Process, target: str) -> None:
        """A backend without its client commits after all."""
        for backend in self._orphans():
            if backend.target == target:
                self.store.commit(backend)
                backend.is_gone = True
                return

    async def _gone(self, _: Process, __: str) -> None:
        for backend in self._orphans():
            backend.is_gone = True
            return

    def _orphans(self) -> list[Backend]:
        served = {id(write.backend) for one in self.processes for write in (*one.begun, *one.committed)}
        return [backend for backend in self.store.backends if not backend.is_gone and id(backend) not in served]

    async def _kill(self, process: Process, _: str) -> None:
        for write in process.committed:
            write.backend.is_gone = True
        process.end()
        self.processes[self.processes.index(process)] = self.spawn()

    async def _recover(self, process: Process, _: str) -> None:
        await process.changes.recover()

    async def _settle(self, _: Process, __: str) -> None:
        for _turn in range(6):
            await asyncio.sleep(0)

    async def end(self) -> None:
        for process in self.processes:
            process.end()


WORDS: Final = (
    *("ask", "read", "keep", "fill", "begin", "commit", "finish", "refuse"),
    *("lose", "late", "gone", "kill", "recover", "settle"),
)
