"""Operator commands run as a user runs them: processes with an environment, standard output and an exit status."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from registry.config import CONFIG_VARIABLE, settings_table

ROOT = Path(__file__).parents[2]
SECONDS = 60


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """The environment of the tests with these settings, and with every blob in the store, where tests may harm it."""
    known = {row.name for row in settings_table().values()} | {CONFIG_VARIABLE}
    kept = {name: value for name, value in os.environ.items() if name not in known}
    return kept | {"LOG_LEVEL": "warning", "SMALL_BLOB": "0"} | dict(settings)


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that has ended."""

    status: int
    out: str
    err: str


def command(arguments: list[str], settings: Mapping[str, str]) -> Ended:
    """Run `gati-registry` with `arguments` to its end."""
    ended = subprocess.run(
        [sys.executable, "-m", "registry", *arguments],
        cwd=ROOT,
        env=environment(settings),
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
        stdin=subprocess.DEVNULL,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


class Served:
    """A running `serve`."""

    def __init__(self, settings: Mapping[str, str], log: Path, arguments: tuple[str, ...] = ()) -> None:
        self._log = log
        with log.open("w") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "registry", "serve", *arguments],
                cwd=ROOT,
                env=environment({"PORT": "0"} | dict(settings)),
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
                stdin=subprocess.DEVNULL,
            )
        self.banner = self._read_banner()
        found = re.search(r"https?://\S+", self.banner)
        assert found, f"no address in {self.banner!r}: {self.log()}"
        self.url = found[0]

    def _read_banner(self) -> str:
        assert self.process.stdout is not None
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if line.startswith("  curl "):
                break
        return "".join(lines)

    def log(self) -> str:
        """What it wrote to standard error."""
        return self._log.read_text()

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, wait, and answer the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(SECONDS)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return status


Serve = Callable[..., Served]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start `serve` with settings; every one is stopped after the test."""
    with ExitStack() as stack:
        started: list[Served] = []

        def start(*arguments: str, **settings: str) -> Served:
            log = tmp_path / f"serve-{len(started)}.log"
            served = Served({"GATI_DATA_DIR": str(tmp_path / "data")} | settings, log, arguments)
            started.append(served)
            stack.callback(served.end)
            return served

        yield start
