"""The load generator: `hload.c` and `hload_script.h`, compiled into the user's cache when it is new."""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks import script
from benchmarks.script import Job

SOURCE: Final = Path(__file__).with_name("hload.c")
PATIENCE: Final = 300.0
"""Seconds until a load that does not end is ended."""


class Absent(Exception):
    """A program that is needed is not on this machine."""


class RequestFailed(Exception):
    """An answer was not the expected one; the message has the request and the answer."""


class TooSlow(Exception):
    """A load did not end, or was not answered once: nothing went wrong, and nothing can be measured."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Of the jobs of one group: how many, and percentiles in milliseconds."""

    jobs: int
    p50: float
    p95: float
    p99: float
    max: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What one load came to."""

    seconds: float
    jobs: int
    requests: int
    received: int
    sent: int
    reconnects: int
    groups: tuple[Latency, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to load: an IPv4 address, and the Authorization of all requests that have none of their own."""

    address: str
    port: int
    authorization: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Jobs on so many connections: each `once`, or in a `cycle` or at `random` for so many seconds."""

    jobs: Iterable[Job]
    connections: int
    order: str = "once"
    seconds: float = 0.0


def cache() -> Path:
    """Where the compiled generator lies."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "gati-registry" / "benchmarks"


def compiled() -> Path:
    """The generator's program.

    Raises:
        Absent: there is no C compiler.
    """
    written = b"".join(path.read_bytes() for path in (SOURCE, SOURCE.with_name("hload_script.h")))
    program = cache() / f"hload-{hashlib.sha256(written).hexdigest()[:16]}"
    if program.exists():
        return program
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise Absent("The load generator is written in C: install a C compiler (on Debian, apt install gcc libc6-dev).")
    program.parent.mkdir(parents=True, exist_ok=True)
    draft = program.with_name(f"{program.name}.{os.getpid()}")
    done = subprocess.run([compiler, "-O2", "-o", draft, SOURCE], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Absent(f"{compiler} does not compile {SOURCE.name}: {done.stderr.strip()[-500:]}")
    draft.replace(program)
    return program


class Generator:
    """Sends loads; its scripts lie in `folder`, large bodies come from `body`."""

    def __init__(self, folder: Path, body: Path) -> None:
        self._program = compiled()
        self._script = folder / "script"
        self._body = body

    def run(self, target: Target, load: Load) -> Figures:
        """Send it and wait for the end.

        Raises:
            RequestFailed: an answer was not the expected one.
            TooSlow: there is no end.
        """
        script.write(self._script, load.jobs, f"{target.address}:{target.port}", target.authorization)
        return self._send(target, load)

    def _send(self, target: Target, load: Load) -> Figures:
        words = [target.address, target.port, load.connections, load.seconds, load.order, self._script, self._body]
        command = [str(self._program), *map(str, words)]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, errors="replace", check=False, timeout=PATIENCE
            )
        except subprocess.TimeoutExpired as error:
            raise TooSlow(f"too slow: what is to be measured was not there after {PATIENCE:g} s") from error
        if done.returncode != 0:
            raise RequestFailed(done.stderr.strip() or f"hload ended with {done.returncode}")
        found = figures(json.loads(done.stdout))
        if found.jobs == 0:
            raise TooSlow(f"too slow: no answer in {found.seconds:.0f} s")
        return found


def figures(raw: dict[str, Any]) -> Figures:
    """The figures that hload.c printed."""
    groups = tuple(Latency(**group) for group in raw.pop("classes"))
    return Figures(**raw, groups=groups)
