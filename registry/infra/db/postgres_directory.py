"""The paths of an embedded server in the registry's data directory, and what is written there before it runs.

<data>/pg            the cluster, 0700, with the server's unix socket; made as pg.new, then renamed
<data>/pg.lock       held by every process of the server, inherited
<data>/pg.password   0600; the server asks for it (SCRAM-SHA-256)
<data>/pg.log        0600; what PostgreSQL says, at most 1 MiB, and pg.log.1
"""

import contextlib
import hashlib
import os
import secrets
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from registry.infra.db.postgres_binaries import PORT, CannotStart

_SOCKET_PATH_BYTES = 107


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths above; `data_dir` is absolute and without symbolic links (`Layout.of`)."""

    data_dir: Path

    @classmethod
    def of(cls, data_dir: Path) -> Self:
        """The layout of a data directory that need not exist."""
        return cls(data_dir.resolve())

    @property
    def cluster(self) -> Path:
        """The directory that PostgreSQL calls its data directory."""
        return self.data_dir / "pg"

    @property
    def has_cluster(self) -> bool:
        """Whether the name is taken, also by a link whose disk is not mounted: nothing is made over it."""
        return os.path.lexists(self.cluster)

    @property
    def unfinished(self) -> Path:
        """The cluster until initdb has ended."""
        return self.data_dir / "pg.new"

    @property
    def lock(self) -> Path:
        """Held by every process of the server."""
        return self.data_dir / "pg.lock"

    @property
    def password(self) -> Path:
        """The file with the password of the only role."""
        return self.data_dir / "pg.password"

    @property
    def log(self) -> Path:
        """What PostgreSQL writes to stderr."""
        return self.data_dir / "pg.log"


def write_password(layout: Layout) -> None:
    """A new password, on disk before the cluster that knows it gets its name."""
    draft = layout.password.with_name(f"{layout.password.name}.new")
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(file, "w") as out:
        out.write(f"{secrets.token_urlsafe(32)}\n")
        out.flush()
        os.fsync(out.fileno())
    draft.rename(layout.password)
    sync(layout.data_dir)


def sync(directory: Path) -> None:
    """Make the names in a directory durable."""
    file = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def make_private(directory: Path) -> None:
    """Make a directory that is 0700; one that exists keeps its mode, and so do its parents."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)


def remove(directory: Path) -> None:
    """Remove a directory and what it holds, if it exists."""
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(directory)


def socket_directory(cluster: Path) -> Path:
    """The cluster itself, or a private folder for temporary files where the path of its socket would be too long.

    PostgreSQL records the choice in `postmaster.pid`, which is where others find it.

    Raises:
        CannotStart: no folder is short enough, or somebody else has taken the name.
    """
    if _holds_socket(cluster):
        return cluster
    name = f"gati-registry-{os.geteuid()}-{hashlib.sha256(os.fsencode(cluster)).hexdigest()[:16]}"
    for base in (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp"):  # noqa: S108 made 0700, owner checked
        if base and os.access(base, os.W_OK | os.X_OK) and _holds_socket(Path(base, name)):
            return _own(Path(base, name))
    raise CannotStart(f"{cluster} is too long a path for a socket, and there is no shorter folder for temporary files.")


def _holds_socket(directory: Path) -> bool:
    """Whether a socket's address fits (sun_path), and the folder can stand in a list that is separated by commas."""
    path = os.fsencode(directory / f".s.PGSQL.{PORT}")
    return len(path) <= _SOCKET_PATH_BYTES and b"," not in path


def _own(directory: Path) -> Path:
    """The folder, made 0700, or found as this user's own that nobody else may enter."""
    with contextlib.suppress(FileExistsError):
        directory.mkdir(mode=0o700)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise CannotStart(f"{directory} is not a folder that belongs to this user alone: remove it.")
    return directory
