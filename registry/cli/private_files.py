"""Files that only their owner may read, written whole or not at all, by one process at a time."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from registry.cli.problems import Problem

_LARGEST: Final = 8 << 20


def read(path: Path) -> bytes | None:
    """The content of a file, None when there is none.

    Raises:
        Problem: it cannot be read, or is far too large to be one of these.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Problem(f"{path} cannot be read: {error.strerror}.") from error
    if len(content) > _LARGEST:
        raise Problem(f"{path} is larger than {_LARGEST >> 20} MiB: it is none of the files that it should be.")
    return content


def is_open_to_others(path: Path) -> bool:
    """Whether others than its owner may read or change a file that is there."""
    try:
        return bool(path.stat().st_mode & 0o077)
    except FileNotFoundError:
        return False


def write(path: Path, content: bytes) -> None:
    """Put `content` in the place of a file, durable and with mode 0600; a symbolic link stays one.

    Raises:
        Problem: it cannot be written; what was there still is.
    """
    target = path.resolve()
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(draft).replace(target)
        except BaseException:
            with suppress(OSError):
                Path(draft).unlink()
            raise
    except OSError as error:
        raise Problem(f"{path} cannot be written: {error.strerror}.") from error


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep every other `gati` of this user out of what is kept in `folder`.

    Raises:
        Problem: the lock cannot be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Problem(f"{folder}/lock cannot be made: {error.strerror}.") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
