"""The harness runs, writes what it promises, and counts no failure as a figure. No timing is asserted."""

import base64
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from benchmarks import load, rows_accounts, script
from benchmarks.closed import Accounts
from benchmarks.contenders import Contender
from benchmarks.content import Body
from benchmarks.plan import QUICK
from benchmarks.process_cost import Server
from benchmarks.rows import Row
from benchmarks.stand import NotOffered, Stand

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module", autouse=True)
def _compiler() -> None:
    try:
        load.compiled()
    except load.Absent as error:
        pytest.skip(str(error))


class _Server(ThreadingHTTPServer):
    """A server of this test: which paths it answers with 200, and what Authorization it saw."""

    def __init__(self, handler: type[BaseHTTPRequestHandler], lenient: Callable[[str], bool]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.lenient = lenient
        self.seen: list[str] = []

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A load that ends leaves connections behind: no news."""


class _Refusing(BaseHTTPRequestHandler):
    """A registry that is there and refuses to be read."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        assert isinstance(self.server, _Server)
        self.send_response(200 if self.server.lenient(self.path) else 503)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
        """Say nothing."""


@contextmanager
def _peer(lenient: Callable[[str], bool]) -> Iterator[str]:
    with _Server(_Refusing, lenient) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


class _Tokens(BaseHTTPRequestHandler):
    """A registry that lets in who shows the token of its account."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        shown = self.headers.get("Authorization", "")
        if self.path.startswith("/token?"):
            user = base64.b64decode(shown.removeprefix("Basic ")).decode().partition(":")[0]
            self._answer(200, json.dumps({"token": f"of-{user}", "expires_in": 300}).encode())
        else:
            assert isinstance(self.server, _Server)
            self.server.seen.append(shown)
            self._answer(200 if shown.startswith("Bearer of-") else 401, b"{}")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("WWW-Authenticate", 'Bearer realm="http://registry.example/token",service="bench"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
        """Say nothing."""


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    """A contender with tokens and two accounts."""
    body = Body(tmp_path / "body", 1024)
    with _Server(_Tokens, lambda _: True) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        contender = Contender("tokens", server.server_address[1], "peer", Server(()))
        contender.accounts = Accounts("ann:secret", "ann:secret", ("ann:secret", "bob:secret"))
        plan = replace(QUICK, seconds=0.2, connections=2)
        found = Stand(contender, plan, body, load.Generator(tmp_path, body.path), tmp_path)
        found.once("seen", lambda: server.seen)
        yield found
        server.shutdown()
    body.close()


def _row(name: str) -> Row:
    return next(row for row in rows_accounts.ROWS if row.name == name)


def test_every_account_reads_with_a_token_of_its_own(stand: Stand) -> None:
    assert _row("auth-many").measure(stand).value > 0
    assert set(stand.once("seen", list[str])) >= {"Bearer of-ann", "Bearer of-bob"}


def test_a_registry_of_tokens_is_not_measured_with_passwords(stand: Stand) -> None:
    assert _row("auth-token").measure(stand).value > 0
    assert _row("auth-bearer").measure(stand).value > 0
    with pytest.raises(NotOffered, match="tokens only"):
        _row("auth-basic").measure(stand)


def _run(folder: Path, *words: str) -> tuple[subprocess.CompletedProcess[str], dict[str, Any], str]:
    sized = ["--rounds", "1", "--seconds", "0.2", "--scale", "0.01", "--connections", "2"]
    command = [sys.executable, "-m", "benchmarks", *sized, "--output", str(folder), *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    written = folder / "results.json"
    assert written.exists(), done.stderr
    return done, json.loads(written.read_text()), (folder / "results.md").read_text()


def test_a_run_writes_figures_of_this_registry_and_of_nothing_that_refuses(tmp_path: Path) -> None:
    without = ("--without", "distribution,debian,nginx")
    rows = ("--rows", "version,manifest-get,blob-head,push-1")
    with _peer(lambda path: path == "/v2/") as peer:
        done, figures, tables = _run(tmp_path, *without, *rows, "--peer", f"refusing={peer}")
    assert done.returncode == 1, done.stderr
    for name in ("version", "manifest-get", "blob-head", "push-1"):
        ours = figures["rows"][name]["contenders"]["gati"]
        assert ours["median"] > 0
        assert not ours["failed"]
        assert ours["peak_pss"] > 0
        assert f"`{name}`" in tables
    assert figures["rows"]["version"]["contenders"]["refusing"]["median"] > 0
    refused = figures["rows"]["manifest-get"]["contenders"]["refusing"]
    assert refused["failed"]
    assert refused["median"] is None
    assert any("manifest-get, refusing" in line for line in figures["failures"])
    assert "FAILED" in tables


def test_the_generator_ends_at_an_answer_that_was_not_expected(tmp_path: Path) -> None:
    answers = iter(range(1000))
    (tmp_path / "body").write_bytes(b"x")
    generator = load.Generator(tmp_path, tmp_path / "body")
    with _peer(lambda _: next(answers) < 20) as peer:
        target = load.Target("127.0.0.1", int(peer.rpartition(":")[2]))
        work = load.Load(jobs=[script.job(script.get("/v2/"))] * 50, connections=1)
        with pytest.raises(load.RequestFailed, match="answered 503, not 200"):
            generator.run(target, work)


def test_a_run_with_accounts_reads_and_pushes_with_keys_and_tokens(tmp_path: Path) -> None:
    rows = [row.name for row in rows_accounts.ROWS]
    done, figures, tables = _run(tmp_path, "--closed", "--without", "distribution,debian,zot,nginx")
    assert done.returncode == 0, done.stderr
    assert list(figures["rows"]) == rows
    for name in rows:
        ours = figures["rows"][name]["contenders"]["gati"]
        assert ours["median"] > 0, name
    assert "at most 1.25" in tables
