"""Headers of tar: ustar, pax and GNU long names (POSIX.1-2017, pax), each with one reading only. Pure."""

import re
from dataclasses import dataclass, replace
from typing import Final

from registry.artifacts.formats import paths
from registry.artifacts.formats.inflate import Refused

EXTENSIONS: Final = frozenset(b"xgLK")
_REGULAR: Final = frozenset(b"0\0")
_DIRECTORY: Final = ord("5")
_OCTAL: Final = re.compile(rb" *([0-7]+)[ \0]*|[ \0]*")
_RECORD: Final = re.compile(rb"([1-9][0-9]{0,7}) ([^=]+)=", re.DOTALL)
_FIELD_LIMIT: Final = 8**11
_SPECIAL: Final = {
    "1": "a hard link",
    "2": "a symbolic link",
    "3": "a device",
    "4": "a device",
    "6": "a pipe",
    "K": "a link",
    "S": "a sparse file",
}
_AGAIN: Final = "Make it anew with tar --format=pax, or let gati make it."


@dataclass(frozen=True, slots=True)
class Raw:
    """A header block as it stands there."""

    kind: int
    name: bytes
    size: int
    mode: int


@dataclass(frozen=True, slots=True)
class Header:
    """A file or folder; `path` is empty for the folder that the archive itself is."""

    path: str
    size: int
    mode: int
    is_directory: bool


def parse(block: bytes) -> Raw:
    """The header that 512 bytes are.

    Raises:
        Refused: they are none, or one that two readers would take for two things.
    """
    stated = _number(block[148:156], "checksum")
    if stated != sum(block) - sum(block[148:156]) + 8 * 32:
        raise Refused("It is no tar: the checksum of a header is wrong.", "Make it with tar or gati.")
    magic = block[257:265]
    if magic not in {b"ustar\x0000", b"ustar  \x00"}:
        raise Refused("A header of it is of no format that is known (ustar, pax, GNU).", _AGAIN)
    name, kind = _text(block[:100]), block[156]
    prefix = _text(block[345:500])
    if prefix and magic != b"ustar\x0000":
        raise Refused("A header of it has a field that readers of GNU tar take for two things.", _AGAIN)
    for field in (block[108:116], block[116:124], block[136:148], block[329:337], block[337:345]):
        _number(field, "owner, time or device")
    size, mode = _number(block[124:136], "size"), _number(block[100:108], "mode")
    return Raw(kind, prefix + b"/" + name if prefix else name, size, mode)


class Extended:
    """The headers that stand before a file and say more of it: at most one of each kind."""

    def __init__(self) -> None:
        self._path: bytes | None = None
        self._size: int | None = None
        self._kinds: set[int] = set()

    @property
    def seen(self) -> bool:
        """Whether one announces a file that did not come yet."""
        return bool(self._kinds - {ord("g")})

    def take(self, raw: Raw, body: bytes) -> None:
        """One more of them.

        Raises:
            Refused: it is there twice, or says what none may say.
        """
        if raw.kind == ord("K"):
            raise Refused("It holds a link.", "Replace links by the files they lead to.", _shown(body))
        if raw.kind in self._kinds and raw.kind != ord("g"):
            raise Refused("A file in it has two headers of one kind.", _AGAIN)
        self._kinds.add(raw.kind)
        if raw.kind == ord("L"):
            if body.find(b"\0") != len(body) - 1:
                raise Refused("A long name in it does not end where its size says.", _AGAIN, _shown(body))
            self._name(body[:-1])
        else:
            self._take_records(body, is_global=raw.kind == ord("g"))

    def apply(self, raw: Raw) -> Header:
        """The file or folder that `raw` is together with these.

        Raises:
            Refused: they disagree, or it is neither file nor folder, or its path is not safe.
        """
        if self._size is not None and raw.size not in ({self._size, 0} if self._size >= _FIELD_LIMIT else {self._size}):
            raise Refused("Two headers state two sizes for one file.", _AGAIN, _shown(self._path or raw.name))
        sized = replace(raw, size=raw.size if self._size is None else self._size)
        return _entry(sized, self._path if self._path is not None else raw.name)

    def _name(self, path: bytes) -> None:
        if self._path is not None:
            raise Refused("Two headers name one file.", _AGAIN, _shown(path))
        self._path = path

    def _take_records(self, body: bytes, *, is_global: bool) -> None:
        keys: set[bytes] = set()
        for key, value in _records(body):
            if key in keys:
                raise Refused("A header of it states one thing twice.", _AGAIN)
            keys.add(key)
            if is_global and key in {b"path", b"size", b"linkpath"}:
                raise Refused("A header for all files of it names one.", _AGAIN)
            if key.startswith((b"GNU.sparse", b"SCHILY.realsize")) or (key == b"hdrcharset" and b"UTF-8" not in value):
                raise Refused(f"A header of it says {_shown(key)}, which few readers follow.", _AGAIN)
            if key == b"linkpath":
                raise Refused("It holds a link.", "Replace links by the files they lead to.", _shown(value))
            if key == b"path":
                self._name(value)
            elif key == b"size":
                self._size = _decimal(value)


def _records(body: bytes) -> list[tuple[bytes, bytes]]:
    found: list[tuple[bytes, bytes]] = []
    at = 0
    while at < len(body):
        match = _RECORD.match(body, at)
        end = at + int(match[1]) if match else 0
        if match is None or end > len(body) or end <= match.end() or body[end - 1 : end] != b"\n" or len(found) >= 1000:
            raise Refused("An extended header of it is damaged.", _AGAIN)
        found.append((match[2], body[match.end() : end - 1]))
        at = end
    return found


def _entry(raw: Raw, name: bytes) -> Header:
    if raw.kind not in _REGULAR and raw.kind != _DIRECTORY:
        what = _SPECIAL.get(chr(raw.kind), f"an entry of the kind {chr(raw.kind)!r}")
        raise Refused(f"It holds {what}.", "Publish plain files and folders alone.", _shown(name))
    path = _path(name, is_directory=raw.kind == _DIRECTORY)
    if raw.mode & 0o6000:
        raise Refused("A file in it runs as its owner or group (setuid).", "Take the bit away: chmod ug-s.", path)
    if raw.kind == _DIRECTORY and raw.size:
        raise Refused("A folder in it has a size.", _AGAIN, path)
    return Header(path, raw.size, raw.mode & 0o777, raw.kind == _DIRECTORY)


def _path(name: bytes, *, is_directory: bool) -> str:
    try:
        given = name.decode()
    except UnicodeDecodeError as error:
        raise Refused("A path in it is not UTF-8.", "Rename the file.", _shown(name)) from error
    path = given.removesuffix("/") if is_directory else given
    if path == "." and is_directory:
        return ""
    path = path.removeprefix("./")
    why = paths.fault(path)
    if why is not None:
        raise Refused(f"A path in it {why}.", "Rename the file, or leave it out.", _shown(name))
    return path


def _text(field: bytes) -> bytes:
    name, _, rest = field.partition(b"\0")
    if rest.strip(b"\0"):
        raise Refused("A name in a header of it goes on after its end.", _AGAIN, _shown(field))
    return name


def _number(field: bytes, what: str) -> int:
    if field[0] == 0x80 and field[1] < 0x80:
        return int.from_bytes(field[1:], "big")
    match = _OCTAL.fullmatch(field)
    if match is None:
        raise Refused(f"The {what} in a header of it is no number.", _AGAIN)
    return int(match[1] or b"0", 8)


def _decimal(value: bytes) -> int:
    if not re.fullmatch(rb"[0-9]{1,15}", value):
        raise Refused("A size in a header of it is no number.", _AGAIN)
    return int(value)


def _shown(name: bytes) -> str:
    return name[:500].decode("utf-8", "replace")
