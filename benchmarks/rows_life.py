"""Starts, memory, and what the sweep costs: rows that start registries of their own."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from benchmarks import contenders, database, script
from benchmarks.contenders import Contender
from benchmarks.content import small_blob
from benchmarks.load import Load, RequestFailed
from benchmarks.plan import GIB
from benchmarks.process_cost import Meter, memory
from benchmarks.rows import Row, Sample
from benchmarks.rows_reads import BY_TAG, Stored, push_image
from benchmarks.rows_uploads import Upload
from benchmarks.script import get, job
from benchmarks.stand import NotOffered, Stand

_IDLE_SECONDS: Final = 3.0
_PASSES: Final = 4
_QUIET: Final = 4
"""Connections of a load that leaves the server time to do something else."""
_WAITING: Final = {"JOBS": "off", "GRACE": "1s"}
_SWEEPING: Final = {"JOBS": "inline", "GRACE": "1s", "SWEEP_INTERVAL": "1s"}
_REPOSITORIES: Final = 100
_PART: Final = 5
"""A sweep of this part is long enough to read beside it."""


@contextmanager
def room(stand: Stand) -> Iterator[Path]:
    """A folder for a data directory."""
    folder = Path(tempfile.mkdtemp(prefix="more-", dir=stand.folder))
    try:
        yield folder / "data"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def started(stand: Stand, folder: Path, starter: contenders.Starter | None = None) -> Iterator[Stand]:
    """Another server like the contender, or of this starter, on the folder; and all to measure it.

    Raises:
        NotOffered: the contender was not started here.
    """
    start = starter or stand.contender.start
    if start is None:
        raise NotOffered("not started here")
    contender = start(folder)
    try:
        yield Stand(contender, stand.plan, stand.body, stand.generator, stand.folder)
    finally:
        contender.stop()


def _time(contender: Contender) -> Sample:
    return Sample(value=contender.started_in)


def _cold(stand: Stand) -> Sample:
    """From nothing to the first 200."""
    with room(stand) as folder, started(stand, folder) as fresh:
        return _time(fresh.contender)


def _warm(stand: Stand) -> Sample:
    """The same on a data directory that was used before."""
    with room(stand) as folder:
        with started(stand, folder) as first:
            push_image(first)
        with started(stand, folder) as second:
            return _time(second.contender)


@contextmanager
def _fresh(stand: Stand) -> Iterator[Stand]:
    """A server that has done nothing yet; one that was given as it is."""
    if stand.contender.start is None:
        yield stand
        return
    with _alone(stand.contender), room(stand) as folder, started(stand, folder) as fresh:
        yield fresh


@contextmanager
def _alone(contender: Contender) -> Iterator[None]:
    """Stop the server for a while: another like it shares its pages, and PSS would count them by halves."""
    assert contender.start is not None  # noqa: S101 - asked before
    assert contender.folder is not None  # noqa: S101 - the same
    contender.stop()
    try:
        yield
    finally:
        again = contender.start(contender.folder)
        contender.port, contender.process, contender.server = again.port, again.process, again.server


def _idle(stand: Stand) -> Sample:
    """Memory of all processes once nothing is asked any more."""
    with _fresh(stand) as fresh:
        push_image(fresh)
        time.sleep(_IDLE_SECONDS)
        pids = fresh.contender.server.processes()
        if not pids:
            raise NotOffered("its process is not known")
        found = memory(pids)
        return Sample(value=found.pss / 1e6, note=f"RSS {found.rss / 1e6:.0f} MB, processes: {len(pids)}")


def _passing(stand: Stand) -> Sample:
    """The most memory while 5 GiB pass: one up, four down."""
    with _fresh(stand) as fresh:
        if not fresh.contender.server.processes():
            raise NotOffered("its process is not known")
        fresh.plan = replace(fresh.plan, scale=1.0)
        with Meter(fresh.contender.server) as meter:
            Upload(GIB, 1).measure(fresh)
            stored = Stored(GIB)
            stored.push(fresh)
            stored.download(fresh, _PASSES - 1)
        return Sample(value=meter.cost.peak.pss / 1e6, note=f"RSS {meter.cost.peak.rss / 1e6:.0f} MB")


def _litter(stand: Stand, count: int) -> None:
    """Push blobs that nothing refers to, and let their grace pass."""
    jobs = [
        job(*script.put_small_blob(f"swept/r{n % _REPOSITORIES}", small_blob(f"swept {n}", 64))) for n in range(count)
    ]
    stand.push("swept", jobs, 16)
    time.sleep(1.5)


def _sweep(stand: Stand) -> Sample:
    """One pass of `gati-registry sweep` over unreferenced blobs, with nothing else to do."""
    count = stand.plan.swept
    with room(stand) as folder, started(stand, folder, contenders.ours(settings=_WAITING)) as fresh:
        _litter(fresh, count)
        environ = os.environ | {"GATI_DATA_DIR": str(folder)} | _WAITING
        begun = time.monotonic()
        command = [sys.executable, "-m", "registry", "sweep"]
        done = subprocess.run(command, cwd=contenders.ROOT, env=environ, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - begun
        if done.returncode != 0:
            raise RequestFailed(f"gati-registry sweep: {done.stderr[-300:]}")
        return Sample(value=count / seconds, note=f"{count:,} blobs in {seconds:.1f} s: {done.stdout.strip()}")


def _during_sweep(stand: Stand) -> Sample:
    """Reads while the server itself sweeps; the p95 of the same reads with nothing else to do is in the note."""
    with room(stand) as folder:
        with started(stand, folder, contenders.ours(settings=_WAITING)) as quiet:
            push_image(quiet)
            before = _quiet_reads(quiet)
            _litter(quiet, max(1, stand.plan.swept // _PART))
        with started(stand, folder, contenders.ours(settings=_SWEEPING)) as busy:
            during = _quiet_reads(busy)
            left = database.value(folder, "SELECT count(*) FROM review WHERE due <= clock_timestamp()")
    assert before.latency is not None  # noqa: S101 - a load has latencies
    assert during.latency is not None  # noqa: S101 - the same
    ended = "" if left else "; the sweep ended before the reads did"
    note = f"without a sweep: p95 {before.latency.p95:.2f} ms, p99 {before.latency.p99:.2f} ms{ended}"
    return replace(during, value=during.latency.p95, requests=0, note=note)


def _quiet_reads(stand: Stand) -> Sample:
    load = Load(jobs=[job(get(BY_TAG))], connections=_QUIET, order="cycle", seconds=2 * stand.plan.seconds)
    figures = stand.run(load)
    return Sample(value=0.0, requests=figures.requests, latency=figures.groups[0])


ROWS: Final = (
    Row(
        name="start-cold",
        title="start on nothing, to the first 200",
        unit="s",
        measure=_cold,
        lower_is_better=True,
        cold=True,
        most_rounds=3,
    ),
    Row(
        name="start-warm",
        title="start on used data",
        unit="s",
        measure=_warm,
        lower_is_better=True,
        cold=True,
        most_rounds=3,
    ),
    Row(
        name="memory-idle",
        title="memory of all processes, idle (PSS)",
        unit="MB",
        measure=_idle,
        lower_is_better=True,
        single=True,
        quick=True,
    ),
    Row(
        name="memory-5g",
        title="memory while 5 GiB pass through (peak PSS)",
        unit="MB",
        measure=_passing,
        lower_is_better=True,
        single=True,
        size=GIB,
    ),
    Row(
        name="latency-sweep",
        title="GET manifest during a sweep, 4 connections, p95",
        unit="ms",
        measure=_during_sweep,
        ours_only=True,
        single=True,
        lower_is_better=True,
    ),
    Row(
        name="sweep",
        title="sweep of unreferenced blobs",
        unit="blobs/s",
        measure=_sweep,
        ours_only=True,
        single=True,
    ),
)
"""The rows of this file."""
