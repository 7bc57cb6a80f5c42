"""The embedded PostgreSQL server: started, found, stopped and kept alive in the data directory.

`postgres_directory` draws what lies there; `<data>/lock` is added here, held by `serve` (`DirectoryLock`).
Nothing listens on TCP, nothing is readable for others, no mode of a folder that was here before is touched.
Linux only: processes are recognised through /proc.
"""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self, TypeVar
from urllib.parse import quote

from registry.infra.db.postgres_binaries import (
    DATABASE,
    PORT,
    USER,
    Binaries,
    CannotStart,
    DirectoryBusy,
    EmbeddedError,
    WrongVersion,
    find_binaries,
)
from registry.infra.db.postgres_directory import Layout, make_private, remove, socket_directory, sync, write_password
from registry.infra.db.postgres_processes import (
    Postmaster,
    cluster_lock,
    exit_status,
    failure,
    is_running,
    postmaster_of,
    reap,
    send,
    spawn,
    stop_postmaster,
    trim,
    try_lock,
    until,
)

__all__ = [
    "CannotStart",
    "DirectoryBusy",
    "DirectoryLock",
    "EmbeddedError",
    "EmbeddedServer",
    "WrongVersion",
    "attach",
    "start",
    "stop",
    "supervise",
]

_INITDB_SECONDS = 120.0
_READY_SECONDS = 300.0
_LEFT_OVER_SECONDS = 10.0
_STOP_SECONDS = 30.0
_WATCH_SECONDS = 0.1
_RETRY_SECONDS = 10.0

_log = logging.getLogger(__name__)

Outcome = TypeVar("Outcome")


@dataclass(frozen=True, slots=True)
class EmbeddedServer:
    """A running server; `pid` is its postmaster, `data_dir` the registry's data directory, both paths absolute."""

    data_dir: Path
    socket_dir: Path
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    pid: int

    @property
    def dsn(self) -> str:
        """The connection URI, password included, in the form that libpq and asyncpg read."""
        host = quote(str(self.socket_dir), safe="/")
        return f"postgresql://{self.user}:{quote(self.password)}@/{self.database}?host={host}&port={self.port}"

    def connect_arguments(self) -> dict[str, Any]:
        """Keyword arguments for `asyncpg.connect` and `asyncpg.create_pool`; they outlive a restart of the server."""
        return {
            "host": str(self.socket_dir),
            "port": self.port,
            "user": self.user,
            "password": self.password,
            "database": self.database,
        }


class DirectoryLock:
    """The right to serve from a data directory, as a context manager; a process that is killed loses it.

    Raises:
        DirectoryBusy: another process has it; the message names the directory and that process.
        CannotStart: the directory cannot be made or written.
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir.resolve()
        self._file = -1

    def __enter__(self) -> Self:
        try:
            make_private(self._data_dir)
            file = os.open(self._data_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise CannotStart(f"The data directory {self._data_dir} cannot be used: {error}.") from error
        if not try_lock(file):
            holder = os.read(file, 32).decode(errors="replace").strip()
            os.close(file)
            raise DirectoryBusy(
                f"The data directory {self._data_dir} is in use by process {holder or 'unknown'}: stop that registry, "
                "or give this one another directory with GATI_DATA_DIR."
            )
        os.ftruncate(file, 0)
        os.write(file, f"{os.getpid()}\n".encode())
        self._file = file
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self._file)


async def start(data_dir: Path) -> EmbeddedServer:
    """Start the server of a data directory and wait until it accepts connections; the caller holds its DirectoryLock.

    The first start makes the cluster. A server that a killed process left behind is stopped and started anew, not taken
    over: it may run with the settings or the binaries of an older release, and no transaction of a client that is gone
    may commit behind the back of the recovery. A cut-off start or stop leaves nothing that the next one cannot take on.

    Raises:
        WrongVersion: the cluster is of another major version.
        DirectoryBusy: processes of an earlier server do not end.
        CannotStart: everything else, with the end of the server's log where it has one.
    """
    return await _start(Layout.of(data_dir), create=True)


async def attach(data_dir: Path) -> EmbeddedServer | None:
    """The server that another process runs in this data directory, waited for while it starts; None when none runs.

    Raises:
        CannotStart: the directory cannot be read, or the password is missing.
    """
    layout = Layout.of(data_dir)
    try:
        if not await until(lambda: _accepts(layout.cluster), _READY_SECONDS):
            return None
        found = postmaster_of(layout.cluster)
        return _server(layout, found) if found else None
    except OSError as error:
        raise CannotStart(f"The PostgreSQL server in {layout.cluster} cannot be reached: {error}.") from error


async def stop(server: EmbeddedServer, patience: float = _STOP_SECONDS) -> None:
    """Stop the server cleanly, whichever its pid is now, and wait for its end; harmless when it has ended.

    Sessions are cut, so close pools before. After `patience` seconds it is ended the hard way, with a warning logged.

    Raises:
        DirectoryBusy: not even SIGKILL ended it.
    """
    cluster = Layout(server.data_dir).cluster
    await stop_postmaster(cluster, patience)
    if server.socket_dir != cluster:
        with contextlib.suppress(OSError):
            server.socket_dir.rmdir()


async def supervise(server: EmbeddedServer, on_restart: Callable[[EmbeddedServer], Awaitable[None]]) -> NoReturn:
    """Start the server anew whenever it has ended, and call `on_restart` then; runs until it is cancelled.

    Run it as a task and cancel it before `stop`. A start that fails is logged and tried again, at most 10 s later.
    """
    layout = Layout(server.data_dir)
    while True:
        while is_running(server.pid, layout.cluster):
            trim(layout.log)
            await asyncio.sleep(_WATCH_SECONDS)
        reap(server.pid)
        _log.warning("PostgreSQL (process %d) has ended: starting it again.", server.pid)
        server = await _start_again(layout)
        _log.warning("PostgreSQL runs again (process %d).", server.pid)
        await on_restart(server)


async def _start_again(layout: Layout) -> EmbeddedServer:
    pause = _WATCH_SECONDS
    while True:
        try:
            return await _start(layout, create=False)
        except EmbeddedError:
            _log.exception("PostgreSQL cannot be started again; next attempt in %s s.", pause)
        await asyncio.sleep(pause)
        pause = min(2 * pause, _RETRY_SECONDS)


async def _start(layout: Layout, *, create: bool) -> EmbeddedServer:
    try:
        binaries = await asyncio.to_thread(find_binaries)
        _check(layout, binaries, create=create)
        await stop_postmaster(layout.cluster, _LEFT_OVER_SECONDS)
        async with cluster_lock(layout.lock, layout.cluster) as lock:
            if not layout.has_cluster:
                await _initialise(layout, binaries, lock)
            return await _serve(layout, binaries, lock)
    except OSError as error:
        raise CannotStart(f"PostgreSQL cannot be started in {layout.cluster}: {error}.") from error


def _check(layout: Layout, binaries: Binaries, *, create: bool) -> None:
    """The data directory exists, and its cluster, if any, is this user's, of our version, with its password."""
    if layout.has_cluster:
        if (owner := layout.cluster.lstat().st_uid) != os.geteuid():
            raise CannotStart(
                f"The database in {layout.cluster} belongs to the user with id {owner}, and this process runs with id "
                f"{os.geteuid()}: start the registry as its owner."
            )
        binaries.check_version(layout.cluster, layout.password)
        _password(layout)
    elif not create:
        raise CannotStart(f"The database in {layout.cluster} has disappeared: put it back.")
    make_private(layout.data_dir)


async def _initialise(layout: Layout, binaries: Binaries, lock: int) -> None:
    """Make the cluster: whole under its name, or not there."""
    write_password(layout)
    for ctype in ("C.UTF-8", "C"):
        remove(layout.unfinished)
        command = binaries.initdb(layout.unfinished, layout.password, ctype)
        status = await _run(command, layout.log, lock, exit_status, _INITDB_SECONDS)
        if status == 0:
            layout.unfinished.rename(layout.cluster)
            sync(layout.data_dir)
            return
    raise failure(f"The database in {layout.cluster} cannot be made (initdb: status {status}).", layout.log)


async def _serve(layout: Layout, binaries: Binaries, lock: int) -> EmbeddedServer:
    trim(layout.log)
    socket_dir = socket_directory(layout.cluster)
    _remove_stale_locks(layout.cluster, socket_dir)
    command = binaries.postgres(layout.cluster, socket_dir)
    outcome = await _run(command, layout.log, lock, partial(_outcome, layout.cluster), _READY_SECONDS)
    if isinstance(outcome, Postmaster):
        return _server(layout, outcome)
    end = "was not ready in time" if outcome is None else f"ended with status {outcome} before it was ready"
    raise failure(f"PostgreSQL in {layout.cluster} {end}.", layout.log)


async def _run(
    command: list[str], log: Path, lock: int, outcome: Callable[[int], Outcome | None], seconds: float
) -> Outcome | None:
    """Start a program and wait for its outcome; one that is late, or no longer waited for, is told to stop."""
    child = spawn(command, log, lock)
    found = None
    try:
        found = await until(partial(outcome, child), seconds)
    finally:
        if found is None:
            send(child, signal.SIGINT)
    return found


def _outcome(cluster: Path, child: int) -> Postmaster | int | None:
    """The postmaster once it is ready, its exit status once it has ended, None before."""
    status = exit_status(child)
    if status is not None:
        return status
    found = postmaster_of(cluster)
    return found if found and found.pid == child and found.ready else None


def _accepts(cluster: Path) -> bool | None:
    """True when the server accepts connections, False when there is none or it stops, None while it starts."""
    found = postmaster_of(cluster)
    if found is None or found.status == "stopping":
        return False
    return True if found.ready else None


def _server(layout: Layout, found: Postmaster) -> EmbeddedServer:
    return EmbeddedServer(layout.data_dir, found.socket_dir, PORT, USER, _password(layout), DATABASE, found.pid)


def _password(layout: Layout) -> str:
    try:
        return layout.password.read_text().strip()
    except FileNotFoundError as error:
        message = f"The password of the database in {layout.cluster} is missing: restore {layout.password}."
        raise CannotStart(message) from error


def _remove_stale_locks(cluster: Path, socket_dir: Path) -> None:
    """Take away the lock files of a killed server: PostgreSQL refuses to start when their pid is somebody else's now.

    Only under the cluster's lock, when nobody can hold them.
    """
    if postmaster_of(cluster) is None:
        for path in (cluster / "postmaster.pid", socket_dir / f".s.PGSQL.{PORT}.lock"):
            path.unlink(missing_ok=True)
