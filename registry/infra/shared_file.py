"""A file that processes of this host have open at once, and locks on bytes of it that end with their holder."""

import fcntl
import os
import stat
import struct
from pathlib import Path

from registry.core.errors import Unavailable


def open_own(path: Path, flags: int = 0) -> int:
    """A descriptor of the regular file at `path`, never of what a link there points to.

    Raises:
        FileNotFoundError: there is none, and `flags` do not make it.
        Unavailable: it is none, or not to be opened.
    """
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | flags, 0o600)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Unavailable(f"{path} cannot be used: {error.strerror}.") from error
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise Unavailable(f"{path} cannot be used: it is no file.")
    return file


def area(kind: int, start: int, length: int) -> bytes:
    """`struct flock`: that many bytes from `start` on, for a lock of `kind` (F_RDLCK, F_WRLCK, F_UNLCK)."""
    return struct.pack("hhqqi4x", kind, os.SEEK_SET, start, length, 0)


def try_lock(file: int, wanted: bytes) -> bool:
    """Lock or unlock an area for this opening of the file, whose end undoes it; False where another holds it."""
    try:
        fcntl.fcntl(file, fcntl.F_OFD_SETLK, wanted)
    except BlockingIOError:
        return False
    return True
