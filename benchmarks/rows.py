"""What a row is, and what one measurement of it comes to."""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.load import Figures, Latency
from benchmarks.stand import Stand


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One measurement: its `value` in the row's unit, and what it took.

    `requests` and `bytes` are what the server's CPU seconds are divided by; 0 where that says nothing.
    """

    value: float
    requests: int = 0
    bytes: int = 0
    latency: Latency | None = None
    note: str = ""


def nothing(_: Stand) -> None:
    """What a row prepares that needs nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table.

    `prepare` pushes what is measured, once for each contender; for a ceiling it puts the same bytes as files, and is
    called only where `ceiling` is nginx. `measure` may raise NotOffered. `quick` rows are part of the quick run.
    A `single` row is measured once, a `writes` row after everything that is on its way to the disk has arrived there.
    These two and a `cold` row are not run once before they count. `size` is that of the largest blob; `most_rounds`
    cuts what takes long and varies little. Where there is a `rival`, it is the one peer that takes part.
    """

    name: str
    title: str
    unit: str
    measure: Callable[[Stand], Sample]
    prepare: Callable[[Stand], None] = nothing
    ceiling: str = ""
    size: int = 0
    quick: bool = False
    lower_is_better: bool = False
    ours_only: bool = False
    needs_accounts: bool = False
    single: bool = False
    cold: bool = False
    most_rounds: int = 100
    writes: bool = False
    rival: str = ""


def rate(figures: Figures, group: int = 0) -> Sample:
    """Jobs a second."""
    return Sample(value=figures.jobs / figures.seconds, requests=figures.requests, latency=figures.groups[group])


def throughput(figures: Figures, size: int) -> Sample:
    """MB a second, where each job moved `size` bytes."""
    moved = figures.jobs * size
    return Sample(
        value=moved / figures.seconds / 1e6, requests=figures.requests, bytes=moved, latency=figures.groups[0]
    )
