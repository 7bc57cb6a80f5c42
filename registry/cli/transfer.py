"""Many blobs at once. The first error ends all; what came of the others counts the next time."""

import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from registry.cli.oci import Oci
from registry.cli.progress import Bars
from registry.cli.wire import Halted

PARALLEL: Final = 8
_GRACE: Final = 5.0
_TICK: Final = 0.2


@dataclass(frozen=True, slots=True)
class Blob:
    """What is to be pushed; `open` gives a new file of it, at its start, and `title` is what a person calls it."""

    digest: str
    size: int
    open: Callable[[], BinaryIO]
    title: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be fetched: the blob of a repository, into a file."""

    repository: str
    digest: str
    size: int
    into: Path
    title: str = ""


def push_all(oci: Oci, repository: str, blobs: Sequence[Blob], bars: Bars) -> None:
    """Have a repository hold all of these, each sent once.

    Raises:
        Problem: the first that went wrong.
        KeyboardInterrupt: the user stopped it; the same command goes on where it was.
    """

    def job(blob: Blob) -> Callable[[], None]:
        moved = bars.add(blob.title or blob.digest[:19], blob.size)
        return lambda: oci.push_blob(repository, blob.digest, blob.size, blob.open, moved)

    run_all([job(blob) for blob in {blob.digest: blob for blob in blobs}.values()], oci.halt)


def pull_all(oci: Oci, wanted: Sequence[Wanted], bars: Bars) -> None:
    """Fetch all of these, each file once.

    Raises:
        as `push_all`.
    """

    def job(one: Wanted) -> Callable[[], None]:
        moved = bars.add(one.title or one.digest[:19], one.size)
        return lambda: oci.pull_blob(one.repository, one.digest, one.size, one.into, moved)

    run_all([job(one) for one in {one.into: one for one in wanted}.values()], oci.halt)


def run_all(jobs: Sequence[Callable[[], None]], halt: Callable[[], None], parallel: int = PARALLEL) -> None:
    """Do all jobs, some at once; `halt` is called when one fails or the user interrupts, and ends the others."""
    waiting: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
    for job in jobs:
        waiting.put(job)
    errors: list[BaseException] = []

    def work() -> None:
        with suppress(queue.Empty, Halted):
            while not errors:
                try:
                    waiting.get_nowait()()
                except (queue.Empty, Halted):
                    raise
                except BaseException as error:  # noqa: BLE001 - it is raised again where the user is
                    errors.append(error)
                    halt()

    # No thread may keep the process from ending: a read from a registry that says nothing cannot be interrupted.
    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(parallel, len(jobs)))]
    for thread in threads:
        thread.start()
    try:
        _join(threads)
    except KeyboardInterrupt:
        halt()
        for thread in threads:
            thread.join(_GRACE / len(threads))
        raise
    if errors:
        raise errors[0]


def _join(threads: Sequence[threading.Thread]) -> None:
    for thread in threads:
        while thread.is_alive():
            thread.join(_TICK)
