"""ONNX: the protocol buffers of a model, walked by hand (onnx.proto, IR versions 1 and above). Pure.

Nothing is built in memory but what is on the way from the model to where the walk stands.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from registry.artifacts.formats.inflate import Refused
from registry.artifacts.formats.reading import Reader

FIELDS: Final = 2_000_000
"""Fields that are walked at most; those of the largest graphs that are known are fewer."""

DEEPEST: Final = 48
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LAST_IR: Final = 64
_LONGEST_PATH: Final = 1024
_AGAIN: Final = "Export it anew, and see that onnx.checker accepts it."
# Fields of each message that lead to tensors, which may lie in other files; and those that a model is known by.
_INNER: Final[dict[str, dict[int, str]]] = {
    "model": {7: "graph", 8: "opset", 20: "training", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "tensor": {13: "entry"},
    "sparse": {1: "tensor", 2: "tensor"},
    "function": {7: "node", 11: "attribute"},
    "training": {1: "graph", 2: "graph"},
    "opset": {},
    "entry": {},
}
_WIRES: Final[dict[str, dict[int, int]]] = {
    "model": {1: _VARINT, 2: _BYTES, 3: _BYTES, 4: _BYTES, 5: _VARINT, 6: _BYTES, 14: _BYTES},
    "graph": {2: _BYTES, 10: _BYTES, 11: _BYTES, 12: _BYTES, 13: _BYTES},
    "opset": {1: _BYTES, 2: _VARINT},
    "entry": {1: _BYTES, 2: _BYTES},
}
_FIXED: Final = {_FIXED64: struct.calcsize("<Q"), _FIXED32: struct.calcsize("<I")}


@dataclass(slots=True)
class _Message:
    """A message on the way down; of an entry, its key and value."""

    kind: str
    end: int
    key: bytes = b""
    value: bytes = b""


@dataclass(slots=True)
class _Found:
    ir_version: int = 0
    opsets: int = 0
    graphs: int = 0
    inputs: int = 0
    outputs: int = 0
    path: list[_Message] = field(default_factory=list)


def begins(head: bytes) -> bool:
    """Whether a file with this beginning looks like one: a small `ir_version` first, as all exporters write it."""
    return len(head) > 3 and head[0] == 0x08 and 0 < head[1] <= _LAST_IR and head[2] & 7 in {_VARINT, _BYTES}


def check(reader: Reader, seen: Callable[[str], None]) -> None:
    """Walk the model; `seen` is told of every other file that holds some of its tensors.

    Raises:
        Refused: it is no such file.
        Beyond: it goes on behind what is given.
    """
    found = _Found(path=[_Message("model", reader.end)])
    for _ in range(FIELDS):
        while found.path and reader.at >= found.path[-1].end:
            _leave(found.path.pop(), reader, seen)
        if not found.path:
            break
        _step(reader, found)
    else:
        raise Refused(f"It has more than {FIELDS} fields.", "Keep tensors as raw data, not as lists of numbers.")
    _check_found(found)


def _step(reader: Reader, found: _Found) -> None:
    """Read one field of the message on top: go into it, keep it, or go over it."""
    message = found.path[-1]
    tag = _varint(reader)
    number, wire = tag >> 3, tag & 7
    inner = _INNER[message.kind].get(number)
    wanted = _BYTES if inner else _WIRES.get(message.kind, {}).get(number, wire)
    if not 0 < number < 1 << 29 or wire != wanted:
        raise Refused(f"The field {number} of its {message.kind} is not of the type that it must be.", _AGAIN)
    if wire == _VARINT:
        _take_number(message.kind, number, _varint(reader), found)
    elif wire == _BYTES:
        length = _varint(reader)
        if length > message.end - reader.at:
            raise Refused(f"The field {number} of its {message.kind} goes on behind its end.", _AGAIN)
        _take_bytes(number, length, reader, found)
    elif wire in _FIXED and message.end - reader.at >= _FIXED[wire]:
        reader.skip(_FIXED[wire], "a field")
    else:
        raise Refused(f"The field {number} of its {message.kind} is of no type that messages have.", _AGAIN)
    if reader.at > message.end:
        raise Refused(f"The field {number} of its {message.kind} goes on behind its end.", _AGAIN)


def _take_number(kind: str, number: int, value: int, found: _Found) -> None:
    if kind == "model" and number == 1:
        found.ir_version = value
    elif kind == "opset" and number == 2 and 0 < value < 1 << 31:
        found.opsets += 1


def _take_bytes(number: int, length: int, reader: Reader, found: _Found) -> None:
    message = found.path[-1]
    inner = _INNER[message.kind].get(number)
    if message.kind == "model" and number == 7:
        found.graphs += 1
    if message.kind == "graph" and len(found.path) == 2 and found.path[0].kind == "model":
        found.inputs += number == 11
        found.outputs += number == 12
    if inner is not None:
        if len(found.path) >= DEEPEST:
            raise Refused(f"Its graphs nest deeper than {DEEPEST} messages.", _AGAIN)
        found.path.append(_Message(inner, reader.at + length))
    elif message.kind == "entry" and number in {1, 2}:
        _take_entry(message, number, length, reader)
    else:
        reader.skip(length, "a field")


def _take_entry(message: _Message, number: int, length: int, reader: Reader) -> None:
    if length > _LONGEST_PATH:
        raise Refused(f"It says of data in another file more than {_LONGEST_PATH} bytes.", _AGAIN)
    taken = reader.take(length, "the place of data in another file")
    if (message.key if number == 1 else message.value) not in {b"", taken}:
        raise Refused("It names two places for one tensor.", _AGAIN)
    if number == 1:
        message.key = taken
    else:
        message.value = taken


def _leave(message: _Message, reader: Reader, seen: Callable[[str], None]) -> None:
    if reader.at > message.end:
        raise Refused(f"Its {message.kind} goes on behind its end.", _AGAIN)
    if message.kind == "entry" and message.key == b"location":
        try:
            seen(message.value.decode())
        except UnicodeDecodeError as error:
            raise Refused("The name of another file is not UTF-8.", _AGAIN) from error


def _check_found(found: _Found) -> None:
    if not 0 < found.ir_version <= _LAST_IR or not found.opsets:
        raise Refused("It lacks ir_version or opset_import.", _AGAIN)
    if found.graphs != 1 or not found.inputs or not found.outputs:
        raise Refused("It has not one graph with at least one input and one output.", _AGAIN)


def _varint(reader: Reader) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = reader.take(1, "a number")[0]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF
    raise Refused("It has a number longer than ten bytes.", _AGAIN)
