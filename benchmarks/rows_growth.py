"""Growth: the same reads on databases of more and more manifests. Flat is the goal."""

import random
import time
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
_COUNTED_SECONDS: Final = 11.0
"""What a session of PostgreSQL that has nothing to do may wait before it adds to the counters, and one more."""
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
    "catalog": lambda _: get("/v2/_catalog?n=10"),
}
"""Each read, of what was chosen at random: number, digest of the manifest, digest of the blob."""


def _grow(stand: Stand) -> tuple[Figures, growth.Looked]:
    """The figures of all sizes, and the plans at the largest."""
    with room(stand) as folder:
        with started(stand, folder, contenders.ours()):
            database.work(folder, growth.watch_statements)
        with started(stand, folder, contenders.ours()) as fresh:
            database.work(folder, growth.forget_statements)
            figures = {}
            for have, size in pairwise((0, *stand.plan.growth)):
                database.work(folder, partial(growth.fill, have=have, want=size))
                before = database.work(folder, growth.scans)
                figures[size] = _read(fresh, folder, size)
            time.sleep(_COUNTED_SECONDS)
            looked = database.work(folder, partial(growth.look_at_plans, before=before))
    return figures, looked


def _read(stand: Stand, folder: Path, size: int) -> dict[str, float]:
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


def _grown(stand: Stand) -> tuple[Figures, growth.Looked]:
    return stand.once("growth", lambda: _grow(stand))


def _figure(stand: Stand, read: str) -> Sample:
    """How much of the speed at the smallest size is left at the largest."""
    figures, _ = _grown(stand)
    shown = ", ".join(f"{size:,}: {found[read]:,.0f}/s" for size, found in figures.items())
    return Sample(value=figures[max(figures)][read] / figures[min(figures)][read], note=f"manifests: {shown}")


def _plans(stand: Stand) -> Sample:
    """How many of the statements behind these reads do or would read a large table from end to end."""
    _, looked = _grown(stand)
    note = f"of {looked.explained} statements that were explained, {looked.unexplained} could not be"
    return Sample(value=len(looked.found), note="; ".join([note, *looked.found]))


ROWS: Final = (
    *(
        Row(
            name=f"growth-{read}",
            title=f"growth: {read}, speed with the most manifests to that with the fewest",
            unit="of 1",
            measure=partial(_figure, read=read),
            ours_only=True,
            single=True,
        )
        for read in READS
    ),
    Row(
        name="growth-plans",
        title="growth: statements that read a table of over 5,000 rows from end to end",
        unit="statements",
        measure=_plans,
        ours_only=True,
        single=True,
        lower_is_better=True,
    ),
)
"""The rows of this file."""
