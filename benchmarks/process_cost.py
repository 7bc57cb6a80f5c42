"""What processes use: CPU seconds and memory, read from /proc (Linux).

A server is its process tree and every process that works inside its folder: an embedded PostgreSQL is a session of its
own and need not be a child for ever.
"""

import os
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

_PROC: Final = Path("/proc")
_TICK: Final = os.sysconf("SC_CLK_TCK")
_PAUSE: Final = 0.5
_GONE: Final = (FileNotFoundError, ProcessLookupError, PermissionError, NotADirectoryError)


@dataclass(frozen=True, slots=True)
class Server:
    """Whose cost is measured: the roots of its process trees, and the folder in which others of its processes work."""

    roots: tuple[int, ...]
    folder: Path | None = None

    def processes(self) -> set[int]:
        """The pids that it has now."""
        parents = {pid: parent for pid in _pids() if (parent := _parent(pid)) is not None}
        found = {pid for pid in self.roots if pid in parents}
        if self.folder is not None:
            found |= {pid for pid in parents if _works_in(pid, self.folder)}
        grown = True
        while grown:
            more = {pid for pid, parent in parents.items() if parent in found} - found
            found |= more
            grown = bool(more)
        return found


@dataclass(frozen=True, slots=True)
class Memory:
    """In bytes: `pss` counts a shared page once, divided among those who share it; `rss` counts it for each."""

    pss: int
    rss: int

    def most(self, other: "Memory") -> "Memory":
        """The larger of each."""
        return Memory(max(self.pss, other.pss), max(self.rss, other.rss))


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one measurement: CPU seconds of all processes, and the most memory that was seen."""

    cpu: float
    peak: Memory


def _pids() -> list[int]:
    return [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdecimal()]


def _fields(pid: int) -> list[str]:
    """The fields of `stat` from the third on: the second may hold anything."""
    return (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()


def _parent(pid: int) -> int | None:
    with suppress(*_GONE):
        return int(_fields(pid)[1])
    return None


def _works_in(pid: int, folder: Path) -> bool:
    with suppress(*_GONE):
        return (_PROC / str(pid) / "cwd").readlink().is_relative_to(folder)
    return False


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of the processes and of their children that have ended."""
    total = 0
    for pid in pids:
        with suppress(*_GONE):
            total += sum(map(int, _fields(pid)[11:15]))
    return total / _TICK


def memory(pids: Iterable[int]) -> Memory:
    """Their memory now."""
    pss = rss = 0
    for pid in pids:
        with suppress(*_GONE):
            lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()[1:]
            sizes = {name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(":") for line in lines)}
            pss += sizes.get("Pss", 0)
            rss += sizes.get("Rss", 0)
    return Memory(pss, rss)


class Meter:
    """Measures a server from entering to leaving; `cost` afterwards."""

    def __init__(self, server: Server) -> None:
        self.cost = Cost(0.0, Memory(0, 0))
        self._server = server
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._peak = Memory(0, 0)
        self._before = 0.0

    def __enter__(self) -> Self:
        self._before = cpu_seconds(self._server.processes())
        self._watcher.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._watcher.join()
        used = cpu_seconds(self._server.processes()) - self._before
        self.cost = Cost(max(0.0, used), self._peak)

    def _watch(self) -> None:
        while True:
            self._peak = self._peak.most(memory(self._server.processes()))
            if self._ended.wait(_PAUSE):
                return
