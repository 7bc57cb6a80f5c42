"""One gzip member (RFC 1952), read once, expanded piece by piece under a limit. Pure."""

import zlib
from typing import BinaryIO, Final

_PIECE: Final = 1 << 16
_LEAST: Final = 1 << 12
_FREE: Final = 1 << 20
_GZIP: Final = 31


class Refused(ValueError):
    """The bytes are not what they must be; the message is a whole sentence.

    Attributes:
        path: inside of an archive, where there is one.
        suggestion: what to do instead.
    """

    def __init__(self, message: str, suggestion: str, path: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.suggestion = suggestion
        self.path = path


class Plain:
    """A file that is read forward under a limit of bytes."""

    def __init__(self, file: BinaryIO, total: int) -> None:
        self._file = file
        self._left = total
        self._ahead = b""
        self._at = 0

    def read(self, size: int) -> bytes:
        """The next `size` bytes, fewer only at the end.

        Raises:
            Refused: there are more than may be, or they are damaged.
        """
        pieces: list[bytes] = []
        while size:
            if self._at == len(self._ahead) and not self._fill(size):
                break
            piece = self._ahead[self._at : self._at + size]
            self._at += len(piece)
            size -= len(piece)
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _fill(self, size: int) -> bool:
        """Have more ahead; False at the end."""
        self._ahead, self._at = self._more(min(_PIECE, max(_LEAST, size))), 0
        self._left -= len(self._ahead)
        if self._left < 0:
            raise Refused("It expands to more than an archive may hold.", "Publish less, or in several artifacts.")
        return bool(self._ahead)

    def _more(self, size: int) -> bytes:
        return self._file.read(size)


class Gunzip(Plain):
    """The same of a gzip stream; one member, nothing behind it, no bomb."""

    def __init__(self, file: BinaryIO, total: int, ratio: int) -> None:
        super().__init__(file, total)
        self._ratio = ratio
        self._stream = zlib.decompressobj(_GZIP)
        self._rest = b""
        self._taken = self._given = 0

    def _more(self, size: int) -> bytes:
        while not self._stream.eof:
            raw = self._rest or self._file.read(_PIECE)
            self._taken += 0 if self._rest else len(raw)
            try:
                found = self._stream.decompress(raw, max(size, _PIECE))
            except zlib.error as error:
                raise Refused("It is no gzip stream, or a damaged one.", "Make it with tar -czf, or gati.") from error
            self._rest = self._stream.unconsumed_tail
            self._given += len(found)
            if self._given > _FREE and self._given > self._ratio * self._taken:
                raise Refused(f"It expands to more than {self._ratio} times its size.", "Leave out files of padding.")
            if found:
                return found
            if not raw:
                raise Refused("Its gzip stream ends too early.", "Push it again: it was cut off.")
        if self._stream.unused_data or self._file.read(1):
            raise Refused(
                "Something follows its gzip stream: a second member or other bytes.", "Compress it once, as one stream."
            )
        return b""
