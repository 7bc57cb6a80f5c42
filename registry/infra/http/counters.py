"""Counters in shared memory that tell every process of a host whether what it remembers is still so.

One file, mapped by all of them. It has a row of cells for each slot, and in each row a cell for each process, written
by that process alone. A writer raises *begun* of the slots that it is about to change, commits, raises *finished*, then
answers. What was read while every cell of its slots was balanced, and has not changed since, is still what the database
would say.
"""

import fcntl
import mmap
import os
import secrets
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

from registry.core.errors import Unavailable
from registry.infra.shared_file import area, open_own, try_lock

CELLS: Final = 64
SLOTS: Final = 4096
GLOBAL: Final = 0
CATALOG: Final = 1
_OWN_SLOTS: Final = 2
_MAGIC: Final = b"gati-counters-1\0"
_HEAD: Final = 4096
_TOKEN: Final = 16
_TOKENS: Final = 1024
_CELL: Final = 16
_ROW: Final = CELLS * _CELL
_SIZE: Final = _HEAD + SLOTS * _ROW


class Cell(NamedTuple):
    """The cell of a process that has ended in the middle of a change; `token` named its database connections."""

    number: int
    token: str


class Stamp(NamedTuple):
    """The rows of some slots as they were: (start, end, bytes) in the file."""

    rows: tuple[tuple[int, int, bytes], ...]


def slot(name: str) -> int:
    """The slot of a name; names may share one, which only forgets more than is needed."""
    return _OWN_SLOTS + crc32(name.encode()) % (SLOTS - _OWN_SLOTS)


class Counters:
    """The file at `path`, made when absent, and a cell of it that no other process writes.

    Attributes:
        token: names this process: connections to the database carry it.

    Raises:
        Unavailable: 64 processes have it open already, or it is none of ours.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._last: dict[tuple[int, ...], Stamp] = {}
        self.token = secrets.token_hex(_TOKEN // 2)
        self._file = open_own(path, os.O_CREAT)
        try:
            self._prepare()
            self.map = mmap.mmap(self._file, _SIZE)
            self._numbers = memoryview(self.map).cast("Q")
            self._cell = self._claim()
        except BaseException:
            os.close(self._file)
            raise

    def close(self) -> None:
        """Give the cell back; an open change in it is found by the others."""
        self._numbers.release()
        self.map.close()
        os.close(self._file)

    def begin(self, slots: Iterable[int]) -> None:
        """Something in these slots may change from now on."""
        for number in slots:
            self._numbers[self._at(number, self._cell)] += 1

    def finish(self, slots: Iterable[int]) -> None:
        """A change that was begun is committed, or will never be."""
        for number in slots:
            self._numbers[self._at(number, self._cell) + 1] += 1

    def stamp(self, slots: tuple[int, ...]) -> Stamp | None:
        """How these slots are now, equal ones as one object; None while one of them is changing."""
        last = self._last.get(slots)
        if last is not None and self.holds(last):
            return last
        if len(self._last) >= SLOTS:
            self._last.clear()
        stamp = self._read(slots)
        if stamp is not None:
            self._last[slots] = stamp
        return stamp

    def _read(self, slots: tuple[int, ...]) -> Stamp | None:
        rows = []
        for number in slots:
            start = _HEAD + number * _ROW
            row = self.map[start : start + _ROW]
            numbers = struct.unpack(f"={2 * CELLS}Q", row)
            if numbers[::2] != numbers[1::2]:
                return None
            rows.append((start, start + _ROW, row))
        return Stamp(tuple(rows))

    def holds(self, stamp: Stamp) -> bool:
        """Whether nothing has begun to change in the slots of a stamp since it was taken."""
        memory = self.map
        for start, end, row in stamp.rows:  # noqa: SIM110 - a generator would cost as much as the comparison
            if memory[start:end] != row:
                return False
        return True

    def is_shared(self) -> bool:
        """Whether `path` still is this file: another one would be counted in by others alone."""
        try:
            here = self.path.stat()
        except FileNotFoundError:
            return False
        return here.st_ino == os.fstat(self._file).st_ino

    def abandoned(self) -> list[Cell]:
        """Cells whose process has ended between begun and finished."""
        found = []
        for index in range(CELLS):
            if index != self._cell and not self._is_balanced(index) and self._try_lock(index):
                found.append(Cell(index, self._token(index)))
                self._unlock(index)
        return found

    def settle(self, cell: Cell) -> None:
        """Close the changes of an abandoned cell, whose database connections are gone.

        A stamp of before the change stays invalid: the cell has moved on.
        """
        if not self._try_lock(cell.number):
            return
        if self._token(cell.number) == cell.token:
            for number in range(SLOTS):
                at = self._at(number, cell.number)
                if self._numbers[at] != self._numbers[at + 1]:
                    self._numbers[at + 1] = self._numbers[at]
        self._unlock(cell.number)

    @staticmethod
    def is_used(path: Path) -> bool:
        """Whether a process holds a cell of the file at `path`."""
        try:
            file = open_own(path)
        except FileNotFoundError:
            return False
        try:
            asked = area(fcntl.F_WRLCK, 0, CELLS)
            found = fcntl.fcntl(file, fcntl.F_OFD_GETLK, asked)
        finally:
            os.close(file)
        return int(struct.unpack_from("h", found)[0]) != fcntl.F_UNLCK

    def _prepare(self) -> None:
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            size = os.fstat(self._file).st_size
            if size == 0:
                os.ftruncate(self._file, _SIZE)
                os.pwrite(self._file, _MAGIC, 0)
            elif size != _SIZE or os.pread(self._file, len(_MAGIC), 0) != _MAGIC:
                raise Unavailable(f"{self.path} is not a file of this version: stop the registry and remove it.")
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def _claim(self) -> int:
        for index in range(CELLS):
            if not self._try_lock(index):
                continue
            if self._is_balanced(index):
                at = _TOKENS + index * _TOKEN
                self.map[at : at + _TOKEN] = self.token.encode()
                return index
            self._unlock(index)
        raise Unavailable(f"More than {CELLS} processes of this registry run on this host.")

    def _token(self, index: int) -> str:
        at = _TOKENS + index * _TOKEN
        return self.map[at : at + _TOKEN].decode("ascii", "replace")

    def _is_balanced(self, index: int) -> bool:
        first, step = self._at(0, index), _ROW // 8
        return self._numbers[first::step].tolist() == self._numbers[first + 1 :: step].tolist()

    def _at(self, number: int, cell: int) -> int:
        return (_HEAD + number * _ROW + cell * _CELL) // 8

    def _try_lock(self, index: int) -> bool:
        """Lock a byte of the file for this opening of it, which the end of the process undoes."""
        return try_lock(self._file, area(fcntl.F_WRLCK, index, 1))

    def _unlock(self, index: int) -> None:
        try_lock(self._file, area(fcntl.F_UNLCK, index, 1))
