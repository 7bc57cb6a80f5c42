"""Tar and tar+gzip, read once from start to end, the same way by registry and client. Pure.

What two readers could take for two things is refused: paths that leave the folder or collide, links, devices,
headers that disagree, bytes behind the end. What is left reads the same everywhere, and extracts safely.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from registry.artifacts.formats import paths, tar_header
from registry.artifacts.formats.inflate import Gunzip, Plain, Refused
from registry.artifacts.model import Layer
from registry.core.errors import MalformedManifest

_PIECE: Final = 1 << 16
_BLOCK: Final = 512
_PADDING: Final = 1 << 20
_HEADERS: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """What an archive may be.

    Attributes:
        entries: files and folders, also those that are only named in paths.
        total: bytes, expanded.
        ratio: bytes expanded for each byte of it.
    """

    entries: int = 100_000
    total: int = 10 << 30
    ratio: int = 200


DEFAULT: Final = Limits()


class Entry:
    """A file or folder of an archive; `read` gives a file's bytes, once, before the next entry is asked for.

    Attributes:
        path: relative, with `/`, safe (`paths.fault`).
        mode: permissions, at most 0o777.
        link: always None: archives of Gati hold no links.
    """

    __slots__ = ("_left", "_pointer", "_source", "is_directory", "link", "mode", "path", "size")

    def __init__(self, header: tar_header.Header, source: Plain, pointer: str) -> None:
        self.path = header.path
        self.size = header.size
        self.mode = header.mode
        self.is_directory = header.is_directory
        self.link: str | None = None
        self._source = source
        self._pointer = pointer
        self._left = header.size

    @property
    def is_executable(self) -> bool:
        """Whether it is a file that its owner may run."""
        return not self.is_directory and self.mode & 0o100 != 0

    def read(self) -> Iterator[bytes]:
        """Its bytes, in pieces.

        Raises:
            MalformedManifest: the archive ends in the middle of it, is damaged, or expands too far.
        """
        while self._left:
            piece = self._next()
            self._left -= len(piece)
            yield piece

    def _next(self) -> bytes:
        try:
            piece = self._source.read(min(_PIECE, self._left))
            if not piece:
                raise Refused("It ends in the middle of a file.", "Push it again: it was cut off.")  # noqa: TRY301
        except Refused as error:
            located = Refused(error.message, error.suggestion, error.path or self.path)
            raise refusal(located, self._pointer) from error
        return piece


def entries(file: BinaryIO, limits: Limits = DEFAULT, *, gzipped: bool, pointer: str = "") -> Iterator[Entry]:
    """What an archive holds, in its order; reads `file` once, forward, to its end.

    Raises:
        MalformedManifest: it is no archive of files and folders that reads the same everywhere; `detail.path` is the
            path inside of it, `pointer` that of its layer.
    """
    try:
        yield from _entries(file, limits, gzipped, pointer)
    except Refused as error:
        raise refusal(error, pointer) from error


def of_layer(layer: Layer, file: BinaryIO, limits: Limits = DEFAULT) -> Iterator[Entry]:
    """What the archive of a layer holds; whether it is compressed says its media type."""
    return entries(file, limits, gzipped=layer.media_type.endswith("gzip"), pointer=layer.pointer)


def refusal(error: Refused, pointer: str, subject: str = "The archive is refused.", **more: Any) -> MalformedManifest:
    """The same as a refusal of the artifact whose layer it is."""
    return MalformedManifest(
        f"{subject} {error.message}",
        pointer=pointer,
        document="layer",
        path=error.path,
        suggestion=error.suggestion,
        **more,
    )


def check(layer: Layer, file: BinaryIO, limits: Limits = DEFAULT) -> dict[str, Entry]:
    """All entries of the archive of a layer by path, after all of it was read.

    Raises:
        MalformedManifest: as in `entries`.
    """
    return {entry.path: entry for entry in of_layer(layer, file, limits)}


def _entries(file: BinaryIO, limits: Limits, gzipped: bool, pointer: str) -> Iterator[Entry]:
    source = Gunzip(file, limits.total, limits.ratio) if gzipped else Plain(file, limits.total)
    names = _Names(limits.entries)
    while (header := _next(source)) is not None:
        if header.path:
            names.add(header)
            entry = Entry(header, source, pointer)
            yield entry
            for _ in entry.read():
                pass
        _skip(source, -header.size % _BLOCK, header.path)
    _check_end(source)


def _next(source: Plain) -> tar_header.Header | None:
    """The next file or folder with all headers that belong to it; None at the end."""
    extended = tar_header.Extended()
    for _ in range(8):
        block = source.read(_BLOCK)
        if len(block) < _BLOCK:
            raise Refused("It ends without the two empty blocks that end a tar.", "Push it again: it was cut off.")
        if block == bytes(_BLOCK):
            if extended.seen:
                raise Refused("It ends after a header that announces a file.", "Make it anew with tar or gati.")
            return None
        raw = tar_header.parse(block)
        if raw.kind not in tar_header.EXTENSIONS:
            return extended.apply(raw)
        if raw.size > _HEADERS:
            raise Refused("A header of it is larger than 1 MiB.", "Make it anew with tar or gati.")
        body = source.read(raw.size)
        _skip(source, -raw.size % _BLOCK, "")
        extended.take(raw, body)
    raise Refused("A file in it has too many headers.", "Make it anew with tar or gati.")


def _skip(source: Plain, size: int, path: str) -> None:
    if len(source.read(size)) < size:
        raise Refused("It ends in the middle of a file.", "Push it again: it was cut off.", path)


def _check_end(source: Plain) -> None:
    """One empty block was read: another must follow, then nothing but padding."""
    if source.read(_BLOCK) != bytes(_BLOCK):
        raise Refused("Only one empty block ends it; a tar ends with two.", "Make it anew with tar or gati.")
    padding = source.read(_PADDING)
    if padding.count(0) != len(padding) or source.read(1):
        raise Refused("Something follows the end of the tar.", "Publish one archive for each layer, nothing behind it.")


class _Names:
    """The paths so far, as a system sees them that ignores case."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._seen: dict[str, tuple[str, str]] = {}

    def add(self, header: tar_header.Header) -> None:
        """Take one more.

        Raises:
            Refused: it is there, or is another by case, or a file is where a folder must be.
        """
        self._add_parents(header.path)
        key = paths.folded(header.path)
        spelled, role = self._seen.get(key, (header.path, ""))
        if role and not (role == "implied" and header.is_directory and spelled == header.path):
            raise Refused(
                f"Two entries have one path: {spelled[:200]!r}.", "Name each file once, in one case.", header.path
            )
        self._put(key, header.path, "folder" if header.is_directory else "file")

    def _add_parents(self, path: str) -> None:
        while "/" in path:
            path = path.rpartition("/")[0]
            key = paths.folded(path)
            spelled, role = self._seen.get(key, (path, ""))
            if role == "file" or spelled != path:
                raise Refused(f"{spelled[:200]!r} and {path[:200]!r} are one path.", "Spell each folder one way.", path)
            if role:
                return
            self._put(key, path, "implied")

    def _put(self, key: str, path: str, role: str) -> None:
        if len(self._seen) >= self._most and key not in self._seen:
            raise Refused(f"It holds more than {self._most} files and folders.", "Publish fewer files.", path)
        self._seen[key] = (path, role)
