"""`gati agent run` of a JavaScript agent: kept in by namespaces, or not begun."""

import json
import shutil
from pathlib import Path

import pytest

from registry.cli.agents import node
from registry.cli.problems import Problem
from tests.cli.conftest import Gati


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "file").write_text("x")
    return folder


def has_namespaces() -> bool:
    try:
        node.tools()
    except Problem:
        return False
    return True


SCRIPT = """
const fs = require('fs');
const said = {};
const attempt = (name, act) => { try { said[name] = act() } catch (error) { said[name] = error.code } };
attempt('own', () => fs.writeFileSync('/agent/x', '1'));
attempt('root', () => fs.readdirSync('/').sort().join(' '));
attempt('old', () => fs.readdirSync('/old').length);
attempt('data', () => fs.readFileSync('/data/file', 'utf8'));
attempt('write', () => fs.writeFileSync('/data/new', '1'));
attempt('tmp', () => fs.writeFileSync('/tmp/new', '1') || 'written');
said.env = Object.keys(process.env).sort().join(' ');
said.args = process.argv.slice(2);
require('net').connect(53, '192.0.2.1').on('error', error => {
  said.net = error.code;
  console.log(JSON.stringify(said));
  process.exitCode = 7;
});
"""


@pytest.mark.skipif(not has_namespaces(), reason="this machine gives no namespaces")
def test_a_js_agent_has_its_folder_what_is_granted_and_no_network(gati: Gati, tmp_path: Path, data: Path) -> None:
    folder = tmp_path / "agent"
    folder.mkdir()
    (folder / "index.js").write_text(SCRIPT)
    manifest = {
        "name": "helper",
        "config": {"runtime": "js", "entry": "index.js"},
        "capabilities": ["filesystem:read"],
        "permissions": {"allowedPaths": ["/data"], "allowedDomains": ["*.org"], "maxMemory": "64MiB"},
    }
    (folder / "gati-module.json").write_text(json.dumps(manifest))
    words = ("agent", "run", str(folder), "--allow-path", f"/data={data}", "--env", "A=1", "--", "x", "y")
    with gati.process(*words) as process:
        out, err = process.communicate()
    said = json.loads(out)
    assert process.returncode == 7
    assert err == "Denied: the network: JavaScript agents have none, whatever they declare; WASM agents do.\n"
    assert (said["own"], said["write"], said["old"]) == ("EROFS", "EROFS", 0)
    assert "etc" not in said["root"].split()
    assert "home" not in said["root"].split()
    assert (said["data"], said["tmp"], said["net"]) == ("x", "written", "ENETUNREACH")
    assert (said["env"], said["args"]) == ("A HOME PATH TMPDIR", ["x", "y"])
    assert not (folder / "x").exists()
    assert not (data / "new").exists()


@pytest.mark.skipif(not has_namespaces(), reason="this machine gives no namespaces")
def test_a_js_agent_ends_with_its_time(gati: Gati, tmp_path: Path) -> None:
    (tmp_path / "index.js").write_text("for (;;) {}")
    manifest = {
        "name": "helper",
        "config": {"runtime": "js", "entry": "index.js"},
        "permissions": {"maxDuration": "1s"},
    }
    (tmp_path / "gati-module.json").write_text(json.dumps(manifest))
    ended = gati.run("agent", "run", str(tmp_path))
    assert ended.status == 6
    assert "ran for 1 s" in ended.err


def test_a_js_agent_is_refused_where_nothing_keeps_it_in(
    gati: Gati, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "index.js").write_text("")
    (tmp_path / "gati-module.json").write_text('{"name": "x", "config": {"runtime": "js", "entry": "index.js"}}')
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    ended = gati.run("agent", "run", str(tmp_path))
    assert ended.status == 6
    assert "node is not installed" in ended.err
    for name in ("node", "setpriv", "prlimit", "mount", "pivot_root", "unshare"):
        shutil.copy("/bin/false", programs / name)
    assert "gives no namespaces" in gati.run("agent", "run", str(tmp_path)).err
