"""`gati doctor`, and what a shell completes."""

import importlib.util
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.shell_completion import ShellComplete

from registry.cli import doctor
from registry.cli.__main__ import gati as program
from registry.cli.agents import node
from registry.cli.api import Answer
from registry.cli.problems import Refused
from registry.cli.run import Run
from tests.cli.conftest import Gati, MemoryKeyring
from tests.cli.stand_in import StandIn, Told, refusal

OPENAPI = {"openapi": "3.1.0", "info": {"title": "Gati Registry", "version": "1.2.3"}}
DIGEST = "sha256:" + "1" * 64


@pytest.fixture
def healthy(registry: StandIn) -> StandIn:
    """A registry that says what it is, as often as it is asked here."""
    registry.answers += [("GET", "/v1/openapi.json", Told(200, OPENAPI))] * 3
    return registry


def found(gati: Gati, *words: str) -> dict[str, dict[str, str]]:
    """What the doctor found, by part."""
    document = gati.run("doctor", "--json", *words).document
    assert document["ok"] is all(one["state"] != "fail" for one in document["items"])
    return {one["part"]: one for one in document["items"]}


def test_all_is_in_order_where_it_is(gati: Gati, healthy: StandIn, ring: MemoryKeyring, tmp_path: Path) -> None:
    healthy.bearers["gati_key_mine"] = "alice"
    gati("login", healthy.url, "--api-key-stdin", stdin="gati_key_mine\n")
    ended = gati("doctor", "--dir", str(tmp_path))
    assert "fail" not in ended.out
    assert "answers, with version 1.2.3 of its API" in ended.out
    assert "You are alice" in ended.out
    assert "The keyring of this system keeps secrets." in ended.out
    assert "The clock of this machine agrees" in ended.out
    assert "gati_key_mine" not in ended.out + ended.err


def test_a_registry_that_does_not_answer_is_a_failure_and_the_rest_is_told(gati: Gati, tmp_path: Path) -> None:
    ended = gati.run("doctor", "--registry", "http://127.0.0.1:9", "--dir", str(tmp_path))
    assert ended.status == 1
    assert "fail  registry" in ended.out
    assert "cache" in ended.out


def test_who_is_not_logged_in_is_warned(gati: Gati, healthy: StandIn, tmp_path: Path) -> None:
    parts = found(gati, "--registry", healthy.url, "--dir", str(tmp_path))
    assert parts["login"]["state"] == "warn"
    assert f"gati login {healthy.url}" in parts["login"]["suggestion"]


def test_a_login_that_has_ended_is_a_failure(gati: Gati, healthy: StandIn, tmp_path: Path) -> None:
    healthy.bearers["gati_key_mine"] = "alice"
    gati("login", healthy.url, "--api-key-stdin", "--no-docker", stdin="gati_key_mine\n")
    healthy.answers.append(("GET", "/v1/me", refusal(401, "TOKEN_REVOKED", "The key was revoked.")))
    assert found(gati, "--dir", str(tmp_path))["login"]["message"] == "The key was revoked."


@pytest.mark.parametrize(
    ("now", "state", "told"), [(0, "ok", "agrees"), (90, "warn", "90 s ahead of"), (-45, "warn", "45 s behind")]
)
def test_a_clock_that_is_wrong_is_told(now: int, state: str, told: str) -> None:
    then = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    (clock,) = doctor._clock(Answer(200, {}, {"Date": "Thu, 01 Jan 2026 00:00:00 GMT"}), then + now)
    assert clock.state == state
    assert told in clock.told


def test_a_file_of_docker_that_is_broken_is_a_failure(gati: Gati, healthy: StandIn, tmp_path: Path) -> None:
    gati.docker.parent.mkdir()
    gati.docker.write_text("{")
    assert found(gati, "--registry", healthy.url, "--dir", str(tmp_path))["docker"]["state"] == "fail"


def test_a_cache_that_cannot_be_written_is_a_failure(
    gati: Gati, healthy: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert found(gati, "--registry", healthy.url, "--dir", str(tmp_path))["cache"]["state"] == "fail"


def test_what_runs_agents_is_told_with_how_to_get_it(
    gati: Gati, healthy: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)

    def none() -> Any:
        raise Refused("Here node is not installed.", "Install Node.js.")

    monkeypatch.setattr(node, "tools", none)
    parts = found(gati, "--registry", healthy.url, "--dir", str(tmp_path))
    assert "pip install 'gati-registry[agents]'" in parts["wasm agents"]["suggestion"]
    assert parts["js agents"]["suggestion"] == "Install Node.js."


def test_wasm_agents_need_an_engine(gati: Gati, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = {"name": "x", "config": {"runtime": "wasm", "wasmFile": "x.wasm"}}
    (tmp_path / "gati-module.json").write_text(json.dumps(manifest))
    for name in ("registry.cli.agents.wasm", "registry.cli.agents.denied_files"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "wasmtime", None)
    ended = gati.run("agent", "run", str(tmp_path))
    assert ended.status == 1
    assert "pip install 'gati-registry[agents]'" in ended.err


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a lock of two artifacts, of which none is installed."""
    entries = {
        f"users/alice/{name}": {"version": "1.0.0", "digest": DIGEST, "type": kind, "dependencies": {}}
        for name, kind in {"helper": "agent", "hello": "module-node"}.items()
    }
    folder = tmp_path / "project"
    folder.mkdir()
    lock = {"lockfileVersion": 1, "registry": None, "artifacts": entries}
    (folder / "gati.lock").write_text(json.dumps(lock))
    wants = {"@alice/helper": "^1.0.0", "@alice/other": "*"}
    (folder / "gati.modules.json").write_text(json.dumps({"dependencies": wants}))
    return folder


def test_a_project_that_does_not_agree_with_its_lock_is_a_failure(gati: Gati, healthy: StandIn, project: Path) -> None:
    ended = gati.run("doctor", "--registry", healthy.url, "--dir", str(project))
    assert ended.status == 1
    assert "gati.modules.json wants what gati.lock does not have: @alice/other." in ended.out
    assert "gati_modules does not have what gati.lock says: users/alice/" in ended.out
    assert "Run gati module install." in ended.out


def completed(words: list[str], incomplete: str) -> list[str]:
    completion = ShellComplete(program, {"obj": Run()}, "gati", "_GATI_COMPLETE")
    return [item.value for item in completion.get_completions(words, incomplete)]


def test_a_shell_completes_commands_options_and_what_is_installed(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert {"doctor"} <= set(completed([], "do"))
    assert set(completed(["snapshot"], "sh")) == {"show", "share"}
    assert completed(["agent"], "ru") == ["run"]
    assert "--allow-path" in completed(["agent", "run"], "--allow")
    monkeypatch.chdir(project)
    assert completed(["agent", "run"], "@") == ["@alice/helper"]
    assert completed(["agent", "run"], "users/") == ["users/alice/helper"]
    assert completed(["module", "remove"], "@alice/h") == ["@alice/hello", "@alice/helper"]
    (project / "gati.lock").write_text("{")
    assert completed(["agent", "run"], "@") == []
