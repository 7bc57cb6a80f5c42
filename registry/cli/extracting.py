"""Archives of artifacts, laid out in a folder: nothing outside of it, no links, nothing written over."""

import os
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from registry.artifacts.formats import archive, paths
from registry.artifacts.formats.archive import Entry
from registry.cli.problems import Problem, Tampered
from registry.core.errors import MalformedManifest

RESERVED: Final = ".gati"
"""The folder of an installed artifact in which `gati` keeps what it knows of it."""

_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Writer:
    """Files that are put into a folder which nobody else writes to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._made: set[str] = set()
        folder.mkdir(parents=True, exist_ok=True)

    def place(self, path: str) -> Path:
        """Where a file is to go, its folders made.

        Raises:
            Tampered: the path is unsafe, or belongs to `gati`.
        """
        fault = paths.fault(path)
        if fault is None and paths.folded(path.partition("/")[0]) == RESERVED:
            fault = f"is in {RESERVED}, which gati keeps for itself"
        if fault is not None:
            raise refused(f"It holds a file whose path {path[:200]!r} {fault}.")
        parent = path.rpartition("/")[0]
        if parent not in self._made:
            (self.folder / parent).mkdir(parents=True, exist_ok=True)
            self._made.add(parent)
        return self.folder / path

    def put(self, path: str, content: bytes) -> None:
        """Write a small file."""
        self._fill(self.place(path), (content,), 0o644)

    def entry(self, entry: Entry) -> None:
        """Write what an archive has, with the modes that `gati` gives: 0644, or 0755 where it may be run."""
        if entry.is_directory:
            self.place(f"{entry.path}/x")
            return
        self._fill(self.place(entry.path), entry.read(), 0o755 if entry.is_executable else 0o644)

    def copy(self, path: str, source: Path, *, executable: bool) -> None:
        """Write a file with what `source` holds."""
        with source.open("rb") as file:
            pieces = iter(lambda: file.read(1 << 20), b"")
            self._fill(self.place(path), pieces, 0o755 if executable else 0o644)

    @staticmethod
    def _fill(path: Path, pieces: Iterable[bytes], mode: int) -> None:
        try:
            descriptor = os.open(path, _NEW, mode)
        except FileExistsError as error:
            raise refused(f"It holds {path.name!r} twice.") from error
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            for piece in pieces:
                file.write(piece)


def refused(why: str) -> Tampered:
    """The problem that an artifact is not laid out."""
    return Tampered(
        f"The artifact is not installed. {why}",
        "Tell its publisher: a registry refuses such artifacts, so this one came another way.",
        code="UNSAFE_ARTIFACT",
    )


def unpack(layer: Path, writer: Writer, *, gzipped: bool) -> None:
    """Put all that an archive holds into the folder of `writer`.

    Raises:
        Tampered: the archive is none that is safe; what came before is in the folder.
    """
    try:
        with layer.open("rb") as file:
            for entry in archive.entries(file, gzipped=gzipped):
                writer.entry(entry)
    except MalformedManifest as error:
        where = error.detail.get("path")
        raise refused(error.message + (f" It is about {where!r}." if where else "")) from error
    except OSError as error:
        raise Problem(f"{writer.folder} cannot be written: {error.strerror}.") from error


def extract(layer: Path, folder: Path, *, gzipped: bool = True) -> None:
    """Make `folder`, which must not be there, of what an archive holds: all of it or nothing.

    Raises:
        Tampered: the archive is none that is safe.
        Problem: the folder is there, or cannot be written.
    """
    if os.path.lexists(folder):
        raise Problem(f"{folder} is there already.", "Name another folder, or move that one away.")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name[:100]}.", dir=folder.parent))
    except OSError as error:
        raise Problem(f"{folder} cannot be written: {error.strerror}.") from error
    try:
        unpack(layer, Writer(draft / "new"), gzipped=gzipped)
        (draft / "new").rename(folder)
    finally:
        with suppress(OSError):
            shutil.rmtree(draft)
