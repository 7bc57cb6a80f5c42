"""Bars of what is moved, on a terminal that a person looks at."""

import importlib
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from registry.cli.output import Output, printable

if TYPE_CHECKING:
    from rich.progress import Progress

_MODULE: Final = f"{__name__.rpartition('.')[0]}.drawn"
"""It is loaded when a bar is shown: what it needs takes a tenth of a second."""


class Bars:
    """A bar for each thing that is moved; silent with `--quiet`, `--json` and where nobody looks. Safe for threads."""

    def __init__(self, out: Output) -> None:
        self._is_shown = not (out.quiet or out.as_json) and sys.stderr.isatty()
        self._progress: Progress | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        if self._is_shown:
            self._progress = importlib.import_module(_MODULE).progress()
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def add(self, title: str, total: int) -> Callable[[int], None]:
        """A bar of `total` bytes; what is returned is told how many more are moved, or less than none."""
        progress = self._progress
        if progress is None:
            return lambda _: None
        with self._lock:
            task = progress.add_task(printable(title)[:40], total=total)
        return lambda count: progress.advance(task, count)
