"""Finds one small file in the layers of an image (OCI Image Specification, layer.md). Pure.

Layers hold links and devices, which archives of Gati may not: nothing is extracted, only headers are passed by.
"""

from typing import BinaryIO, Final

from registry.artifacts.formats import tar_header
from registry.artifacts.formats.inflate import Gunzip, Plain, Refused

ENTRIES: Final = 500_000
EXPANDED: Final = 20 << 30
_RATIO: Final = 1000
_BLOCK: Final = 512
_PIECE: Final = 1 << 16
_REGULAR: Final = frozenset(b"0\0")


def find(file: BinaryIO, path: str, limit: int, *, gzipped: bool) -> bytes | None:
    """The file of this path in a layer, of at most `limit` bytes; empty where the layer removes it, None without it.

    What cannot be read to its end holds nothing.
    """
    source = Gunzip(file, EXPANDED, _RATIO) if gzipped else Plain(file, EXPANDED)
    removals = _removals(path)
    is_removed, found = False, None
    try:
        for _ in range(ENTRIES):
            block = source.read(_BLOCK)
            if len(block) < _BLOCK or block == bytes(_BLOCK):
                break
            raw = tar_header.parse(block)
            name = raw.name.decode("utf-8", "replace").removeprefix("./").strip("/")
            is_removed = is_removed or name in removals
            if name == path and raw.kind in _REGULAR and raw.size <= limit:
                found = source.read(raw.size)
                _pass(source, -raw.size % _BLOCK)
            else:
                _pass(source, raw.size + -raw.size % _BLOCK)
    except Refused:
        return None
    return found if found is not None else (b"" if is_removed else None)


def _removals(path: str) -> frozenset[str]:
    """The names that whiteouts of a path, of its folders or of all that is in these have."""
    parts = path.split("/")
    found = set()
    for depth in range(len(parts)):
        folder = "/".join(parts[:depth])
        start = f"{folder}/" if folder else ""
        found |= {f"{start}.wh.{parts[depth]}", f"{start}.wh..wh..opq"}
    return frozenset(found)


def _pass(source: Plain, size: int) -> None:
    while size:
        piece = source.read(min(size, _PIECE))
        if not piece:
            raise Refused("It ends in the middle of a file.", "Push it again: it was cut off.")
        size -= len(piece)
