"""What the report says of figures."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import table
from benchmarks.contenders import DISTRIBUTION, OURS, Contender
from benchmarks.measure import Outcome, Results
from benchmarks.plan import QUICK
from benchmarks.process_cost import Cost, Memory, Meter, Server
from benchmarks.report import Report, as_json, markdown
from benchmarks.rows import Sample
from benchmarks.short import short


def _outcome(*values: float) -> Outcome:
    samples = [Sample(value=value, requests=1000) for value in values]
    return Outcome(samples, [Cost(0.5, Memory(50_000_000, 60_000_000))] * len(values))


def _report(**outcomes: Outcome) -> Report:
    kinds = {name: "ours" if name == OURS else "peer" for name in outcomes}
    contenders = [Contender(name, 1, kind, Server(()), name) for name, kind in kinds.items()]
    return Report(QUICK, table.chosen("blob-1k", quick=False), contenders, Results({"blob-1k": outcomes}))


def test_without_the_fastest_peer_the_bar_is_estimated_and_says_so() -> None:
    report = _report(**{OURS: _outcome(8000, 10_000, 9000), DISTRIBUTION: _outcome(1000)})
    row = as_json(report)["rows"]["blob-1k"]
    assert row["estimated_bar"] == pytest.approx(9200)
    assert row["ratio_to_best_peer"] == pytest.approx(9)
    assert row["contenders"][OURS]["cpu_seconds_per_1000_requests"] == pytest.approx(0.5)
    shown = markdown(report)
    assert "estimated 9,200" in shown
    assert "9,000 (8,000-10,000)" in shown
    assert "below (estimated)" in shown
    line = "| 9,000 | 1,000 (distribution) | 9.00 x; 0.98 x of the estimated bar | 3 x |"
    assert line in short(as_json(report), "make bench")


def test_with_the_fastest_peer_nothing_is_estimated() -> None:
    report = _report(**{OURS: _outcome(9000), DISTRIBUTION: _outcome(1000), "zot": _outcome(2000)})
    row = as_json(report)["rows"]["blob-1k"]
    assert row["estimated_bar"] is None
    assert row["best_peer"] == "zot"
    assert "met" in markdown(report)
    assert "estimated 9,200" not in markdown(report)


def test_a_failed_peer_has_no_figure_and_the_run_says_so() -> None:
    failed = replace(_outcome(5.0), reason="GET /v2/: answered 500", failed=True)
    report = _report(**{OURS: _outcome(9000), DISTRIBUTION: failed})
    row = as_json(report)["rows"]["blob-1k"]
    assert row["contenders"][DISTRIBUTION]["median"] is None
    assert row["best_peer"] is None
    assert "FAILED: blob-1k, distribution: GET /v2/: answered 500" in markdown(report)


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that works in the folder and is nobody's child that the server knows of."""
    code = "input(); sum(i for i in range(6_000_000)); print('done', flush=True); input()"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def test_a_database_that_only_works_in_the_folder_is_counted(busy: "subprocess.Popen[str]", tmp_path: Path) -> None:
    assert busy.stdin is not None
    assert busy.stdout is not None
    with Meter(Server((), tmp_path.resolve())) as meter:
        busy.stdin.write("\n")
        busy.stdin.flush()
        assert busy.stdout.readline() == "done\n"
    assert meter.cost.cpu > 0
    assert meter.cost.peak.pss > 0
    with Meter(Server((), tmp_path / "elsewhere")) as meter:
        pass
    assert meter.cost.cpu == 0
