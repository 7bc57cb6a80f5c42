"""The health check of the container image."""

import subprocess
import sys

from registry.admin.healthy import is_healthy
from registry.config import load
from tests.admin.conftest import ROOT, Serve, environment


def check(**settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "registry.admin.healthy"],
        cwd=ROOT,
        env=environment(settings),
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_registry_that_answers_is_healthy_and_one_that_has_ended_is_not(serve: Serve) -> None:
    served = serve(HOST="0.0.0.0", ACCESS="open")
    where = {"HOST": "0.0.0.0", "ACCESS": "open", "PORT": served.url.rpartition(":")[2]}
    assert check(**where).returncode == 0
    served.end()
    assert check(**where).returncode == 1
    assert not is_healthy(load(where))


def test_settings_that_cannot_hold_are_named() -> None:
    found = check(PORT="x")
    assert found.returncode == 2
    assert "PORT: " in found.stderr
