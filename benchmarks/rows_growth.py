"""Growth: the same reads on databases of more and more manifests. Flat is the goal."""

import random
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Final

from benchmarks import contenders, database, growth
from benchmarks.load import Load
from benchmarks.rows import Row, Sample
from benchmarks.rows_life import room, started
from benchmarks.script import Request, get, head, numbered
from benchmarks.stand import Stand

_SAMPLE: Final = 2_000
_Key = tuple[int, str, str]
Figures = dict[int, dict[str, float]]
"""Requests a second, by number of manifests and by read."""


def _repository(number: int) -> str:
    return f"/v2/growth/r{number // growth.SHARE}"


READS: Final[dict[str, Callable[[_Key], Request]]] = {
    "manifest-get": lambda key: get(f"{_repository(key[0])}/manifests/t{key[0] % growth.SHARE}"),
    "manifest-get-digest": lambda key: get(f"{_repository(key[0])}/manifests/{key[1]}"),
    "manifest-head": lambda key: head(f"{_repository(key[0])}/manifests/t{key[0] % growth.SHARE}"),
    "blob-head": lambda key: head(f"{_repository(key[0])}/blobs/{key[2]}"),
    "tags": lambda key: get(f"{_repository(key[0])}/tags/list"),
    "referrers": lambda key: get(f"{_repository(key[0])}/referrers/{key[1]}"),
    "catalog": lambda _: get("/v2/_catalog?n=1000"),
}
"""Each read, of what was chosen at random: number, digest of the manifest, digest of the blob."""


def _grow(stand: Stand) -> tuple[Figures, str]:
    """The figures of all sizes, and what is to be said of the plans at the largest."""
    with room(stand) as folder:
        with started(stand, folder, contenders.ours()):
            database.work(folder, growth.watch_statements)
        with started(stand, folder, contenders.ours()) as fresh:
            database.work(folder, growth.forget_statements)
            sizes = (0, *stand.plan.growth)
            figures = {size: _measure(fresh, folder, have, size) for have, size in pairwise(sizes)}
            return figures, _plans(folder)


def _measure(stand: Stand, folder: Path, have: int, size: int) -> dict[str, float]:
    database.work(folder, lambda connection: growth.fill(connection, have, size))
    numbers = random.Random(size).sample(range(size), min(size, _SAMPLE))  # noqa: S311 - a choice, not a secret
    found = database.work(folder, lambda connection: growth.keys(connection, numbers))
    keys = [(number, *digests) for number, digests in zip(numbers, found, strict=True)]
    figures = {}
    for name, read in READS.items():
        jobs = numbered([read(key) for key in keys])
        load = Load(jobs=jobs, connections=stand.plan.connections, order="random", seconds=stand.plan.seconds)
        done = stand.run(load, "")
        figures[name] = done.jobs / done.seconds
    return figures


def _plans(folder: Path) -> str:
    seen, found = database.work(folder, growth.long_scans)
    if not found:
        return f"none of {seen} statements reads a large table from end to end"
    return f"{len(found)} of {seen} statements read a large table from end to end: {'; '.join(found)}"


def _figure(stand: Stand, read: str) -> Sample:
    """How much of the speed at the smallest size is left at the largest."""
    figures, plans = stand.once("growth", lambda: _grow(stand))
    shown = ", ".join(f"{size:,}: {found[read]:,.0f}/s" for size, found in figures.items())
    smallest, largest = min(figures), max(figures)
    return Sample(value=figures[largest][read] / figures[smallest][read], note=f"{shown}. At the largest, {plans}")


ROWS: Final = tuple(
    Row(
        name=f"growth-{read}",
        title=f"growth: {read}, speed with the most manifests to that with the fewest",
        unit="of 1",
        measure=partial(_figure, read=read),
        ours_only=True,
        single=True,
    )
    for read in READS
)
"""The rows of this file."""
