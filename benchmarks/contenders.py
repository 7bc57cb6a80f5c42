"""Who is measured: this registry, started on a free port of 127.0.0.1 with a data directory of its own, or a peer."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx

from benchmarks.closed import Accounts
from benchmarks.load import Absent
from benchmarks.process_cost import Server

ADDRESS: Final = "127.0.0.1"
OURS: Final = "gati"
DISTRIBUTION: Final = "distribution"
DEBIAN: Final = "debian"
ZOT: Final = "zot"
ROOT: Final = Path(__file__).resolve().parents[1]
"""The checkout: servers are started in it."""
_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 60.0
_PROBE_PAUSE: Final = 0.005


@dataclass(slots=True)
class Contender:
    """A server under measurement. `kind` is ours, peer or ceiling; `start` is how to start another one like it.

    `only` is what the rows that it takes part in name as their rival; nothing: it takes part in all others.
    """

    name: str
    port: int
    kind: str
    server: Server
    title: str = ""
    address: str = ADDRESS
    accounts: Accounts = field(default_factory=Accounts)
    folder: Path | None = None
    process: "subprocess.Popen[bytes] | None" = None
    start: "Starter | None" = None
    started_in: float = 0.0
    only: str = ""

    @property
    def url(self) -> str:
        """Its address as a URL."""
        return f"http://{self.address}:{self.port}"

    def stop(self) -> None:
        """End what was started here; a peer that was given is left alone."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


Starter = Callable[[Path], Contender]
"""Starts a contender in a folder; one that was used before is started on what it holds."""


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        port: int = probe.getsockname()[1]
        return port


def launch(
    command: list[str], environ: dict[str, str], port: int, path: str = "/v2/"
) -> tuple["subprocess.Popen[bytes]", float]:
    """Start a server and wait for its first 200 at `path`; the process, and the seconds that took.

    Raises:
        Absent: it ended, or did not answer in time.
    """
    begun = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for the run, which then stops the servers itself
    )
    while not answers(port, path):
        if process.poll() is not None:
            raise Absent(f"{command[0]} ended with {process.returncode} at its start: {' '.join(command)}")
        if time.monotonic() - begun > _START_SECONDS:
            process.kill()
            process.wait()
            raise Absent(f"{command[0]} does not answer on port {port} after {_START_SECONDS:g} s")
        time.sleep(_PROBE_PAUSE)
    return process, time.monotonic() - begun


def answers(port: int, path: str = "/v2/") -> bool:
    """Whether `path` is answered with 200, or with 401 by a registry with accounts."""
    try:
        with socket.create_connection((ADDRESS, port), 5) as probe:
            probe.sendall(f"GET {path} HTTP/1.1\r\nHost: {ADDRESS}:{port}\r\nConnection: close\r\n\r\n".encode())
            return probe.recv(64)[9:12] in {b"200", b"401"}
    except OSError:
        return False


def ours(processes: int | None = None, settings: dict[str, str] | None = None) -> Starter:
    """This registry with its default settings, and those given."""
    more = (settings or {}) | ({} if processes is None else {"WEB_PROCESSES": str(processes)})

    def start(folder: Path) -> Contender:
        port = free_port()
        environ = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "GATI_CONFIG"}}
        environ |= {"PORT": str(port), "GATI_DATA_DIR": str(folder)} | more
        process, seconds = launch([sys.executable, "-m", "registry", "serve"], environ, port)
        title = "this registry" + "".join(f", {name}={value}" for name, value in sorted(more.items()))
        server = Server((process.pid,), folder.resolve())
        return Contender(OURS, port, "ours", server, title, folder=folder, process=process, started_in=seconds)

    return start


def given(text: str) -> Contender:
    """A peer that runs: `name=URL` or `name=URL@pid`.

    Raises:
        Absent: the text cannot be understood, or nothing answers there.
    """
    name, _, rest = text.partition("=")
    url, _, pid = rest.partition("@")
    parts = urlsplit(url)
    if not name or parts.scheme != "http" or not parts.hostname or (pid and not pid.isdecimal()):
        raise Absent(f"--peer {text}: write name=http://127.0.0.1:5000, or the same with @ and the process's id")
    port = parts.port or 80
    address = socket.gethostbyname(parts.hostname)
    if not address.startswith("127."):
        raise Absent(f"--peer {text}: only servers on this machine are loaded")
    try:
        httpx.get(f"{url}/v2/", timeout=10)
    except httpx.HTTPError as error:
        raise Absent(f"--peer {text}: nothing answers there: {error}") from error
    roots = (int(pid),) if pid else ()
    return Contender(name, port, "peer", Server(roots), f"{name}, as it was given", address=address)
