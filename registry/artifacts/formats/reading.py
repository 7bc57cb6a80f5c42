"""Numbers and pieces of a binary file, read under limits. Pure."""

import io
import struct
from typing import BinaryIO, Final

from registry.artifacts.formats.inflate import Refused

AGAIN: Final = "Push it again: it was cut off, or export it anew."
_BUFFER: Final = 1 << 16


class Beyond(Exception):
    """What is asked for lies behind the part of the file that is given."""


class Reader:
    """A file of `size` bytes from `begin` on, the first `held` of them given; reads forward, skips without reading.

    A length that leads behind the end is refused before anything of that length is made.
    """

    __slots__ = ("_begin", "_buffer", "_file", "_start", "at", "end", "held")

    def __init__(self, file: BinaryIO, size: int, held: int | None = None, begin: int = 0) -> None:
        self._file = file
        self._buffer = b""
        self._begin = begin
        self._start = 0
        self.at = 0
        self.end = size
        self.held = size if held is None else held

    @property
    def left(self) -> int:
        """Bytes that follow."""
        return self.end - self.at

    def take(self, size: int, what: str = "it") -> bytes:
        """The next `size` bytes.

        Raises:
            Refused: the file ends before.
            Beyond: they are not given.
        """
        self._check(size, what)
        offset = self.at - self._start
        if offset < 0 or offset + size > len(self._buffer):
            self._file.seek(self._begin + self.at)
            self._buffer = self._file.read(max(size, min(_BUFFER, self.held - self.at)))
            self._start, offset = self.at, 0
        piece = self._buffer[offset : offset + size]
        if len(piece) < size:
            raise Refused(f"It ends in the middle of {what}.", AGAIN)
        self.at += size
        return piece

    def skip(self, size: int, what: str = "it") -> None:
        """Go on by `size` bytes without reading them.

        Raises:
            Refused: the file ends before.
        """
        if size > self.left:
            raise Refused(f"It ends in the middle of {what}.", AGAIN)
        self.at += size

    def number(self, form: struct.Struct, what: str = "a number") -> int:
        """The number that comes next, in this form."""
        return int(form.unpack(self.take(form.size, what))[0])

    def line(self, most: int, what: str) -> bytes:
        """The bytes up to a line feed, without it.

        Raises:
            Refused: it is longer than `most`, or does not end.
        """
        found = bytearray()
        while len(found) <= most:
            byte = self.take(1, what)
            if byte == b"\n":
                return bytes(found)
            found += byte
        raise Refused(f"{what} is longer than {most} bytes.", AGAIN)

    def _check(self, size: int, what: str) -> None:
        if size > self.left:
            raise Refused(f"It ends in the middle of {what}.", AGAIN)
        if self.at + size > self.held:
            raise Beyond


def of_head(head: bytes, size: int) -> Reader:
    """A reader of a file of which only the beginning is given."""
    return Reader(io.BytesIO(head), size, min(len(head), size))
