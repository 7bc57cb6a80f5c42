"""What became of each test: the verdict, the table per clause at the end, and the same as JSON."""

import json
import tomllib
from collections import Counter
from collections.abc import Generator
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
from clauses import BINDING, Level, Unsupported

PROPERTY = "conformance"
LETTERS = {"pass": ".", "fail": "F", "unsupported": "u", "differs": "d", "known": "k", "fixed": "X"}
SHOWN = 3
"""How many tests of one reason are named on the terminal; the JSON file names all."""
QUIET = frozenset({"unsupported", "differs", "known"})


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one test: `status` is a key of LETTERS, `message` says why it is not `pass`."""

    test: str
    end: str
    title: str
    level: str
    status: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """A failure that is known of one registry; `test` is a test's id, or its beginning and a `*`.

    `sometimes` says that the registry fails in a race only: then the test may pass as well.
    """

    test: str
    because: str
    sometimes: bool = False

    def covers(self, test: str) -> bool:
        """Whether this entry is about that test."""
        return test.startswith(self.test[:-1]) if self.test.endswith("*") else test == self.test


def load_known(path: Path | None) -> tuple[Known, ...]:
    """The entries `[[known]]` of a file of known failures.

    Raises:
        pytest.UsageError: an entry has no explanation.
    """
    if path is None:
        return ()
    entries = tomllib.loads(path.read_text())["known"]
    if any(not entry.get("because", "").strip() for entry in entries):
        raise pytest.UsageError(f"{path}: every known failure needs its explanation (because)")
    return tuple(
        Known(entry["test"], " ".join(entry["because"].split()), entry.get("sometimes", False)) for entry in entries
    )


def _message(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (" ".join(lines[:3]) or type(error).__name__)[:400]


def _word(error: BaseException | None, level: Level) -> str:
    if error is None:
        return "pass"
    if isinstance(error, Unsupported):
        return "unsupported"
    return "fail" if level in BINDING else "differs"


class Verdicts:
    """The pytest plugin that judges each test by its clause's level and by the known failures."""

    def __init__(self, known: tuple[Known, ...], *, strict: bool) -> None:
        self._known = known
        self._strict = strict

    def status(self, error: BaseException | None, level: Level, known: Known | None) -> str:
        """The word for a test that ended with `error`, or with none."""
        word = _word(error, level)
        if self._strict and error is not None:
            word = "fail"
        if known is None or (known.sometimes and word == "pass"):
            return word
        return "known" if word == "fail" else "fixed"

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Refuse entries that are about no test, in the files that are run whole.

        Raises:
            pytest.UsageError: with those entries.
        """
        if any("::" in argument for argument in config.args):
            return
        tests = [item.nodeid for item in items]
        files = {test.partition("::")[0] for test in tests}
        entries = [entry for entry in self._known if entry.test.partition("::")[0] in files]
        lost = [entry.test for entry in entries if not any(map(entry.covers, tests))]
        if lost:
            raise pytest.UsageError(f"The known failures name tests that there are not: {', '.join(lost)}")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Turn what pytest saw into the suite's verdict."""
        report = yield
        marker = item.get_closest_marker("clause")
        error = call.excinfo.value if call.excinfo else None
        if marker is None or isinstance(error, pytest.skip.Exception) or (error is None and call.when != "call"):
            return report
        end, title, level, _ = marker.args
        known = next((entry for entry in self._known if entry.covers(item.nodeid)), None)
        status = self.status(error, Level(level), known)
        message = "" if error is None else _message(error)
        if known and status == "known":
            message = f"{known.because} ({message})"
        result = Result(item.nodeid, end, title, level, status, message)
        report.user_properties.append((PROPERTY, json.dumps(asdict(result))))
        if status == "fixed":
            report.outcome = "failed"
            report.longrepr = f"fixed: {known.test if known else item.nodeid} is among the known failures"
        if status in QUIET:
            report.outcome = "skipped"
            report.longrepr = (str(item.path), 0, f"{status}: {message}")
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """The letter and word shown while the run goes on."""
        found = _result(report)
        if found is None or found.status in {"pass", "fail"}:
            return None
        return found.status, LETTERS[found.status], found.status.upper()


def _result(report: pytest.TestReport) -> Result | None:
    for name, value in report.user_properties:
        if name == PROPERTY and isinstance(value, str) and (report.when == "call" or report.outcome != "passed"):
            return Result(**json.loads(value))
    return None


class Collector:
    """The pytest plugin that gathers the verdicts, of all workers, and prints and writes them."""

    def __init__(self, heading: dict[str, str], json_file: Path | None) -> None:
        self._heading = heading
        self._json = json_file
        self.results: dict[str, Result] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep a test's verdict; a failing teardown replaces what the test itself was."""
        found = _result(report)
        if found is not None:
            self.results[found.test] = found

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """The table per clause, what did not pass and why, and the JSON file."""
        results = sorted(self.results.values(), key=lambda result: (_order(result.end), result.title, result.test))
        write = terminalreporter.write_line
        terminalreporter.section("OCI Distribution conformance")
        write("  ".join(f"{name}: {value}" for name, value in self._heading.items()))
        for line in table(results):
            write(line)
        for status in ("fail", "known", "fixed", "unsupported", "differs"):
            some = [result for result in results if result.status == status]
            if some:
                terminalreporter.section(f"{status} ({len(some)})", sep="-")
            for line in _reasons(some):
                write(line)
        if self._json is not None:
            self._json.write_text(json.dumps(document(self._heading, results), indent=1) + "\n")


def _reasons(results: list[Result]) -> list[str]:
    """The tests with the reason of each; tests of one reason stand together."""
    reasons: dict[str, list[Result]] = {}
    for result in results:
        reasons.setdefault(result.message or "a known failure that is none any more", []).append(result)
    lines: list[str] = []
    for reason, some in reasons.items():
        lines += [f"{result.end:8} {result.level:6} {result.test}" for result in some[:SHOWN]]
        lines += [f"         and {len(some) - SHOWN} more"] if len(some) > SHOWN else []
        lines.append(f"         {reason}")
    return lines


def _order(end: str) -> tuple[int, str]:
    number = "".join(character for character in end if character.isdigit())
    return int(number or 99), end


def _counts(results: list[Result]) -> dict[tuple[str, str], Counter[str]]:
    counts: dict[tuple[str, str], Counter[str]] = {}
    for result in results:
        counts.setdefault((result.end, result.title), Counter())[result.status] += 1
    return counts


def table(results: list[Result]) -> list[str]:
    """One line per clause with the number of tests of each status, and the sum."""
    counts = _counts(results)
    width = max((len(title) for _, title in counts), default=10)
    lines = [f"{'clause':8} {'section':{width}} " + " ".join(f"{word:>11}" for word in LETTERS)]
    total: Counter[str] = Counter()
    for (end, title), row in counts.items():
        lines.append(f"{end:8} {title:{width}} " + " ".join(f"{row[word] or '-':>11}" for word in LETTERS))
        total += row
    lines.append(f"{'sum':8} {'':{width}} " + " ".join(f"{total[word]:>11}" for word in LETTERS))
    return lines


def document(heading: dict[str, str], results: list[Result]) -> dict[str, object]:
    """Everything that the run found, for machines."""
    summary = Counter(result.status for result in results)
    clauses = [
        {"end": end, "title": title, **{word: row[word] for word in LETTERS}}
        for (end, title), row in _counts(results).items()
    ]
    return {
        **heading,
        "summary": {word: summary[word] for word in LETTERS},
        "clauses": clauses,
        "tests": [asdict(result) for result in results],
    }
