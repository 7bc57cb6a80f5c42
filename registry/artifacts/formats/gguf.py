"""GGUF: magic, version, values, tensors and their places (the format of ggml, versions 2 and 3). Pure."""

import struct
from typing import Final

from registry.artifacts.formats.inflate import Refused
from registry.artifacts.formats.reading import Reader

MAGIC: Final = b"GGUF"
TENSORS: Final = 65_536
VALUES: Final = 65_536
ITEMS: Final = 2_000_000
"""Texts that all lists together hold: the words and merges of a tokenizer."""

_LONGEST_KEY: Final = 65_535
_LONGEST_NAME: Final = 255
_STRING, _ARRAY, _BOOL, _UINT32 = 8, 9, 7, 4
_SIZES: Final = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, _BOOL: 1, 10: 8, 11: 8, 12: 8}
# By ggml type: values in a block, bytes of a block. Types of the future are held against the end of the file alone.
_BLOCKS: Final = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 36),
    10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292),
    16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82),
    23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2),
    34: (256, 54), 35: (256, 66), 39: (32, 17),
}  # fmt: skip
_LAST_TYPE: Final = 63
_AGAIN: Final = "Convert it anew, for example with the gguf package."
_LARGEST: Final = 1 << 62


def begins(head: bytes) -> bool:
    """Whether a file with this beginning looks like one."""
    return head[:4] == MAGIC


class _Form:
    """How numbers stand in this file: little-endian, or big-endian (version 3)."""

    def __init__(self, order: str) -> None:
        self.u32 = struct.Struct(order + "I")
        self.u64 = struct.Struct(order + "Q")


def check(reader: Reader) -> None:
    """Hold the whole header, and where its tensors lie, against the format and the size of the file.

    Raises:
        Refused: it is no such file.
        Beyond: the header goes on behind what is given.
    """
    if reader.take(4, "its magic number") != MAGIC:
        raise Refused("It does not begin with GGUF.", _AGAIN)
    form = _form(reader.take(4, "its version"))
    tensors, values = (reader.number(form.u64, "its counts") for _ in range(2))
    if tensors > TENSORS or values > VALUES or 24 * tensors + 13 * values > reader.left:
        raise Refused(f"It states {tensors} tensors and {values} values, more than it can hold.", _AGAIN)
    alignment = _values(reader, form, values)
    places = [_tensor(reader, form) for _ in range(tensors)]
    _check_places(places, alignment, reader)


def _form(raw: bytes) -> _Form:
    for order, most in (("<", 3), (">", 3)):
        version = struct.unpack(order + "I", raw)[0]
        if 2 <= version <= most:
            return _Form(order)
    raise Refused(f"It is of version {struct.unpack('<I', raw)[0]}; 2 and 3 are known.", _AGAIN)


def _values(reader: Reader, form: _Form, count: int) -> int:
    """Read the values; the alignment of tensors that they state, in bytes."""
    alignment, budget = 32, ITEMS
    keys: set[bytes] = set()
    for _ in range(count):
        key = _text(reader, form, _LONGEST_KEY, "a key")
        if key in keys:
            raise Refused(f"It states {key[:100].decode('utf-8', 'replace')!r} twice.", _AGAIN)
        keys.add(key)
        kind = reader.number(form.u32, "the type of a value")
        if key == b"general.alignment":
            alignment = _alignment(reader, form, kind)
        else:
            budget = _skip_value(reader, form, kind, budget)
    return alignment


def _alignment(reader: Reader, form: _Form, kind: int) -> int:
    alignment = reader.number(form.u32, "its alignment") if kind == _UINT32 else 0
    if alignment % 8 or not 8 <= alignment <= 1 << 20:
        raise Refused("Its alignment is no multiple of 8 up to 1 MiB.", _AGAIN)
    return alignment


def _skip_value(reader: Reader, form: _Form, kind: int, budget: int) -> int:
    """Go over a value; what is left of the texts that all lists may hold."""
    if kind == _STRING:
        reader.skip(reader.number(form.u64, "the length of a text"), "a text")
    elif kind == _ARRAY:
        return _skip_list(reader, form, budget)
    elif kind in _SIZES:
        reader.skip(_SIZES[kind], "a value")
    else:
        raise Refused(f"It has a value of the unknown type {kind}.", _AGAIN)
    return budget


def _skip_list(reader: Reader, form: _Form, budget: int) -> int:
    kind, count = reader.number(form.u32, "the type of a list"), reader.number(form.u64, "the length of a list")
    if kind in _SIZES:
        reader.skip(_SIZES[kind] * count, "a list")
        return budget
    if kind != _STRING or count > budget or 8 * count > reader.left:
        raise Refused(f"It has a list of {count} items of the type {kind}: nested, unknown, or too long.", _AGAIN)
    for _ in range(count):
        reader.skip(reader.number(form.u64, "the length of a text"), "a text")
    return budget - count


def _text(reader: Reader, form: _Form, most: int, what: str) -> bytes:
    length = reader.number(form.u64, f"the length of {what}")
    if not 0 < length <= most:
        raise Refused(f"It has {what} of {length} bytes; 1 to {most} are possible.", _AGAIN)
    return reader.take(length, what)


def _tensor(reader: Reader, form: _Form) -> tuple[int, int, bytes]:
    """Offset, size and name of a tensor."""
    name = _text(reader, form, _LONGEST_NAME, "the name of a tensor")
    dimensions = reader.number(form.u32, "the dimensions of a tensor")
    if dimensions > 8:
        raise Refused(f"The tensor {_shown(name)} has {dimensions} dimensions.", _AGAIN)
    lengths = [reader.number(form.u64, "the shape of a tensor") for _ in range(dimensions)]
    kind, offset = reader.number(form.u32, "the type of a tensor"), reader.number(form.u64, "the place of a tensor")
    count = 1
    for length in lengths:
        count *= length
        if count > _LARGEST:
            raise Refused(f"The tensor {_shown(name)} is larger than any file.", _AGAIN)
    return offset, _bytes(kind, count, lengths[0] if lengths else 1, name), name


def _bytes(kind: int, count: int, row: int, name: bytes) -> int:
    if kind > _LAST_TYPE:
        raise Refused(f"The tensor {_shown(name)} is of the unknown type {kind}.", _AGAIN)
    block, size = _BLOCKS.get(kind, (1, 0))
    if row % block:
        raise Refused(f"The rows of the tensor {_shown(name)} do not fill blocks of {block}.", _AGAIN)
    return count // block * size


def _check_places(places: list[tuple[int, int, bytes]], alignment: int, reader: Reader) -> None:
    if len({name for _, _, name in places}) != len(places):
        raise Refused("Two of its tensors have one name.", _AGAIN)
    room = reader.left - (-reader.at % alignment)
    at = 0
    for offset, size, name in sorted(places):
        if offset % alignment or offset + size > room:
            raise Refused(f"The tensor {_shown(name)} is not aligned, or lies behind the end of the file.", _AGAIN)
        if offset < at:
            raise Refused(f"The tensor {_shown(name)} lies over another.", _AGAIN)
        at = offset + size


def _shown(name: bytes) -> str:
    return repr(name[:100].decode("utf-8", "replace"))
