"""Registries started as a user starts them."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]


class Served:
    """`gati-registry serve` on a free port, with its data in `data`."""

    def __init__(self, data: Path, **settings: str) -> None:
        self.data = data
        self.settings = settings
        self.url = ""
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start and wait until it says that it listens."""
        environ = os.environ | {"PORT": "0", "GATI_DATA_DIR": str(self.data), "LOG_LEVEL": "warning"} | self.settings
        environ.pop("DATABASE_URL", None)
        log = (self.data.parent / "serve.log").open("a")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "registry", "serve"],
            cwd=ROOT,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        log.close()
        assert self.process.stdout is not None
        for line in self.process.stdout:
            found = re.search(r"(https?)://([^\s,]+:\d+)", line)
            if found:
                self.url = f"{found.group(1)}://{found.group(2)}"
                break
        else:
            raise AssertionError((self.data.parent / "serve.log").read_text())
        transport = httpx.HTTPTransport(retries=5)
        with httpx.Client(transport=transport, timeout=30) as client:
            while client.get(f"{self.url}/ready").status_code != 200:
                continue

    def signal(self, number: int) -> int:
        """Send a signal and wait for the end; the exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> int:
        """Wait for the end; the exit status."""
        assert self.process is not None
        assert self.process.stdout is not None
        status = self.process.wait(60)
        self.process.stdout.close()
        return status

    def kill(self) -> None:
        """End without a chance to tidy up."""
        self.signal(signal.SIGKILL)

    def stop(self) -> int:
        """End in order; the exit status."""
        if self.process is None or self.process.stdout is None or self.process.stdout.closed:
            return 0
        return self.signal(signal.SIGTERM)

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Another command on the same data."""
        environ = os.environ | {"GATI_DATA_DIR": str(self.data)} | self.settings
        environ.pop("DATABASE_URL", None)
        command = [sys.executable, "-m", "registry", *words]
        return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Start registries; they are stopped after the test."""
    started: list[Served] = []

    def begin(name: str = "data", **settings: str) -> Served:
        served = Served(tmp_path / name, **settings)
        started.append(served)
        served.start()
        return served

    yield begin
    for served in started:
        served.stop()
