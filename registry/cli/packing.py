"""Archives that are the same bytes wherever they are made: of a folder (tar+gzip), and of an OCI layout.

A folder gives the same bytes whatever its times, owners, modes beside that of execution, umask and order of entries
are; gzip's too where the same zlib compresses, which an annotation names.
"""

import hashlib
import json
import os
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import BufferedReader, BytesIO, RawIOBase
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, Self

from registry.cli.problems import Problem

if TYPE_CHECKING:
    from typing_extensions import Buffer
from registry.cli.selection import File

LEVEL: Final = 6
COMPRESSOR: Final = "dev.gati.layer.compressor"
COMPRESSOR_VALUE: Final = f"zlib/{zlib.ZLIB_RUNTIME_VERSION}/{LEVEL}"
_PIECE: Final = 1 << 20
_BLOCK: Final = 512
_HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # no time, no name, no system (RFC 1952, section 2.3)


@dataclass(frozen=True, slots=True)
class Packed:
    """A file that was made, with the digest and size of its bytes."""

    path: Path
    digest: str
    size: int


class Sealing:
    """A file that is being written, with the digest of what is in it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, content: bytes) -> None:
        """Add bytes."""
        self._file.write(content)
        self._hash.update(content)
        self.size += len(content)

    @property
    def digest(self) -> str:
        """Of all that was written."""
        return f"sha256:{self._hash.hexdigest()}"


def pack(files: Iterable[File], into: Path, *, told: Callable[[int], None] = lambda _: None) -> Packed:
    """Write a tar+gzip of these files; `told` hears how many bytes more were read.

    Raises:
        Problem: one cannot be read, or changes meanwhile.
    """
    with into.open("wb") as raw:
        sealing = Sealing(raw)
        with Gzip(sealing) as zipped:
            for file in files:
                zipped.write(_header(file.path, file.size, is_executable=file.is_executable))
                for piece in _content(file):
                    zipped.write(piece)
                    told(len(piece))
                zipped.write(_padding(file.size))
            zipped.write(bytes(2 * _BLOCK))
    return Packed(into, sealing.digest, sealing.size)


class Gzip:
    """Compresses into a file, with a header that says nothing of where and when (zlib's own names the system)."""

    def __init__(self, into: Sealing) -> None:
        self._into = into
        self._zip = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        self._crc = 0
        self._size = 0

    def __enter__(self) -> Self:
        self._into.write(_HEADER)
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            tail = self._crc.to_bytes(4, "little") + (self._size & 0xFFFFFFFF).to_bytes(4, "little")
            self._into.write(self._zip.flush() + tail)

    def write(self, content: bytes) -> None:
        """Add bytes."""
        self._crc = zlib.crc32(content, self._crc)
        self._size += len(content)
        if zipped := self._zip.compress(content):
            self._into.write(zipped)


def _header(path: str, size: int, *, is_executable: bool = False) -> bytes:
    """The header of a file: POSIX ustar, with a pax header where the name is long or not ASCII."""
    entry = tarfile.TarInfo(path)
    entry.size = size
    entry.mode = 0o755 if is_executable else 0o644
    return entry.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


def _padding(size: int) -> bytes:
    return bytes(-size % _BLOCK)


def _content(file: File) -> Iterator[bytes]:
    left = file.size
    try:
        with file.place.open("rb") as opened:
            while piece := opened.read(min(_PIECE, left + 1)):
                left -= len(piece)
                if left < 0:
                    break
                yield piece
    except OSError as error:
        raise Problem(f"{file.place} cannot be read: {error.strerror}.") from error
    if left:
        raise Problem(f"{file.place} changed while it was packed.", "Run the command again.")


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes with their digest: in memory, in a file from `start` on, or in a repository of the registry (its name)."""

    digest: str
    size: int
    source: bytes | Path | str
    start: int = 0

    def open(self) -> BinaryIO:
        """A new file of them, at its start; an empty one of those that are in the registry already."""
        if isinstance(self.source, Path):
            file = self.source.open("rb")
            is_whole = self.start == 0 and self.size == os.fstat(file.fileno()).st_size
            return file if is_whole else BufferedReader(Slice(file, self.start, self.size))
        return BytesIO(self.source if isinstance(self.source, bytes) else b"")


class Slice(RawIOBase):
    """A part of a file as a file."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._file = file
        self._start = start
        self._size = size
        self._at = 0
        file.seek(start)

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """It can be sought in."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go somewhere in it."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = min(max(base + offset, 0), self._size)
        self._file.seek(self._start + self._at)
        return self._at

    def readinto(self, buffer: "Buffer") -> int:
        """Read into a buffer."""
        view = memoryview(buffer)[: self._size - self._at]
        piece = self._file.read(len(view))
        view[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def close(self) -> None:
        """Close the file too."""
        if not self.closed:
            self._file.close()
        super().close()


def layout(index: bytes, contents: Iterable[Content], into: Path) -> Packed:
    """Write an OCI image layout as a tar, or as tar+gzip where the name ends in `gz`.

    Args:
        index: `index.json`, which names the manifests.
        contents: manifests, configs and layers.
        into: the file.

    Raises:
        Problem: a file cannot be read, or the archive cannot be written.
    """
    blobs = {one.digest: one for one in contents}
    try:
        with into.open("wb") as raw:
            sealing = Sealing(raw)
            if into.name.endswith("gz"):
                with Gzip(sealing) as zipped:
                    _lay(zipped, index, blobs)
            else:
                _lay(sealing, index, blobs)
    except OSError as error:
        raise Problem(f"{into} cannot be written: {error.strerror}.") from error
    return Packed(into, sealing.digest, sealing.size)


def _lay(archive: Sealing | Gzip, index: bytes, blobs: dict[str, Content]) -> None:
    version = json.dumps({"imageLayoutVersion": "1.0.0"}).encode()
    small = {"oci-layout": version, "index.json": index}
    for name, content in small.items():
        archive.write(_header(name, len(content)) + content + _padding(len(content)))
    for digest in sorted(blobs):
        one = blobs[digest]
        algorithm, _, encoded = digest.partition(":")
        archive.write(_header(f"blobs/{algorithm}/{encoded}", one.size))
        with one.open() as file:
            while piece := file.read(_PIECE):
                archive.write(piece)
        archive.write(_padding(one.size))
    archive.write(bytes(2 * _BLOCK))
