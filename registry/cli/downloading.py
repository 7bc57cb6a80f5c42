"""Fetching a blob into a file that is there whole and true, or not at all."""

import fcntl
import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import httpx

from registry.cli.problems import Problem, Tampered
from registry.cli.wire import Ask, Busy, Wire

PART: Final = ".part"
DAMAGED: Final = "It was damaged or changed on the way: run the command again, and tell the operator if that stays."
_PIECE: Final = 1 << 20
_PAUSES: Final = (0.5, 1.0, 2.0, 4.0, 8.0)
_CONTENT_RANGE: Final = re.compile(r"bytes ([0-9]{1,19})-[0-9]{1,19}/.*")


@dataclass(frozen=True, slots=True)
class Target:
    """A blob, and the file that is to hold it.

    Attributes:
        repository: that has it.
        digest: `sha256:…` or `sha512:…`.
        size: its bytes.
        into: the file; what has come of it lies beside it, with `.part` behind its name.
        moved: told how many more bytes are there; less than none when some must come again.
    """

    repository: str
    digest: str
    size: int
    into: Path
    moved: Callable[[int], None]


class Download:
    """The fetching of one blob."""

    def __init__(self, wire: Wire, target: Target) -> None:
        self._wire = wire
        self._target = target
        self._part = target.into.with_name(target.into.name + PART)
        self._told = 0
        self._hasher = self._new()

    def run(self) -> None:
        """Fetch what is missing of it.

        Raises:
            Tampered: what came has another digest or size; it is gone.
            Problem: the registry has none, refuses, or cannot be reached for long; what came counts the next time.
        """
        try:
            self._target.into.parent.mkdir(parents=True, exist_ok=True)
            with self._locked() as file:
                had = self._fetched(file)
                if had and not self._is_true():
                    self._emptied(file)
                    self._fetched(file)
                self._place(file)
        except OSError as error:
            raise Problem(f"{self._target.into} cannot be written: {error.strerror}.") from error

    def _locked(self) -> BinaryIO:
        """The file of what has come, kept from other processes until it is closed."""
        while True:
            file = self._part.open("a+b")
            fcntl.flock(file, fcntl.LOCK_EX)
            if self._part.exists() and self._part.stat().st_ino == os.fstat(file.fileno()).st_ino:
                return file
            file.close()

    def _fetched(self, file: BinaryIO) -> int:
        """Fetch to its end; how many bytes there were before."""
        size = self._hashed(file)
        vain, at = 0, size
        while at < self._target.size:
            try:
                self._rest(file, at)
            except Busy as busy:
                vain = 0 if self._told > at else vain + 1
                if vain > len(_PAUSES):
                    raise
                self._wire.pause(busy, _PAUSES[max(vain - 1, 0)])
            at = self._told
        file.flush()
        return size

    def _hashed(self, file: BinaryIO) -> int:
        """Take the digest of what has come before; how many bytes that are."""
        if file.seek(0, os.SEEK_END) > self._target.size:
            return self._emptied(file)
        file.seek(0)
        while piece := file.read(_PIECE):
            self._hasher.update(piece)
        self._tell(file.tell())
        return self._told

    def _rest(self, file: BinaryIO, at: int) -> None:
        path = f"/v2/{self._target.repository}/blobs/{self._target.digest}"
        headers = {"Range": f"bytes={at}-"} if at else {}
        with self._wire.stream(Ask("GET", path, self._target.repository, headers=headers)) as response:
            if at and not _begins_at(response, at):
                at = self._emptied(file)
            for piece in response.iter_raw():
                at += len(piece)
                if at > self._target.size:
                    raise self._wrong(f"more than the {self._target.size} bytes that it should have")
                file.write(piece)
                self._hasher.update(piece)
                self._tell(at)
        if at < self._target.size:
            raise Busy(f"{self._wire.address.url} ended its answer early.")

    def _place(self, file: BinaryIO) -> None:
        if not self._is_true():
            raise self._wrong("another digest")
        os.fsync(file.fileno())
        self._part.replace(self._target.into)
        folder = os.open(self._target.into.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _is_true(self) -> bool:
        return self._hasher.hexdigest() == self._target.digest.partition(":")[2]

    def _new(self) -> "hashlib._Hash":
        return hashlib.new(self._target.digest.partition(":")[0])

    def _emptied(self, file: BinaryIO) -> int:
        file.truncate(0)
        self._hasher = self._new()
        self._tell(0)
        return 0

    def _wrong(self, how: str) -> Tampered:
        self._part.unlink(missing_ok=True)
        return Tampered(
            f"What {self._wire.address.url} gives for {self._target.digest} of {self._target.repository} has {how}.",
            DAMAGED,
            code="DIGEST_MISMATCH",
        )

    def _tell(self, offset: int) -> None:
        if offset != self._told:
            self._target.moved(offset - self._told)
            self._told = offset


def _begins_at(response: httpx.Response, at: int) -> bool:
    match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    return response.status_code == httpx.codes.PARTIAL_CONTENT and match is not None and int(match[1]) == at


def digest_of_file(path: Path, algorithm: str = "sha256") -> str:
    """The digest of what a file holds."""
    with path.open("rb") as file:
        return f"{algorithm}:{hashlib.file_digest(file, algorithm).hexdigest()}"
