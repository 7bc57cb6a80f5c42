"""The results as Markdown and as JSON."""

import json
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from benchmarks.contenders import DISTRIBUTION, OURS, Contender
from benchmarks.measure import Outcome, Results
from benchmarks.plan import Plan
from benchmarks.rows import Row
from benchmarks.targets import CPU_PER_GB, CPU_RATIOS, ESTIMATES, LIMITS, TARGETS, Target

_NONE: Final = "-"
FASTEST: Final = "zot"
"""The peer whose figure is estimated where it takes no part."""


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that is written."""

    plan: Plan
    rows: Sequence[Row]
    contenders: Sequence[Contender]
    results: Results

    def outcome(self, row: str, name: str) -> Outcome | None:
        """What a contender came to in a row."""
        return self.results.outcomes.get(row, {}).get(name)

    def peers(self, row: Row) -> dict[str, float]:
        """The medians of the peers."""
        found = ((one.name, self.outcome(row.name, one.name)) for one in self.contenders if one.kind == "peer")
        return {name: value for name, outcome in found if outcome and (value := outcome.median) is not None}

    def best(self, row: Row) -> tuple[str, float] | None:
        """The best peer and its median."""
        peers = self.peers(row)
        if not peers:
            return None
        name = (min if row.lower_is_better else max)(peers, key=lambda one: peers[one])
        return name, peers[name]

    def estimated(self, row: Row) -> float | None:
        """The bar after distribution's figure of this run; None where the fastest peer takes part, or none is known."""
        estimate = ESTIMATES.get(row.name)
        if estimate is None or any(one.name == FASTEST for one in self.contenders):
            return None
        base = self.outcome(estimate.base, DISTRIBUTION)
        return base.median * estimate.factor if base and base.median else None

    def ceiling(self, row: Row) -> float | None:
        """What the row cannot exceed."""
        if row.ceiling == "disk":
            return min(self.results.ceilings.values(), default=None)
        outcome = self.outcome(row.name, row.ceiling) if row.ceiling else None
        return outcome.median if outcome else None

    def ratio(self, row: Row, to: float | None) -> float | None:
        """How far ahead this registry is: above 1 it is the better one."""
        outcome = self.outcome(row.name, OURS)
        if not outcome or not outcome.median or not to:
            return None
        return to / outcome.median if row.lower_is_better else outcome.median / to


def number(value: float | None) -> str:
    """A figure in three digits or more."""
    if value is None:
        return _NONE
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"


def _cell(outcome: Outcome | None) -> str:
    if outcome is None:
        return _NONE
    if outcome.reason:
        return f"failed: {outcome.reason[:60]}" if outcome.failed else outcome.reason.replace("|", "/")
    low, high = min(outcome.values), max(outcome.values)
    spread = f" ({number(low)}-{number(high)})" if len(outcome.values) > 1 else ""
    return number(outcome.median) + spread


def _times(ratio: float | None) -> str:
    return _NONE if ratio is None else f"{ratio:.2f} x"


def _verdict(report: Report, row: Row) -> str:
    """What is to be reached, and whether it is."""
    target, best, estimated = TARGETS.get(row.name), report.best(row), report.estimated(row)
    bars = [bar for bar in (best[1] if best else None, estimated) if bar]
    found = []
    if target and bars:
        ratio = report.ratio(row, (min if row.lower_is_better else max)(bars))
        found.append(_judged(target, ratio, "x") + (" (estimated)" if estimated else ""))
    ours = report.outcome(row.name, OURS)
    if row.name in LIMITS and ours:
        found.append(_within(LIMITS[row.name], ours.median, row.unit))
    cost = ours.cpu_per(10**9, "bytes") if ours else None
    if row.name in CPU_PER_GB:
        limit = CPU_PER_GB[row.name]
        found.append(_within(Target(limit, limit), cost, "CPU s per GB"))
    if row.name in CPU_RATIOS and cost:
        peers = [one for name in report.peers(row) if (one := _cpu(report, row, name))]
        found.append("CPU per GB " + _judged(CPU_RATIOS[row.name], min(peers) / cost if peers else None, "x"))
    return "; ".join(found) or _NONE


def _cpu(report: Report, row: Row, name: str) -> float | None:
    outcome = report.outcome(row.name, name)
    return outcome.cpu_per(10**9, "bytes") if outcome else None


def _judged(target: Target, ratio: float | None, unit: str) -> str:
    """At least, aim, and on which side of them the ratio is."""
    bars = f"{target.least:g} {unit} / {target.aim:g} {unit}"
    if ratio is None:
        return bars
    return f"{bars}: {'below' if ratio < target.least else 'met' if ratio < target.aim else 'beyond'}"


def _within(limit: Target, value: float | None, unit: str) -> str:
    """The same for what is not to be exceeded."""
    bars = f"at most {limit.least:g}" + (f" / {limit.aim:g}" if limit.aim != limit.least else "") + f" {unit}"
    if value is None:
        return bars
    return f"{bars}: {'exceeded' if value > limit.least else 'met' if value > limit.aim else 'beyond'}"


def _table(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    shown = [header, ["---"] * len(header), *lines]
    return "\n".join(f"| {' | '.join(cell.replace(chr(10), ' ') for cell in line)} |" for line in shown)


def _figures(report: Report) -> str:
    names = [one.name for one in report.contenders]
    header = ["row", "unit", *names, "estimated bar", "to the best peer", "to the ceiling", "to reach / aim"]
    return _table(header, (_line(report, row, names) for row in report.rows if row.name in report.results.outcomes))


def _line(report: Report, row: Row, names: list[str]) -> list[str]:
    best, estimated = report.best(row), report.estimated(row)
    ahead = f"{_times(report.ratio(row, best[1]))} {best[0]}" if best else _NONE
    if estimated:
        ahead += f"; {_times(report.ratio(row, estimated))} of the estimate"
    return [
        f"{row.title} (`{row.name}`)",
        row.unit + (", less is better" if row.lower_is_better else ""),
        *(_cell(report.outcome(row.name, name)) for name in names),
        f"estimated {number(estimated)}" if estimated else _NONE,
        ahead,
        _times(report.ratio(row, report.ceiling(row))),
        _verdict(report, row),
    ]


def _costs(report: Report) -> str:
    header = [
        "row",
        "server",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "CPU s per 1,000 requests",
        "CPU s per GB",
        "peak PSS MB",
        "peak RSS MB",
    ]
    lines = []
    for row in report.rows:
        for name, outcome in report.results.outcomes.get(row.name, {}).items():
            cells = _cost(outcome) if outcome.values else []
            if any(cell != _NONE for cell in cells):
                lines.append([f"`{row.name}`", name, *cells])
    return _table(header, lines)


def _cost(outcome: Outcome) -> list[str]:
    latency, peak = outcome.latency, outcome.peak
    shares = [outcome.cpu_per(1000, "requests"), outcome.cpu_per(10**9, "bytes")]
    percentiles = [latency.p50, latency.p95, latency.p99] if latency else [None] * 3
    return [number(value) for value in (*percentiles, *shares, peak.pss / 1e6 or None, peak.rss / 1e6 or None)]


def machine() -> str:
    """What this ran on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, Linux {platform.release()}, Python {platform.python_version()}"


def _conditions(plan: Plan) -> str:
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; {machine()}. Medians of {plan.rounds} rounds in rotating order, "
        f"{plan.seconds:g} s a sample, the spread in brackets. The load generator, the servers and their databases "
        "share these cores: ratios within this run hold, absolute figures move with the machine. CPU and memory are "
        "those of all processes of a server, its database included. This registry answers an upload once it is "
        "durable; a peer that does not wait for the disk has that advantage in the rows of uploads and pushes."
    )


def markdown(report: Report) -> str:
    """Tables for people."""
    results = report.results
    parts = [
        "# This registry beside its peers",
        _conditions(report.plan),
        "\n".join(f"- `{one.name}`: {one.title}" for one in report.contenders),
        _figures(report),
    ]
    if results.ceilings:
        shown = ", ".join(f"{name} {number(value)} MB/s" for name, value in results.ceilings.items())
        parts.append(f"Ceilings of uploads: {shown}; the ratio is to the lower one.")
    parts += ["## Latency and cost", _costs(report)]
    notes = [f"- `{row}`, {name}: {note}" for row, name, note in _notes(report)]
    left = [f"- {name}: left out, {reason}" for name, reason in results.left_out.items()]
    failed = [f"- FAILED: {text}" for text in results.failures]
    if notes or left or failed:
        parts += ["## Notes", "\n".join(failed + left + notes)]
    return "\n\n".join(parts) + "\n"


def _notes(report: Report) -> list[tuple[str, str, str]]:
    return [
        (row, name, note)
        for row, outcomes in report.results.outcomes.items()
        for name, outcome in outcomes.items()
        for note in outcome.notes
    ]


def _row_json(report: Report, row: Row) -> dict[str, Any]:
    best = report.best(row)
    return {
        "title": row.title,
        "unit": row.unit,
        "lower_is_better": row.lower_is_better,
        "contenders": {
            name: _outcome_json(outcome) for name, outcome in report.results.outcomes.get(row.name, {}).items()
        },
        "best_peer": best[0] if best else None,
        "ratio_to_best_peer": report.ratio(row, best[1] if best else None),
        "estimated_bar": report.estimated(row),
        "ratio_to_estimated_bar": report.ratio(row, report.estimated(row)),
        "ceiling": report.ceiling(row),
        "ratio_to_ceiling": report.ratio(row, report.ceiling(row)),
        "target": asdict(TARGETS[row.name]) if row.name in TARGETS else None,
    }


def _outcome_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "median": outcome.median,
        "values": outcome.values,
        "latency_ms": asdict(outcome.latency) if outcome.latency else None,
        "cpu_seconds_per_1000_requests": outcome.cpu_per(1000, "requests"),
        "cpu_seconds_per_gb": outcome.cpu_per(10**9, "bytes"),
        "peak_pss": outcome.peak.pss,
        "peak_rss": outcome.peak.rss,
        "reason": outcome.reason,
        "failed": outcome.failed,
        "notes": outcome.notes,
    }


def as_json(report: Report) -> dict[str, Any]:
    """The same for programs; every figure in full."""
    return {
        "written": datetime.now(UTC).isoformat(),
        "machine": machine(),
        "plan": asdict(report.plan),
        "contenders": {one.name: {"title": one.title, "kind": one.kind} for one in report.contenders},
        "rows": {row.name: _row_json(report, row) for row in report.rows if row.name in report.results.outcomes},
        "ceilings_mb_per_s": report.results.ceilings,
        "left_out": report.results.left_out,
        "failures": report.results.failures,
    }


def write(report: Report, folder: Path) -> tuple[Path, Path]:
    """Write both into the folder; where they are."""
    folder.mkdir(parents=True, exist_ok=True)
    tables, figures = folder / "results.md", folder / "results.json"
    tables.write_text(markdown(report))
    figures.write_text(json.dumps(as_json(report), indent=2) + "\n")
    return tables, figures
