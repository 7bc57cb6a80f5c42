"""The zip that torch.save writes: one folder with one pickle, and the bytes of its tensors (PyTorch 1.6+). Pure.

Its directory is the one list of what it holds. Everything is stored as it is, nothing lies over anything else, and
nothing but what weights need is in it.
"""

import re
import struct
from typing import BinaryIO, Final

from registry.artifacts.formats import pickles
from registry.artifacts.formats.inflate import Refused
from registry.artifacts.formats.reading import Reader

MAGIC: Final = b"PK\x03\x04"
ENTRIES: Final = 65_536
_DIRECTORY: Final = 16 << 20
_LARGEST_PICKLE: Final = 256 << 20
_END: Final = struct.Struct("<4sHHHHIIH")
_END64: Final = struct.Struct("<4sQHHIIQQQQ")
_LOCATOR: Final = struct.Struct("<4sIQI")
_ENTRY: Final = struct.Struct("<4sHHHHHHIIIHHHHHII")
_LOCAL: Final = struct.Struct("<4sHHHHHIIIHH")
_FULL: Final = 0xFFFFFFFF
_NAMES: Final = re.compile(
    r"([^/]{1,255})/(?:(data\.pkl)|data/[0-9]{1,9}|version|byteorder|\.format_version|\.storage_alignment"
    r"|\.data/serialization_id)"
)
_AGAIN: Final = "Save it anew with torch.save(model.state_dict(), …)."


def begins(head: bytes) -> bool:
    """Whether a file with this beginning looks like one."""
    return head[:4] == MAGIC


def check(file: BinaryIO, size: int) -> None:
    """Hold the directory against the file, and follow its pickle.

    Raises:
        Unsafe: the pickle would import something that weights do not need.
        Refused: it is no such file.
    """
    start, length, count = _directory(file, size)
    entries = _entries(_at(file, start, length), count)
    folders = {_NAMES.fullmatch(name)[1] for name, _, _ in entries if _NAMES.fullmatch(name)}  # type: ignore[index]
    strays = [name for name, _, _ in entries if not _NAMES.fullmatch(name)]
    found = [entry for entry in entries if entry[0].endswith("/data.pkl")]
    if strays or len(folders) != 1 or len(found) != 1 or len({name for name, _, _ in entries}) != len(entries):
        raise Refused("It holds other files than torch.save writes.", _AGAIN, next(iter(strays), None))
    at = 0
    for name, offset, stored in sorted(entries, key=lambda entry: entry[1]):
        begin = _content(file, name, offset)
        if offset < at or begin + stored > start:
            raise Refused("Two files in it lie over each other.", _AGAIN, name)
        at = begin + stored
        if name == found[0][0]:
            _follow(file, begin, stored)


def _follow(file: BinaryIO, begin: int, size: int) -> None:
    if size > _LARGEST_PICKLE:
        raise Refused("Its pickle is too large.", _AGAIN)
    pickles.check(Reader(file, size, begin=begin))


def _directory(file: BinaryIO, size: int) -> tuple[int, int, int]:
    """Where the directory lies, how long it is, and how many entries it has."""
    if size < _END.size:
        raise Refused("It is too short for a zip.", _AGAIN)
    end = _END.unpack(_at(file, size - _END.size, _END.size))
    if end[0] != b"PK\x05\x06" or end[1] or end[2] or end[7]:
        raise Refused("It does not end as a zip of one part without a comment.", _AGAIN)
    count, length, start, last = end[4], end[5], end[6], size - _END.size
    if size >= last >= _LOCATOR.size + _END64.size:
        place = last - _LOCATOR.size
        locator = _LOCATOR.unpack(_at(file, place, _LOCATOR.size))
        if locator[0] == b"PK\x06\x07":
            last = place - _END64.size
            more = _END64.unpack(_at(file, last, _END64.size))
            if more[0] != b"PK\x06\x06" or locator[2] != last:
                raise Refused("Its two ends do not agree.", _AGAIN)
            count, length, start = more[7], more[8], more[9]
    if count > ENTRIES or length > _DIRECTORY or start + length != last:
        raise Refused("Its directory is too large, or does not lie where its end says.", _AGAIN)
    return start, length, count


def _entries(raw: bytes, count: int) -> list[tuple[str, int, int]]:
    """Name, offset of the header and size of each file."""
    found, at = [], 0
    for _ in range(count):
        if len(raw) - at < _ENTRY.size:
            raise Refused("Its directory is cut off.", _AGAIN)
        fields = _ENTRY.unpack_from(raw, at)
        flags, method, packed, size, offset = fields[3], fields[4], fields[8], fields[9], fields[16]
        names, extra = at + _ENTRY.size, at + _ENTRY.size + fields[10]
        at = extra + fields[11] + fields[12]
        if fields[0] != b"PK\x01\x02" or method or flags & 1 or at > len(raw):
            raise Refused("A file in it is compressed, encrypted, or its entry is damaged.", _AGAIN)
        size, packed, offset = _wide(raw[extra : extra + fields[11]], [size, packed, offset])
        if size != packed:
            raise Refused("A file in it has two sizes.", _AGAIN)
        found.append((raw[names:extra].decode("utf-8", "replace"), offset, size))
    if at != len(raw):
        raise Refused("Its directory has more entries than it says.", _AGAIN)
    return found


def _wide(extra: bytes, numbers: list[int]) -> list[int]:
    """Sizes and offset, from the extra field of zip64 where they are too large for the entry."""
    if _FULL not in numbers:
        return numbers
    at = 0
    while at + 4 <= len(extra):
        tag, length = struct.unpack_from("<HH", extra, at)
        if tag == 1:
            wide = [value for (value,) in struct.iter_unpack("<Q", extra[at + 4 : at + 4 + length // 8 * 8])]
            if len(wide) < numbers.count(_FULL):
                break
            return [wide.pop(0) if number == _FULL else number for number in numbers]
        at += 4 + length
    raise Refused("A file in it has a size that is not there.", _AGAIN)


def _content(file: BinaryIO, name: str, offset: int) -> int:
    """Where the bytes of a file begin; the header before them names the same file."""
    local = _LOCAL.unpack(_at(file, offset, _LOCAL.size))
    named = _at(file, offset + _LOCAL.size, local[9])
    if local[0] != MAGIC or local[3] or named.decode("utf-8", "replace") != name:
        raise Refused("A file in it has two names, or is compressed.", _AGAIN, name)
    return offset + _LOCAL.size + int(local[9]) + int(local[10])


def _at(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    piece = file.read(size)
    if len(piece) < size:
        raise Refused("It is cut off.", _AGAIN)
    return piece
