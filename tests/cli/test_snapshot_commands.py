"""`gati snapshot`, `init`, `model` and `agent run`, against a registry as a user has it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from wasmtime import wat2wasm

from tests.cli.conftest import Ended, Gati
from tests.cli.test_journey import PEOPLE, SECRET, served


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry of this file's own."""
    with served(tmp_path_factory.mktemp("served")) as found:
        yield found


@pytest.fixture
def alice(gati: Gati, url: str) -> Gati:
    """The client of alice, who is logged in."""
    ended = gati.run("account", "create", *PEOPLE, "--registry", url, stdin=f"{SECRET}\n")
    assert ended.status in {0, 7}, ended.err
    gati("login", url, "--username", "alice", "--password-stdin", "--no-docker", stdin=f"{SECRET}\n")
    return gati


def put(folder: Path, manifest: dict[str, Any], **files: str | bytes) -> Path:
    """A project of these files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        place = folder / name.replace("__", "/").replace("_dot_", ".")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())
    (folder / "gati-module.json").write_text(json.dumps(manifest))
    return folder


def module(folder: Path, name: str, version: str = "1.0.0", **more: Any) -> Path:
    manifest = {"name": name, "version": version, "config": {"type": "node", "entry": "index.js"}} | more
    return put(folder, manifest, index_dot_js=f"export default {name!r};\n")


def publish(alice: Gati, folder: Path, kind: str = "module") -> None:
    ended = alice.run(kind, "publish", str(folder))
    assert ended.status == 0 or "ALREADY" in ended.err or "already" in ended.err, ended.err


@pytest.fixture
def project(alice: Gati, tmp_path: Path) -> Path:
    """A project that has two modules installed, and a secret in its configuration."""
    publish(alice, module(tmp_path / "log", "log"))
    wants = [{"name": "@alice/log", "version": "^1.0.0"}]
    publish(alice, module(tmp_path / "shop", "shop", dependencies=wants))
    folder = tmp_path / "project"
    folder.mkdir()
    alice("module", "install", "@alice/shop", "--dir", str(folder), "--yes")
    configuration = {"level": "info", "database": {"host": "db", "password": "hunter2-hunter2"}}
    (folder / "gati.config.json").write_text(json.dumps(configuration))
    return folder


def create(alice: Gati, project: Path, name: str, *words: str) -> Ended:
    return alice("snapshot", "create", name, "--dir", str(project), "--json", *words)


def test_a_snapshot_brings_an_environment_elsewhere(
    alice: Gati, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = create(alice, project, "bench").document
    assert made["type"] == "snapshot"
    target = tmp_path / "fresh"
    ended = alice("snapshot", "restore", f"bench@{made['version']}", "--dir", str(target), "--json")
    assert ended.document["missingSecrets"] == ["DATABASE_PASSWORD"]
    assert "The secret DATABASE_PASSWORD is missing" in ended.err
    for name in ("gati.modules.json", "gati.lock"):
        assert json.loads((target / name).read_text()) == json.loads((project / name).read_text())
    configuration = json.loads((target / "gati.config.json").read_text())
    assert configuration == {"level": "info", "database": {"host": "db", "password": "${DATABASE_PASSWORD}"}}
    installed = target / "gati_modules" / "users" / "alice" / "log" / "index.js"
    assert installed.read_text() == "export default 'log';\n"
    assert "All is installed already" in alice("module", "install", "--dir", str(target)).err
    monkeypatch.setenv("DATABASE_PASSWORD", "x")
    again = alice("snapshot", "restore", f"bench@{made['digest']}", "--dir", str(tmp_path / "more"), "--json")
    assert again.document["missingSecrets"] == []
    assert (tmp_path / "more" / "gati_modules").is_dir()
    assert alice.run("snapshot", "restore", "bench", "--dir", str(target)).status == 7


def test_no_secret_is_in_what_is_sent(alice: Gati, project: Path, url: str) -> None:
    made = create(alice, project, "clean").document
    for layer in [{"digest": made["digest"]}, *made["layers"]]:
        kind = "manifests" if layer["digest"] == made["digest"] else "blobs"
        token = alice.kept()["logins"][url]["secret"]["value"]
        raw = httpx.get(
            f"{url}/v2/users/alice/clean/{kind}/{layer['digest']}", headers={"Authorization": f"Bearer {token}"}
        )
        assert b"hunter2" not in raw.content
    shown = alice("snapshot", "show", "clean", "--json")
    assert "hunter2" not in shown.out
    assert "DATABASE_PASSWORD" in shown.out


def test_what_looks_like_a_secret_keeps_a_snapshot_from_being_made(alice: Gati, project: Path) -> None:
    (project / "deploy.sh").write_text("curl -H 'x' https://user:s3cretpassw0rd@example.org\n")
    ended = alice.run("snapshot", "create", "leak", "--dir", str(project), "--config", "deploy.sh")
    assert ended.status == 6
    assert "looks like a secret" in ended.err
    assert alice.run("snapshot", "show", "leak").status == 5
    (project / "gati.config.json").write_text(json.dumps({"greeting": "open sesame"}))
    named = create(alice, project, "named", "--secret", "gati.config.json#/greeting", "--dry-run").document
    assert named["config"]["config"]["config"]["files"]["gati.config.json"] == {"greeting": "${SECRET_GREETING}"}


def test_snapshots_are_numbered_listed_and_shown(alice: Gati, project: Path) -> None:
    first, second = (create(alice, project, "daily").document["version"] for _ in range(2))
    assert (first, second) == ("1.0.0", "1.1.0")
    assert "users/alice/daily  1.1.0" in alice("snapshot", "list").out
    shown = alice("snapshot", "show", "daily").out
    assert "module  users/alice/log   1.0.0    sha256:" in shown


def test_a_link_shows_and_restores_until_it_is_revoked(alice: Gati, project: Path, tmp_path: Path) -> None:
    create(alice, project, "shared")
    made = alice("snapshot", "share", "shared", "--expires", "1h", "--json").document
    link = made["url"]
    assert httpx.get(link).json()["repository"] == "users/alice/shared"
    assert "hunter2" not in httpx.get(link).text
    assert "users/alice/log" in alice("snapshot", "show", link).out
    ended = alice("snapshot", "restore", link, "--dir", str(tmp_path / "linked"))
    assert "shared 1.0.0 is restored" in ended.err
    assert (tmp_path / "linked" / "gati_modules" / "users" / "alice" / "shop" / "index.js").is_file()
    assert str(made["id"]) in alice("snapshot", "share", "shared", "--list").out
    assert "1 link ended" in alice("snapshot", "share", "shared", "--revoke", "all").err
    ended = alice.run("snapshot", "restore", link, "--dir", str(tmp_path / "late"))
    assert ended.status == 5
    assert not (tmp_path / "late").exists()


def test_a_project_without_a_lock_has_nothing_to_keep(alice: Gati, tmp_path: Path) -> None:
    ended = alice.run("snapshot", "create", "none", "--dir", str(tmp_path))
    assert ended.status == 5
    assert "there is nothing to keep" in ended.err


def test_what_is_linked_to_a_folder_cannot_be_kept(alice: Gati, project: Path) -> None:
    wanted = json.loads((project / "gati.modules.json").read_text())
    wanted["dependencies"]["@alice/draft"] = "link:../draft"
    (project / "gati.modules.json").write_text(json.dumps(wanted))
    ended = alice.run("snapshot", "create", "linked", "--dir", str(project))
    assert ended.status == 1
    assert "@alice/draft stands for a folder of this machine" in ended.err


def test_a_template_of_the_registry_becomes_a_project(alice: Gati, tmp_path: Path) -> None:
    manifest = {
        "name": "starter",
        "version": "1.0.0",
        "files": ["README.md", "src/**"],
        "config": {"templateType": "app", "variables": [{"name": "projectName", "required": True}]},
    }
    files = {"README_dot_md": "# {{ projectName }}\n", "src__{{ projectName }}_dot_js": ""}
    publish(alice, put(tmp_path / "starter", manifest, **files), "template")
    target = tmp_path / "shop"
    alice("init", "--template", "@alice/starter@1.0.0", "--dir", str(target))
    assert (target / "README.md").read_text() == "# shop\n"
    assert sorted(path.name for path in target.rglob("*")) == ["README.md", "shop.js", "src"]


def test_an_agent_of_the_registry_runs_fetched_and_installed(alice: Gati, tmp_path: Path) -> None:
    wat = (
        '(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))'
        ' (import "gati" "http_request" (func (param i32 i32) (result i32)))'
        ' (import "gati" "http_read" (func (param i32 i32 i32) (result i32))) (memory (export "memory") 1)'
        ' (func (export "_start") (call $exit (i32.const 7))))'
    )
    manifest = {
        "name": "helper",
        "version": "1.0.0",
        "capabilities": ["network:egress"],
        "config": {
            "runtime": "wasm",
            "wasi": True,
            "wasmFile": "agent.wasm",
            "recipe": "recipe.yaml",
            "modelReferences": [],
            "skillGraph": {"skills": ["help"], "dependencies": {}},
        },
    }
    files: dict[str, str | bytes] = {
        "agent_dot_wasm": bytes(wat2wasm(wat)),
        "recipe_dot_yaml": "steps:\n  - skill: help\n",
    }
    publish(alice, put(tmp_path / "helper", manifest, **files), "agent")
    project = tmp_path / "agents"
    project.mkdir()
    assert alice.run("agent", "run", "@alice/helper", "--dir", str(project)).status == 7
    alice("module", "install", "@alice/helper", "--dir", str(project), "--yes")
    assert alice.run("agent", "run", "helper", "--dir", str(project)).status == 7
    (project / "gati_modules/users/alice/helper/agent.wasm").write_bytes(b"\0asm")
    ended = alice.run("agent", "run", "helper", "--dir", str(project))
    assert ended.status == 1
    assert "is not as it was installed" in ended.err
