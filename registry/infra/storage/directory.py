"""Blobs in a directory: written to a temporary file, synced, renamed, the directory synced.

Blocking calls run in threads; small pieces are written where they stand.
"""

import asyncio
import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import structlog

from registry.core.errors import StorageFull, Unavailable
from registry.infra.storage.hashing import Hasher
from registry.infra.storage.keys import BLOBS, UPLOADS, check_key, folders, upload_key
from registry.infra.storage.writeback import start_writeback
from registry.infra.uncancelled import to_its_end

PIECE: Final = 512 * 1024
_INLINE: Final = 64 * 1024
_LOOK: Final = 8 << 20
_LOCK_SECONDS: Final = 10.0
_LOCK_PAUSE: Final = 0.05
_UNWRITABLE: Final = "The storage cannot be written: its disk is not mounted, read-only, or somebody else's."
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NO_FILES: Final = frozenset({errno.EMFILE, errno.ENFILE})
T = TypeVar("T")
_log = structlog.get_logger("registry.storage")


def translate(error: OSError) -> Exception:
    """The refusal that an operating-system error is for the client; itself where it is none."""
    if error.errno in _FULL:
        return StorageFull("The storage is full: free space, then repeat the upload.")
    if error.errno in _NO_FILES:
        return Unavailable("Too many files are open; try again shortly.")
    return error


class UploadFile:
    """The file of one upload under its lock; `offset` bytes are in it, all of them hashed by `hasher`."""

    def __init__(self, store: "DirectoryStore", descriptor: int, offset: int, hasher: Hasher) -> None:
        self._store = store
        self._descriptor = descriptor
        self._pending = bytearray()
        self._begun = self._look_at = offset
        self.hasher = hasher
        self.offset = offset

    @property
    def length(self) -> int:
        """Bytes taken in, those not yet written included."""
        return self.offset + len(self._pending)

    async def write(self, data: bytes) -> None:
        """Take in `data`, in order.

        Raises:
            StorageFull: the disk is full, or its reserve begins.
        """
        self._pending += data
        if len(self._pending) >= PIECE:
            await self.flush()

    async def flush(self) -> None:
        """Write and hash what `write` holds back."""
        if not self._pending:
            return
        piece, self._pending = bytes(self._pending), bytearray()
        if len(piece) <= _INLINE:
            self.put(memoryview(piece))
        else:
            await _in_thread(self.put, memoryview(piece))

    def put(self, piece: memoryview) -> None:
        """Write and hash a piece, in any thread; nothing may be held back by `write`.

        Raises:
            StorageFull: the disk is full, or its reserve begins.
        """
        view, at = piece, self.offset
        if at >= self._look_at:
            self._look(at, len(piece))
        try:
            while view:
                written = os.pwrite(self._descriptor, view, at)
                view, at = view[written:], at + written
        except OSError as error:
            raise translate(error) from error
        self.hasher.update(piece)
        self.offset = at

    def _look(self, at: int, wanted: int) -> None:
        """From time to time: is there room, and can the disk begin with what is there?"""
        self._store.check_room(wanted)
        start_writeback(self._descriptor, self._begun, at - self._begun)
        self._begun, self._look_at = at, at + _LOOK

    async def settle(self) -> None:
        """Write what is held back, and let the disk begin with it."""
        await self.flush()
        await _in_thread(start_writeback, self._descriptor, self._begun, self.offset - self._begun)

    async def sync(self) -> None:
        """Make all bytes durable; where that fails none stays, for a second try would succeed without those lost.

        Raises:
            StorageFull: as `write`; some file systems tell only now.
            OSError: what the disk says.
        """
        await self.flush()
        try:
            await _in_thread(os.fdatasync, self._descriptor)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, 0)
            raise translate(error) from error

    async def read_again(self, algorithm: str) -> Hasher:
        """A hasher of `algorithm` over everything stored."""
        await self.flush()
        return await _in_thread(_rehash, self._descriptor, algorithm, self.offset)


async def _in_thread(call: Callable[..., T], *arguments: Any) -> T:
    """The result of a call in a thread, which has left when this ends."""
    return await to_its_end(asyncio.to_thread(call, *arguments))


def _rehash(descriptor: int, algorithm: str, length: int) -> Hasher:
    hasher, at = Hasher(algorithm), 0
    while at < length:
        piece = os.pread(descriptor, min(PIECE, length - at), at)
        if not piece:
            break
        hasher.update(piece)
        at += len(piece)
    return hasher


class DirectoryStore:
    """Objects below `root`; `reserve` bytes of its disk stay free."""

    def __init__(self, root: Path, reserve: int) -> None:
        self.root = root
        self._uploads = root / UPLOADS
        self._reserve = reserve
        self._synced: set[Path] = set()

    def prepare(self) -> None:
        """Make the folders, for the owner alone, durably: a blob is synced with the two folders above it."""
        made = [self.root / folder for folder in folders()]
        for folder in (self.root, *made):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in {folder.parent for folder in made}:
            _sync_directory(folder)

    def path(self, key: str) -> Path:
        """The file of a legal key."""
        return self.root / check_key(key)

    def free(self) -> int:
        """Bytes free for ordinary users of the disk.

        Raises:
            Unavailable: uploads cannot be written; a disk that is not mounted leaves an empty folder in its place.
        """
        if not os.access(self._uploads, os.W_OK | os.X_OK):
            raise Unavailable(_UNWRITABLE)
        found = os.statvfs(self._uploads)
        return found.f_bavail * found.f_frsize

    def check_room(self, wanted: int = 0) -> None:
        """Refuse with `StorageFull` when `wanted` bytes would reach into the reserve."""
        if self.free() - wanted < self._reserve:
            raise StorageFull("The storage has only its reserve left: free space, then repeat the upload.")

    @asynccontextmanager
    async def locked(self, upload_id: str, key: str | None = None) -> AsyncIterator[int]:
        """A descriptor of the file of an upload, locked for one writer, until the process ends at the latest.

        Without `key` the file is made when absent; with it, it lies there or, sealed, under `key`.

        Raises:
            FileNotFoundError: it lies nowhere.
            Unavailable: another request holds the file for ten seconds, or the storage is gone.
        """
        descriptor = self._open_upload(self.path(upload_key(upload_id)), self.path(key) if key else None)
        try:
            await _lock(descriptor)
            yield descriptor
        finally:
            os.close(descriptor)

    def _open_upload(self, path: Path, sealed: Path | None) -> int:
        flags = os.O_RDWR | os.O_CLOEXEC
        try:
            if sealed is None:
                return os.open(path, flags | os.O_CREAT, 0o600)
            try:
                return os.open(path, flags)
            except FileNotFoundError:
                return os.open(sealed, flags)
        except OSError as error:
            raise self._refusal(error) from error

    def _refusal(self, error: OSError) -> Exception:
        if isinstance(error, FileNotFoundError) and not self._uploads.exists():
            return Unavailable(_UNWRITABLE)
        return translate(error)

    @contextmanager
    def idle(self, keys: Iterable[str]) -> Iterator[bool]:
        """Whether nobody holds an upload whose bytes lie under one of `keys`; nobody will until this context ends."""
        with ExitStack() as held:
            try:
                for key in keys:
                    self._hold(held, self.path(key))
            except BlockingIOError:
                yield False
            else:
                yield True

    def _hold(self, held: ExitStack, path: Path) -> None:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        held.callback(os.close, descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    async def begin(self, descriptor: int, offset: int, hasher: Hasher | None, algorithm: str) -> UploadFile:
        """The locked file, cut to `offset`. Without a fitting `hasher` the stored bytes are read again.

        A file shorter than `offset` (a crash of the machine) sets the upload back to what is there.
        """
        size = os.fstat(descriptor).st_size
        if size > offset:
            os.ftruncate(descriptor, offset)
        file = UploadFile(self, descriptor, min(size, offset), hasher or Hasher(algorithm))
        if file.hasher.length != file.offset:
            file.hasher = await file.read_again(algorithm)
        return file

    async def seal(self, upload_id: str, key: str) -> None:
        """Move a synced upload to its blob key, durably; one that was moved before is made durable."""
        try:
            await _in_thread(self._seal, self.path(upload_key(upload_id)), self.path(key))
        except OSError as error:
            raise translate(error) from error

    def _seal(self, source: Path, target: Path) -> None:
        folder = target.parent
        if folder not in self._synced:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _sync_directory(folder.parent)
            self._synced.add(folder)
        try:
            source.rename(target)
        except FileNotFoundError:
            if not target.exists():
                self._synced.discard(folder)
                raise
        _sync_directory(folder)

    def holds(self, key: str) -> bool:
        """Whether the object is there."""
        return self.path(key).exists()

    def open(self, key: str) -> int:
        """A descriptor to read the object; the caller closes it.

        Raises:
            FileNotFoundError: the object is not there.
            Unavailable: too many files are open, or the storage is gone.
        """
        try:
            return os.open(self.path(key), os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise self._refusal(error) from error

    def piece(self, key: str, start: int, size: int) -> bytes:
        """At most `size` bytes of an object, to be read in a thread.

        Raises:
            as `open`.
        """
        descriptor = self.open(key)
        try:
            return os.pread(descriptor, size, start)
        finally:
            os.close(descriptor)

    async def read(self, key: str, start: int, size: int) -> bytes:
        """At most `size` bytes of an object; a thread waits for the disk, if they are not in memory.

        Raises:
            as `open`.
        """
        descriptor = self.open(key)
        try:
            piece = bytearray(size)
            try:
                count = os.preadv(descriptor, [piece], start, os.RWF_NOWAIT)
            except OSError:  # not in memory, or a file system that cannot tell
                count = 0
            if count == size:
                return bytes(piece)
            return await _in_thread(os.pread, descriptor, size, start)
        finally:
            os.close(descriptor)

    async def unlink(self, key: str) -> bool:
        """Remove an object; True when it is gone, False while an upload's writer or a sick or absent disk holds it."""
        try:
            return await asyncio.to_thread(self._unlink, self.path(key), key.startswith(UPLOADS))
        except OSError as error:
            _log.warning("object stays", key=key, reason=error.strerror)
            return False

    def _unlink(self, path: Path, locked: bool) -> bool:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return self._uploads.exists()
        try:
            if locked:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
        except BlockingIOError:
            return False
        finally:
            os.close(descriptor)
        return True

    def keys(self) -> Iterator[tuple[str, int, float]]:
        """Every object: key, size in bytes, time of its last change in seconds since the epoch."""
        for folder in (UPLOADS, BLOBS):
            for path in (self.root / folder).rglob("*"):
                try:
                    found = path.lstat()
                except FileNotFoundError:  # moved or removed since it was listed
                    continue
                if stat.S_ISREG(found.st_mode):
                    yield path.relative_to(self.root).as_posix(), found.st_size, found.st_mtime


async def _lock(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if loop.time() > deadline:
                raise Unavailable("Another request is writing to this upload.", headers={"Retry-After": "5"}) from None
            await asyncio.sleep(_LOCK_PAUSE)
        else:
            return


def _sync_directory(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
