"""The conformance suite against another registry, CNCF distribution v3: a check on the suite itself."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.daemons import Daemon
from tests.clients.programs import find_program
from tests.journeys.conftest import ROOT

SUITE = ROOT / "spec-conformance"
KNOWN = SUITE / "expected" / "distribution-v3.toml"
SETTINGS = """version: 0.1
log: {{level: info, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: "{folder}/data"}}
  delete: {{enabled: true}}
http: {{addr: "127.0.0.1:0"}}
"""
A_KNOWN_FAILURE = "test_tags.py::test_a_repository_without_tags_has_an_empty_list"
NO_FAILURE = "test_tags.py::test_the_list_names_the_repository_and_all_tags"


@pytest.fixture(scope="module")
def distribution(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a distribution with an empty store and deletion switched on."""
    program = find_program("registry")
    folder = tmp_path_factory.mktemp("distribution")
    (folder / "config.yml").write_text(SETTINGS.format(folder=folder))
    daemon = Daemon([program, "serve", str(folder / "config.yml")], {}, "listening on")
    found = re.search(r"listening on (127\.0\.0\.1:\d+)", daemon.greeting)
    assert found, daemon.greeting
    yield f"http://{found[1]}"
    daemon.stop()


def suite(url: str, *options: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the suite to its end."""
    command = [sys.executable, str(SUITE / "run"), url, *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)


def listing(tmp_path: Path, *tests: str) -> Path:
    """A file of known failures."""
    file = tmp_path / "known.toml"
    file.write_text("\n".join(f"[[known]]\ntest = {json.dumps(test)}\nbecause = 'So it is.'" for test in tests))
    return file


def judged(url: str, report: Path, *tests: str) -> tuple[list[str], dict[str, int]]:
    """The tests that are not as the list says, of these or of all, and how many have each status."""
    done = suite(url, *tests, "--profile", "dev", "--expect", KNOWN, "--json", report)
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    found = json.loads(report.read_text())
    return [test["test"] for test in found["tests"] if test["status"] in {"fail", "fixed"}], found["summary"]


@pytest.mark.timeout(300)
def test_distribution_fails_as_its_list_says_and_nowhere_else(distribution: str, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    others, summary = judged(distribution, report)
    assert summary["pass"] > summary["known"] > 0
    if others:  # a race inside distribution does not repeat; what is wrong with the suite or the list does
        others, _ = judged(distribution, report, *others)
    assert others == []


def test_a_failure_that_is_not_listed_fails_the_run(distribution: str) -> None:
    done = suite(distribution, A_KNOWN_FAILURE)
    assert done.returncode == 1
    assert "1 failed" in done.stdout


def test_a_listed_failure_that_passes_fails_the_run(distribution: str, tmp_path: Path) -> None:
    done = suite(distribution, NO_FAILURE, "--expect", listing(tmp_path, NO_FAILURE))
    assert done.returncode == 1
    assert "fixed (1)" in done.stdout


def test_a_listed_test_that_there_is_not_fails_the_run(distribution: str, tmp_path: Path) -> None:
    done = suite(
        distribution, "test_tags.py", "--expect", listing(tmp_path, A_KNOWN_FAILURE, "test_tags.py::test_gone")
    )
    assert done.returncode != 0
    assert "test_tags.py::test_gone" in done.stdout + done.stderr


def test_a_listed_failure_needs_its_explanation(distribution: str, tmp_path: Path) -> None:
    file = tmp_path / "known.toml"
    file.write_text(f'[[known]]\ntest = "{A_KNOWN_FAILURE}"\nbecause = " "')
    done = suite(distribution, A_KNOWN_FAILURE, "--expect", file)
    assert done.returncode != 0
    assert "explanation" in done.stdout + done.stderr


def test_a_failure_that_is_listed_as_a_race_may_pass(distribution: str, tmp_path: Path) -> None:
    file = listing(tmp_path, NO_FAILURE)
    file.write_text(file.read_text() + "\nsometimes = true")
    done = suite(distribution, NO_FAILURE, "--expect", file)
    assert done.returncode == 0, done.stdout
