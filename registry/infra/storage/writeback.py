"""Lets the kernel begin to write a file back while more of it comes, so that the sync at its end is short."""

import contextlib
import ctypes
from typing import Any, Final

_WRITE: Final = 2  # SYNC_FILE_RANGE_WRITE of sync_file_range(2)


def _load() -> Any:
    with contextlib.suppress(OSError, AttributeError):
        call = ctypes.CDLL(None).sync_file_range
        call.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
        return call
    return None


_CALL: Final = _load()


def start_writeback(descriptor: int, start: int, length: int) -> None:
    """Begin, and do not wait; nothing where the system has no such call."""
    if _CALL is not None:
        _CALL(descriptor, start, length, _WRITE)
