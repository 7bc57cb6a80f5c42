"""Rounds: each row is measured with every contender in turn, several times, and each round begins with another one."""

import os
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from benchmarks.load import Absent, Latency, RequestFailed, TooSlow
from benchmarks.process_cost import Cost, Memory, Meter
from benchmarks.rows import Row, Sample
from benchmarks.stand import NotOffered, Stand

_WARM_SECONDS = 0.3
_WARM_SCALE = 0.02


@dataclass(slots=True)
class Outcome:
    """What one contender came to in one row; `reason` says why there is nothing, `failed` that there should be."""

    samples: list[Sample] = field(default_factory=list)
    costs: list[Cost] = field(default_factory=list)
    reason: str = ""
    failed: bool = False

    @property
    def values(self) -> list[float]:
        """The figures of all rounds, in the row's unit."""
        return [] if self.failed else [sample.value for sample in self.samples]

    @property
    def median(self) -> float | None:
        """The figure in the middle."""
        return median(self.values) if self.values else None

    @property
    def latency(self) -> Latency | None:
        """The median of each percentile over the rounds."""
        found = [sample.latency for sample in self.samples if sample.latency is not None]
        if not found or self.failed:
            return None
        middles = {name: median(getattr(one, name) for one in found) for name in ("p50", "p95", "p99", "max")}
        return Latency(jobs=sum(one.jobs for one in found), **middles)

    def cpu_per(self, amount: int, counted: str) -> float | None:
        """CPU seconds of the server for so many `requests` or `bytes`."""
        total = sum(getattr(sample, counted) for sample in self.samples)
        used = sum(cost.cpu for cost in self.costs)
        return used * amount / total if total and used else None

    @property
    def peak(self) -> Memory:
        """The most memory that was seen; nothing where the row asked another server."""
        found = Memory(0, 0)
        for sample, cost in zip(self.samples, self.costs, strict=True):
            found = found.most(cost.peak) if sample.requests else found
        return found

    @property
    def notes(self) -> list[str]:
        """What was said beside the figures, each once."""
        return list(dict.fromkeys(sample.note for sample in self.samples if sample.note))


@dataclass(slots=True)
class Results:
    """Outcomes by row and contender, ceilings that are no servers (MB/s), and what was left out."""

    outcomes: dict[str, dict[str, Outcome]] = field(default_factory=dict)
    ceilings: dict[str, float] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def failures(self) -> list[str]:
        """What should have been measured and was not."""
        return [
            f"{row}, {name}: {outcome.reason}"
            for row, outcomes in self.outcomes.items()
            for name, outcome in outcomes.items()
            if outcome.failed
        ]


def say(text: str) -> None:
    """Show how far the run is."""
    print(text, file=sys.stderr, flush=True)


def measure_all(rows: Iterable[Row], stands: Sequence[Stand], deadline: float, results: Results) -> None:
    """Measure the rows; those that are not begun by the deadline are left out."""
    reason = ""
    for row in rows:
        if time.monotonic() > deadline:
            reason = reason or "the time was up"
        if reason:
            results.left_out[row.name] = reason
            continue
        say(f"{row.name}: {row.title}")
        try:
            results.outcomes[row.name] = _measure(row, [stand for stand in stands if takes_part(row, stand)])
        except KeyboardInterrupt:
            results.left_out[row.name] = reason = "the run was interrupted"


def takes_part(row: Row, stand: Stand) -> bool:
    """Whether the contender is measured in this row."""
    if stand.is_ceiling:
        return row.ceiling == stand.contender.name
    if stand.contender.kind == "ours":
        return True
    return not row.ours_only and stand.contender.only == row.rival


def _measure(row: Row, stands: list[Stand]) -> dict[str, Outcome]:
    outcomes = {stand.contender.name: Outcome() for stand in stands}
    ready = [stand for stand in stands if _prepared(row, stand, outcomes[stand.contender.name])]
    rounds = min([stand.plan.rounds for stand in ready] or [0])
    for turn in range(1 if row.single else min(rounds, row.most_rounds)):
        first = turn % max(1, len(ready))
        for stand in ready[first:] + ready[:first]:
            outcome = outcomes[stand.contender.name]
            if not outcome.reason:
                stand.round = turn
                _try(row, stand, outcome)
    for name, outcome in outcomes.items():
        shown = outcome.reason or ", ".join(f"{value:,.1f}" for value in outcome.values)
        say(f"  {name}: {shown} {'' if outcome.reason else row.unit}")
    return outcomes


def _prepared(row: Row, stand: Stand, outcome: Outcome) -> bool:
    if row.needs_accounts and not stand.contender.accounts.credential:
        outcome.reason = "needs accounts"
        return False
    try:
        row.prepare(stand)
        if not (row.single or row.writes or row.cold):
            _warm(row, stand)
    except Exception as error:  # noqa: BLE001 - whatever breaks one row must not take the others with it
        _give_up(outcome, error)
    return not outcome.reason


def _warm(row: Row, stand: Stand) -> None:
    full = stand.plan
    stand.plan = replace(full, seconds=_WARM_SECONDS, scale=_WARM_SCALE)
    try:
        row.measure(stand)
    finally:
        stand.plan = full


def _try(row: Row, stand: Stand, outcome: Outcome) -> None:
    if row.writes:
        os.sync()
    try:
        with Meter(stand.contender.server) as meter:
            sample = row.measure(stand)
    except Exception as error:  # noqa: BLE001 - the same
        _give_up(outcome, error)
        return
    outcome.samples.append(sample)
    outcome.costs.append(meter.cost)


def _give_up(outcome: Outcome, error: Exception) -> None:
    harmless = isinstance(error, NotOffered | Absent | TooSlow)
    known = harmless or isinstance(error, RequestFailed)
    outcome.reason = str(error) if known else f"{type(error).__name__}: {error}"
    outcome.failed = not harmless
