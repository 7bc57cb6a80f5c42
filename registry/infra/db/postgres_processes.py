"""The processes of an embedded PostgreSQL: found, started, signalled and waited for.

Two facts carry this file. Every process of a cluster has the cluster as its working directory, so a pid that was
reused is told from one that is meant. And every process started here inherits one open, flocked file: the lock is free
exactly when the last of them has ended, also where their pids cannot be seen.
"""

import asyncio
import contextlib
import fcntl
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from registry.infra.db.postgres_binaries import CannotStart, DirectoryBusy, environment

Found = TypeVar("Found")

_POLL_SECONDS = 0.01
_GRACE_SECONDS = 2.0
_KILL_SECONDS = 5.0
_LOG_BYTES = 1 << 20
_TAIL_BYTES = 2000
_INHERITED_LOCK = 3

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Postmaster:
    """What a running server says of itself in `postmaster.pid`; `ready` once it accepts connections."""

    pid: int
    socket_dir: Path
    status: str

    @property
    def ready(self) -> bool:
        """Whether connections are accepted."""
        return self.status == "ready"


def postmaster_of(cluster: Path) -> Postmaster | None:
    """The server that runs in `cluster`; None without one, also when its file names a process of somebody else."""
    try:
        lines = (cluster / "postmaster.pid").read_text().split("\n")
        pid = int(lines[0])
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    if not is_running(pid, cluster):
        return None
    lines += [""] * 8
    return Postmaster(pid, Path(lines[4]), lines[7].strip())


def is_running(pid: int, cluster: Path) -> bool:
    """Whether `pid` is a live PostgreSQL process of `cluster`."""
    try:
        if Path(f"/proc/{pid}/comm").read_text() != "postgres\n":
            return False
        return Path(f"/proc/{pid}/cwd").samefile(cluster)
    except OSError:
        return False


def processes_of(cluster: Path) -> list[int]:
    """Pids of every visible PostgreSQL process of `cluster`."""
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal())
    return [pid for pid in pids if is_running(pid, cluster)]


def spawn(command: list[str], log: Path, lock: int) -> int:
    """Start a program in a session of its own, out of reach of the terminal's Ctrl-C, and return its pid.

    It and its descendants hold `lock`, and stderr is appended to `log` (0600). Wait for it with `exit_status`.
    """
    stderr = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    actions = [
        (os.POSIX_SPAWN_DUP2, stderr, 2),
        (os.POSIX_SPAWN_DUP2, lock, _INHERITED_LOCK),
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
    ]
    try:
        return os.posix_spawnp(command[0], command, environment(), file_actions=actions, setsid=True)
    finally:
        os.close(stderr)


def exit_status(child: int) -> int | None:
    """The exit status of a child, negative for a signal; None while it runs. Answers an end only once."""
    pid, status = os.waitpid(child, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if pid else None


def reap(pid: int) -> None:
    """Forget a process that has ended, if it was a child of this one."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def send(pid: int, number: signal.Signals) -> None:
    """Signal a process that may have ended meanwhile."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


async def until(probe: Callable[[], Found | None], seconds: float) -> Found | None:
    """What `probe` finds, asked every 10 ms; None after `seconds` without a find."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while True:
        found = probe()
        if found is not None or loop.time() >= deadline:
            return found
        await asyncio.sleep(_POLL_SECONDS)


async def stop_postmaster(cluster: Path, patience: float) -> None:
    """End the server of `cluster`, if one runs, and wait for its end.

    A fast shutdown first: sessions are cut, everything is written. After `patience` seconds an immediate one, then
    SIGKILL; neither loses a commit, the next start recovers.

    Raises:
        DirectoryBusy: not even SIGKILL ended it.
    """
    found = postmaster_of(cluster)
    if found is None:
        return
    steps = ((signal.SIGINT, patience), (signal.SIGQUIT, _KILL_SECONDS), (signal.SIGKILL, _KILL_SECONDS))
    for number, seconds in steps:
        send(found.pid, number)
        if await until(lambda: None if is_running(found.pid, cluster) else True, seconds):
            reap(found.pid)
            return
        _log.warning("PostgreSQL (process %d) did not end %s s after %s.", found.pid, seconds, number.name)
    raise DirectoryBusy(f"The PostgreSQL server in {cluster} (process {found.pid}) does not end: stop it by hand.")


@contextlib.asynccontextmanager
async def cluster_lock(path: Path, cluster: Path) -> AsyncIterator[int]:
    """Hold the lock that every process of `cluster` inherits, as a file descriptor; waits until all earlier ones end.

    The backends of a postmaster that was killed end by themselves unless they are in the middle of a statement. Those
    get what the postmaster would have sent them; PostgreSQL does not start while one of them lives.

    Raises:
        DirectoryBusy: they do not end, or run where this process cannot see them.
    """
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        await _acquire(lock, cluster)
        yield lock
    finally:
        os.close(lock)


async def _acquire(lock: int, cluster: Path) -> None:
    if await until(lambda: try_lock(lock), _GRACE_SECONDS):
        return
    for number in (signal.SIGQUIT, signal.SIGKILL):
        for pid in processes_of(cluster):
            send(pid, number)
        if await until(lambda: try_lock(lock), _GRACE_SECONDS):
            return
    seen = ", ".join(map(str, processes_of(cluster))) or "in another container or of another user"
    raise DirectoryBusy(f"Processes of an earlier PostgreSQL server still use {cluster} ({seen}): stop them first.")


def try_lock(lock: int) -> bool | None:
    """True when the exclusive lock on the open file was taken, None while somebody else holds it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None
    return True


def trim(log: Path) -> None:
    """Keep the log bounded: over 1 MiB its end moves to `<log>.1`, under the server, which appends.

    A full disk is no reason to fail: then the log waits.
    """
    with contextlib.suppress(OSError):
        if log.stat().st_size <= _LOG_BYTES:
            return
        old = os.open(f"{log}.1", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(old, "wb") as copy, log.open("rb") as source:
            source.seek(-_LOG_BYTES, os.SEEK_END)
            copy.write(source.read(_LOG_BYTES))
        os.truncate(log, 0)


def failure(what: str, log: Path) -> CannotStart:
    """The error for a program that failed, with the end of its log."""
    with log.open("rb") as source:
        source.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        tail = source.read().decode(errors="replace").strip()
    return CannotStart(f"{what} The end of {log}:\n{tail}")
