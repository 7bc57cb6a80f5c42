"""`gati agent run`: what an agent may do, and what ends it."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from wasmtime import wat2wasm

from registry.cli.agents.addresses import is_public
from tests.cli.conftest import Ended, Gati

WASI = '(import "wasi_snapshot_preview1" '
EXIT = f'{WASI}"proc_exit" (func $exit (param i32)))'
OPEN = f'{WASI}"path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))'
WRITE = f'{WASI}"fd_write" (func $write (param i32 i32 i32 i32) (result i32)))'
READ = f'{WASI}"fd_read" (func $read (param i32 i32 i32 i32) (result i32)))'
REQUEST = '(import "gati" "http_request" (func $request (param i32 i32) (result i32)))'
ANSWER = '(import "gati" "http_read" (func $answer (param i32 i32 i32) (result i32)))'
FOREVER = '(module (memory (export "memory") 1) (func (export "_start") (loop br 0)))'

Run = Callable[..., Ended]


def start(body: str, *imports: str, data: str = "", pages: int = 1) -> str:
    """A command whose main function is `body`."""
    held = f'(memory (export "memory") {pages}) (data (i32.const 0) "{data}")'
    return f'(module {" ".join(imports)} {held} (func $main (export "_start") {body}))'


def opening(path: str, rights: int = 2, flags: int = 0) -> str:
    """A command that opens a file of its first folder and exits with what WASI says."""
    call = (
        f"(call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const {len(path)}) (i32.const {flags}) "
        f"(i64.const {rights}) (i64.const 0) (i32.const 0) (i32.const 1024))"
    )
    return start(f"(call $exit {call})", OPEN, EXIT, data=path)


def asking(url: str, **more: Any) -> str:
    """A command that sends a request, and exits with a tenth of the status, or with the refusal as 1, 2 and so on."""
    request = json.dumps({"url": url} | more)
    text = request.replace("\\", "\\\\").replace('"', '\\"')
    body = (
        f"(local $status i32) (local.set $status (call $request (i32.const 0) (i32.const {len(request)})))"
        "(if (i32.lt_s (local.get $status) (i32.const 0))"
        " (then (call $exit (i32.sub (i32.const 0) (local.get $status)))))"
        "(call $exit (i32.div_u (local.get $status) (i32.const 10)))"
    )
    return start(body, REQUEST, EXIT, data=text)


@pytest.fixture
def agent(gati: Gati, tmp_path: Path) -> Run:
    """Run an agent of this WAT, with these members of its manifest and words of the command."""
    folder = tmp_path / "agent"

    def run(wat: str, *words: str, **manifest: Any) -> Ended:
        folder.mkdir(exist_ok=True)
        (folder / "agent.wasm").write_bytes(wat2wasm(wat))
        config = {"runtime": "wasm", "wasmFile": "agent.wasm"}
        known = {"name": "helper", "version": "1.0.0", "config": config}
        (folder / "gati-module.json").write_text(json.dumps(known | manifest))
        return gati.run("agent", "run", str(folder), *words)

    return run


class Page(BaseHTTPRequestHandler):
    """A small site: `/` says hello, `/away` leads elsewhere, `/large` does not end soon."""

    def do_GET(self) -> None:
        self.server.seen.append((self.path, self.headers["Host"]))  # type: ignore[attr-defined]
        self.send_response(302 if self.path == "/away" else 200)
        if self.path == "/away":
            self.send_header("Location", "http://evil.example.org/")
        self.end_headers()
        try:
            self.wfile.write(b"x" * (16 << 20) if self.path == "/large" else b"hello")
        except OSError:
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def site() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    server.seen = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_exit_status_of_an_agent_is_passed_on(agent: Run) -> None:
    assert agent(start("")).status == 0
    assert agent(start("(call $exit (i32.const 3))", EXIT)).status == 3


def test_input_goes_in_and_output_comes_out(gati: Gati, agent: Run, tmp_path: Path) -> None:
    body = (
        "(i32.store (i32.const 100) (i32.const 200)) (i32.store (i32.const 104) (i32.const 64))"
        "(drop (call $read (i32.const 0) (i32.const 100) (i32.const 1) (i32.const 96)))"
        "(i32.store (i32.const 104) (i32.load (i32.const 96)))"
        "(drop (call $write (i32.const 1) (i32.const 100) (i32.const 1) (i32.const 96)))"
    )
    assert agent(start(body, READ, WRITE)).status == 0
    (tmp_path / "question").write_text("who are you?")
    with gati.process("agent", "run", str(tmp_path / "agent"), "--input", str(tmp_path / "question")) as process:
        out, err = process.communicate()
    assert (process.returncode, out, err) == (0, "who are you?", "")


def test_an_agent_that_does_not_end_runs_out_of_fuel(agent: Run) -> None:
    ended = agent(FOREVER, "--fuel", "100000")
    assert ended.status == 6
    assert "used up its fuel: 100,000" in ended.err


def test_an_agent_that_does_not_end_runs_out_of_time(agent: Run) -> None:
    ended = agent(FOREVER, permissions={"maxDuration": "50ms"})
    assert ended.status == 6
    assert "0.05 s, which is all it may" in ended.err
    assert agent(FOREVER, "--timeout", "1s", permissions={"maxDuration": "20ms"}).err == ended.err.replace(
        "0.05", "0.02"
    )


def test_an_agent_gets_no_more_memory_than_it_declares(agent: Run) -> None:
    permissions = {"maxMemory": "1MiB"}
    ended = agent(start("", pages=100), permissions=permissions)
    assert ended.status == 6
    assert "asks for more memory than it may have: 1,024 KiB" in ended.err
    grows = "(if (i32.eq (memory.grow (i32.const 20)) (i32.const -1)) (then (call $exit (i32.const 9))))"
    assert agent(start(grows, EXIT), permissions=permissions).status == 9
    assert agent(start(grows, EXIT)).status == 0
    assert agent(start(grows, EXIT), "--memory", "1MiB").status == 9


def test_a_trap_is_told_with_its_reason(agent: Run) -> None:
    ended = agent(start("unreachable"))
    assert ended.status == 134
    assert "The agent trapped in main: wasm `unreachable` instruction executed." in ended.err


@pytest.mark.parametrize(
    ("wat", "told"),
    [
        (
            '(module (import "env" "abort" (func)) (func (export "_start")))',
            "imports what gati does not provide: env.abort",
        ),
        ("(module)", "exports no function _start"),
    ],
)
def test_what_is_no_command_is_not_begun(agent: Run, wat: str, told: str) -> None:
    ended = agent(wat)
    assert ended.status == 1
    assert told in ended.err


def test_what_is_no_module_is_not_begun(agent: Run, gati: Gati, tmp_path: Path) -> None:
    agent(start(""))
    (tmp_path / "agent" / "agent.wasm").write_bytes(b"#!/bin/sh\n")
    assert "is no WASM module" in gati.run("agent", "run", str(tmp_path / "agent")).err


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "file").write_text("x")
    (tmp_path / "secret").write_text("x")
    return folder


def test_an_agent_reads_what_it_declares_and_is_granted(agent: Run, data: Path) -> None:
    reads: dict[str, Any] = {"permissions": {"allowedPaths": ["/data"]}, "capabilities": ["filesystem:read"]}
    granted = ("--allow-path", f"/data={data}")
    assert agent(opening("file"), *granted, **reads) == Ended(0, "", "")
    outside = agent(opening("../secret"), *granted, **reads)
    assert outside.status == 63
    assert "Denied: the file ../secret: " in outside.err
    assert "Denied: the file new: " in agent(opening("new", rights=64, flags=1), *granted, **reads).err
    assert not (data / "new").exists()
    writes = reads | {"capabilities": ["filesystem:write"]}
    assert agent(opening("new", rights=64, flags=1), *granted, **writes).status == 0
    assert (data / "new").exists()


def test_a_path_is_open_only_when_both_sides_say_so(agent: Run, data: Path) -> None:
    declared: dict[str, Any] = {"permissions": {"allowedPaths": ["/data"]}, "capabilities": ["filesystem:read"]}
    assert "Denied: the path /data: it is declared, and not granted" in agent(opening("file"), **declared).err
    granted = ("--allow-path", f"/data={data}")
    assert "Denied: the path /data: the agent does not declare it" in agent(opening("file"), *granted).err
    powerless = {"permissions": declared["permissions"]}
    ended = agent(opening("file"), *granted, **powerless)
    assert ended.status == 8
    assert "No capability covers filesystem:read" in ended.err


def test_relative_paths_are_in_the_work_folder(agent: Run, data: Path, tmp_path: Path) -> None:
    declared: dict[str, Any] = {"permissions": {"allowedPaths": ["data"]}, "capabilities": ["filesystem:read"]}
    assert agent(opening("file"), "--work", str(tmp_path), **declared).status == 0
    (tmp_path / "link").symlink_to("/")
    declared["permissions"] = {"allowedPaths": ["link"]}
    assert agent(opening("etc"), "--work", str(tmp_path), **declared).status == 8


def network(site: ThreadingHTTPServer, path: str = "/") -> str:
    return f"http://localhost:{site.server_address[1]}{path}"


REACHES: dict[str, Any] = {"permissions": {"allowedDomains": ["localhost"]}, "capabilities": ["network:egress"]}


def test_an_agent_reaches_the_domains_that_it_declares(agent: Run, site: ThreadingHTTPServer) -> None:
    assert agent(asking(network(site)), "--allow-private", **REACHES) == Ended(20, "", "")
    assert site.seen == [("/", f"localhost:{site.server_address[1]}")]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("manifest", "words", "rule"),
    [
        ({}, ("--allow-private",), "No capability covers network:egress"),
        (REACHES | {"permissions": {}}, ("--allow-private",), "is not in allowedDomains"),
        (
            REACHES | {"permissions": {"allowedDomains": ["example.org"]}},
            ("--allow-private",),
            "is not in allowedDomains",
        ),
        (REACHES, (), "which is no address of the public Internet"),
    ],
)
def test_nothing_else_is_reached_and_each_denial_names_its_rule(
    agent: Run, site: ThreadingHTTPServer, manifest: dict[str, Any], words: tuple[str, ...], rule: str
) -> None:
    ended = agent(asking(network(site)), *words, **manifest)
    assert ended.status == 1
    assert "Denied: network egress to localhost" in ended.err
    assert rule in ended.err
    assert site.seen == []  # type: ignore[attr-defined]


def test_a_redirect_is_an_answer_and_no_permission(agent: Run, site: ThreadingHTTPServer) -> None:
    assert agent(asking(network(site, "/away")), "--allow-private", **REACHES).status == 30
    assert len(site.seen) == 1  # type: ignore[attr-defined]


def test_an_answer_that_is_too_large_is_none(agent: Run, site: ThreadingHTTPServer) -> None:
    assert agent(asking(network(site, "/large")), "--allow-private", **REACHES).status == 4


@pytest.mark.parametrize(
    "request_of",
    [
        {"url": "file:///etc/passwd"},
        {"url": "http://user:word@localhost/"},
        {"url": "http://localhost/", "method": "CONNECT"},
        {"url": "http://localhost/", "headers": {"Host": "evil.example.org"}},
        {"url": "http://localhost/", "headers": {"X": "a\r\nb: c"}},
        {"url": "http://localhost/", "bodyBase64": "%"},
    ],
)
def test_a_request_that_is_none_is_refused(agent: Run, request_of: dict[str, Any]) -> None:
    assert agent(asking(**request_of), "--allow-private", **REACHES).status == 2


def test_an_answer_is_read_in_pieces_and_never_past_the_memory(agent: Run, site: ThreadingHTTPServer) -> None:
    request = json.dumps({"url": network(site)})
    body = (
        f"(drop (call $request (i32.const 0) (i32.const {len(request)})))"
        "(if (i32.ne (call $answer (i32.const 0) (i32.const 65534) (i32.const 5)) (i32.const -2)) (then unreachable))"
        "(if (i32.ne (call $answer (i32.const 0) (i32.const 512) (i32.const 3)) (i32.const 3)) (then unreachable))"
        "(if (i32.ne (call $answer (i32.const 0) (i32.const 515) (i32.const 9)) (i32.const 2)) (then unreachable))"
        "(if (i32.ne (call $answer (i32.const 0) (i32.const 517) (i32.const 9)) (i32.const 0)) (then unreachable))"
        "(if (i32.ne (i32.load8_u (i32.const 516)) (i32.const 111)) (then unreachable))"
    )
    data = request.replace('"', '\\"')
    assert agent(start(body, REQUEST, ANSWER, data=data), "--allow-private", **REACHES) == Ended(0, "", "")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "::1",
        "fe80::1",
        "fd00::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::1",
        "0.0.0.0",
        "224.0.0.1",
        "100.64.0.1",
        "::7f00:1",
        "fe80::1%eth0",
        "nonsense",
    ],
)
def test_an_address_that_is_not_public_is_known_in_every_wrapping(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34"])
def test_a_public_address_is_one(address: str) -> None:
    assert is_public(address)


def test_a_variable_is_only_what_is_given(agent: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "x")
    sizes = f'{WASI}"environ_sizes_get" (func $sizes (param i32 i32) (result i32)))'
    body = "(drop (call $sizes (i32.const 0) (i32.const 4))) (call $exit (i32.load (i32.const 0)))"
    assert agent(start(body, sizes, EXIT)).status == 0
    assert agent(start(body, sizes, EXIT), "--env", "A=1", "--env", "B=2").status == 2
    assert agent(start(body, sizes, EXIT), "--env", "SECRET").status == 1


def test_a_container_is_refused_with_the_line_that_runs_it(agent: Run) -> None:
    config = {"runtime": "container", "image": "registry.example.org/users/alice/helper:1"}
    ended = agent(start(""), config=config, permissions={"maxMemory": "64MiB", "maxCpu": "2cores"})
    assert ended.status == 6
    assert "--network none --read-only --cap-drop all --memory 67108864 --cpus 2" in ended.err
