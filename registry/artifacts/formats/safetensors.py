"""safetensors: the header, its tensors and their places (the format of Hugging Face, version 0.3). Pure."""

import struct
from collections.abc import Mapping
from typing import Any, Final

from registry.artifacts.formats.inflate import Refused
from registry.artifacts.formats.reading import Reader
from registry.core import strict_json

LONGEST: Final = 8 << 20
"""Bytes of a header; those of the largest models that are known need less."""

_COMMAS: Final = 2_000_000
_LENGTH: Final = struct.Struct("<Q")
_BITS: Final = {
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8,
    "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32,
    "C64": 64, "F64": 64, "I64": 64, "U64": 64,
}  # fmt: skip
_AGAIN: Final = "Save it anew with safetensors.save_file."
_LARGEST: Final = 1 << 63


def begins(head: bytes) -> bool:
    """Whether a file with this beginning looks like one."""
    return len(head) > 8 and 2 <= _LENGTH.unpack(head[:8])[0] <= LONGEST and head[8:9] == b"{"


def check(reader: Reader) -> None:
    """Hold header and places against the format and the size of the file.

    Raises:
        Refused: it is no such file.
        Beyond: the header goes on behind what is given.
    """
    length = reader.number(_LENGTH, "the length of its header")
    if not 2 <= length <= LONGEST:
        raise Refused(f"It states a header of {length} bytes; 2 to {LONGEST} are possible.", _AGAIN)
    if reader.take(1, "its header") != b"{":
        raise Refused("Its header is no JSON object.", _AGAIN)
    tensors = _tensors(b"{" + reader.take(length - 1, "its header"))
    _check_places(tensors, reader.left)


def _tensors(raw: bytes) -> dict[str, Any]:
    if raw.count(b",") > _COMMAS:
        raise Refused("Its header holds more values than those of any model.", "Save it as several files.")
    try:
        value = strict_json.parse(raw)
    except strict_json.Ambiguous as error:
        raise Refused(f"Its header {error}", _AGAIN) from error
    metadata = value.pop("__metadata__", {}) if isinstance(value, dict) else None
    if not isinstance(metadata, dict) or not all(isinstance(one, str) for one in metadata.values()):
        raise Refused("Its __metadata__ is no object of texts.", _AGAIN)
    return dict(value)


def _check_places(tensors: Mapping[str, Any], room: int) -> None:
    """Every tensor as large as type and shape say, one after the other, without gap, up to the end."""
    places = sorted((*_place(name, tensor), name) for name, tensor in tensors.items())
    at = 0
    for start, end, name in places:
        if start != at:
            raise Refused(f"The tensor {name[:100]!r} does not begin where the one before it ends.", _AGAIN)
        at = end
    if at != room:
        raise Refused(f"Its tensors take {at} bytes; {room} follow the header.", _AGAIN)


def _place(name: str, tensor: Any) -> tuple[int, int]:
    given = tensor if isinstance(tensor, Mapping) and tensor.keys() == {"dtype", "shape", "data_offsets"} else None
    if given is None or given["dtype"] not in _BITS:
        raise Refused(f"The tensor {name[:100]!r} lacks a known dtype, a shape or its data_offsets.", _AGAIN)
    shape, offsets = _numbers(given["shape"], name), _numbers(given["data_offsets"], name)
    bits = _BITS[given["dtype"]]
    for length in shape:
        bits = bits * length
        if bits > _LARGEST:
            raise Refused(f"The tensor {name[:100]!r} is larger than any file.", _AGAIN)
    if len(offsets) != 2 or offsets[1] < offsets[0] or bits != 8 * (offsets[1] - offsets[0]):
        raise Refused(f"The tensor {name[:100]!r} is not as large as its dtype and shape say.", _AGAIN)
    return offsets[0], offsets[1]


def _numbers(value: Any, name: str) -> list[int]:
    if isinstance(value, list) and len(value) <= 64 and all(type(one) is int and 0 <= one < _LARGEST for one in value):
        return value
    raise Refused(f"The tensor {name[:100]!r} has a shape or data_offsets that are no whole numbers.", _AGAIN)
