"""The conformance suite against a running registry, with nothing forgiven."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.journeys.conftest import ROOT, Served


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("sparse", "processes"), [("all", "3"), ("index", "1"), ("none", "1")])
def test_every_clause_of_the_specification_holds(
    serve: Callable[..., Served], tmp_path: Path, sparse: str, processes: str
) -> None:
    served = serve(SPARSE_MANIFESTS=sparse, WEB_PROCESSES=processes)
    command = [sys.executable, str(ROOT / "spec-conformance" / "run"), served.url, "--sparse", sparse]
    command += ["--profile", "dev", "--strict", "--json", str(tmp_path / "report.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stdout[-5000:]
