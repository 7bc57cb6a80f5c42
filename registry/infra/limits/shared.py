"""Windows that all processes of a host share, in a file that they map.

The file is a table of sets of eight entries; a keyed hash of the key says which set, so that nobody can choose whom to
push out. An entry is touched only under the lock of its set, which the kernel lifts when the holder ends. It is exact:
of the requests of a window the first ones pass, whichever process they come to.
"""

import fcntl
import mmap
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final

import structlog

from registry.core.errors import Unavailable
from registry.core.rates import Rate
from registry.infra.limits.memory import MemoryWindows
from registry.infra.limits.model import Kind, Verdict, verdict
from registry.infra.shared_file import area, open_own, try_lock

SETS: Final = 8192
WAYS: Final = 8
_MAGIC: Final = b"gati-limits-1\0\0\0"
_SECRET: Final = 32
_HEAD: Final = 4096
_FIELDS: Final = 3  # hash, end of the window (double), count: 8 bytes each
_SIZE: Final = _HEAD + SETS * WAYS * _FIELDS * 8
_LOCKS: Final = 256
_USERS: Final = 0  # the byte that everyone who has the file open holds
_KNOWN: Final = 16384
_PATIENCE: Final = 0.5
_PAUSE: Final = 0.0001
_call: Final = fcntl.fcntl
_SET_LOCK: Final = fcntl.F_OFD_SETLK
_log = structlog.get_logger("registry.limits")


@dataclass(slots=True)
class _Place:
    """Where a key is in the file: `at` is its entry when it was last seen, as an index of 8 bytes."""

    hash: int
    start: int
    at: int
    lock: bytes
    unlock: bytes


class SharedWindows:
    """The windows in the file at `path`, which the first process to open it makes anew. For one thread.

    `clock` is the same for all processes of the host, as `time.monotonic` is. While a lock cannot be had because its
    holder stands still, this process counts by itself.

    Raises:
        Unavailable: the file is none of ours, or has no room on its disk.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._spare = MemoryWindows(clock)
        self._stuck: set[bytes] = set()
        self._places: dict[tuple[Kind, str], _Place] = {}
        self._locks = [(area(fcntl.F_WRLCK, 1 + n, 1), area(fcntl.F_UNLCK, 1 + n, 1)) for n in range(_LOCKS)]
        self._file = open_own(path, os.O_CREAT)
        try:
            self._prepare(path)
            self._secret = os.pread(self._file, _SECRET, len(_MAGIC))
            self._map = mmap.mmap(self._file, _SIZE)
        except BaseException:
            os.close(self._file)
            raise
        self._numbers = memoryview(self._map).cast("Q")
        self._ends = memoryview(self._map).cast("d")

    def charge(self, kind: Kind, key: str, rate: Rate) -> Verdict:
        """See `Windows.charge`."""
        place = self._places.get((kind, key)) or self._place(kind, key)
        if not self._lock(place):
            return self._spare.charge(kind, key, rate)
        numbers, (limit, seconds) = self._numbers, rate
        try:
            now, at = self._clock(), place.at
            if numbers[at] != place.hash:
                at = self._claim(place)
            end, count = self._ends[at + 1], numbers[at + 2]
            if not now < end <= now + seconds:
                count = numbers[at + 2] = 0
                end = self._ends[at + 1] = now + seconds
            allowed = count < limit
            if allowed:
                count = numbers[at + 2] = count + 1
        finally:
            _call(self._file, _SET_LOCK, place.unlock)
        return verdict(rate, count, end - now, allowed=allowed)

    def peek(self, kind: Kind, key: str, rate: Rate) -> Verdict:
        """See `Windows.peek`."""
        place = self._places.get((kind, key)) or self._place(kind, key)
        if not self._lock(place):
            return self._spare.peek(kind, key, rate)
        try:
            now, at = self._clock(), self._find(place)
            end, count = (self._ends[at + 1], self._numbers[at + 2]) if at is not None else (0.0, 0)
        finally:
            _call(self._file, _SET_LOCK, place.unlock)
        if not now < end <= now + rate.seconds:
            return verdict(rate, 0, rate.seconds, allowed=True)
        return verdict(rate, count, end - now, allowed=count < rate.limit)

    def close(self) -> None:
        """Let go of the file."""
        self._numbers.release()
        self._ends.release()
        self._map.close()
        os.close(self._file)

    def _prepare(self, path: Path) -> None:
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            found = os.pread(self._file, len(_MAGIC), 0)
            is_ours = found == _MAGIC and os.fstat(self._file).st_size == _SIZE
            if found.startswith(_MAGIC[:12]) or not found:
                is_ours = self._make() or is_ours
            if not is_ours:
                raise Unavailable(f"{path} is not a file of this version: stop the registry and remove it.")
            try_lock(self._file, area(fcntl.F_RDLCK, _USERS, 1))
        except OSError as error:
            raise Unavailable(f"{path} cannot be used: {error.strerror}.") from error
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def _make(self) -> bool:
        """Write the file anew, unless another process has it open: windows of an earlier run mean nothing."""
        if not try_lock(self._file, area(fcntl.F_WRLCK, _USERS, 1)):
            return False
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, _MAGIC + secrets.token_bytes(_SECRET), 0)
        os.posix_fallocate(self._file, 0, _SIZE)  # a full disk must be met here, not in mapped memory
        return True

    def _place(self, kind: Kind, key: str) -> _Place:
        if len(self._places) >= _KNOWN:
            self._places.clear()
        text = f"{kind} {key}".encode("utf-8", "surrogatepass")
        number = int.from_bytes(blake2b(text, digest_size=8, key=self._secret).digest(), "big") or 1
        start = _HEAD // 8 + number % SETS * WAYS * _FIELDS
        place = _Place(number, start, start, *self._locks[number % _LOCKS])
        self._places[kind, key] = place
        return place

    def _find(self, place: _Place) -> int | None:
        """The entry of a key, under its lock."""
        for at in range(place.start, place.start + WAYS * _FIELDS, _FIELDS):
            if self._numbers[at] == place.hash:
                place.at = at
                return at
        return None

    def _claim(self, place: _Place) -> int:
        """The entry of a key, else that of the window in its set which ends first, emptied. Under its lock.

        A process may be killed between any two of the lines: the hash comes last.
        """
        found = self._find(place)
        if found is not None:
            return found
        at = place.at = min(
            range(place.start, place.start + WAYS * _FIELDS, _FIELDS), key=lambda one: self._ends[one + 1]
        )
        self._numbers[at] = self._numbers[at + 2] = 0
        self._ends[at + 1] = 0.0
        self._numbers[at] = place.hash
        return at

    def _lock(self, place: _Place) -> bool:
        """Whether the lock is held now."""
        try:
            _call(self._file, _SET_LOCK, place.lock)
        except BlockingIOError:
            return place.lock not in self._stuck and self._wait(place.lock)
        if self._stuck:
            self._stuck.discard(place.lock)
        return True

    def _wait(self, lock: bytes) -> bool:
        """Wait for a holder, which needs microseconds, unless the machine is busy or something stopped it."""
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until:
            os.sched_yield()
            if try_lock(self._file, lock):
                return True
            time.sleep(_PAUSE)
        self._stuck.add(lock)
        _log.warning("a process holds a lock of the rate limits and does not go on: this one counts by itself")
        return False
