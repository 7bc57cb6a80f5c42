"""The entry that docker, podman, oras, crane and cosign read."""

import base64
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from registry.cli.docker import DockerConfig
from registry.cli.problems import Problem

HOST = "registry.example.org"
HELPER = """#!/bin/sh
printf '%s %s\\n' "$1" "$(cat)" >> "{log}"
{more}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "docker"
    found.mkdir()
    return found


@pytest.fixture
def config(folder: Path) -> DockerConfig:
    return DockerConfig({"DOCKER_CONFIG": str(folder), "REGISTRY_AUTH_FILE": str(folder / "auth.json")})


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put a credential helper on PATH; the file that it writes down its calls in."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")

    def make(name: str, more: str = "") -> Path:
        log = tmp_path / f"{name}.log"
        program = programs / f"docker-credential-{name}"
        program.write_text(HELPER.format(log=log, more=more))
        program.chmod(0o755)
        return log

    return make


def put(folder: Path, content: Any) -> None:
    (folder / "config.json").write_text(json.dumps(content))


def got(folder: Path) -> Any:
    return json.loads((folder / "config.json").read_text())


def test_an_entry_is_account_and_secret_and_all_else_stays(folder: Path, config: DockerConfig) -> None:
    before: dict[str, Any] = {
        "HttpHeaders": {"X": "ü"},
        "auths": {"other": {"auth": "b3RoZXI=", "email": "x"}},
        "unknown": [1, 2.5],
    }
    put(folder, before)
    assert config.store(HOST, "alice", "gati_key_1:with:colons") == str(folder / "config.json")
    auth = base64.b64encode(b"alice:gati_key_1:with:colons").decode()
    assert got(folder) == before | {"auths": {"other": before["auths"]["other"], HOST: {"auth": auth}}}
    assert list(got(folder)) == list(before)


def test_a_new_file_and_a_changed_one_are_for_the_owner_alone(folder: Path, config: DockerConfig) -> None:
    config.store(HOST, "alice", "one")
    assert stat.S_IMODE(config.path.stat().st_mode) == 0o600
    config.path.chmod(0o644)
    config.store(HOST, "alice", "two")
    assert stat.S_IMODE(config.path.stat().st_mode) == 0o600


def test_an_entry_with_an_identity_token_is_replaced_whole(folder: Path, config: DockerConfig) -> None:
    put(folder, {"auths": {HOST: {"auth": "YWxpY2U6", "identitytoken": "old"}}})
    config.store(HOST, "alice", "new")
    assert set(got(folder)["auths"][HOST]) == {"auth"}


def test_a_linked_file_stays_a_link(folder: Path, config: DockerConfig, tmp_path: Path) -> None:
    target = tmp_path / "dotfiles.json"
    target.write_text('{"psFormat": "x"}')
    config.path.symlink_to(target)
    config.store(HOST, "alice", "one")
    assert config.path.is_symlink()
    assert json.loads(target.read_text())["psFormat"] == "x"
    assert HOST in json.loads(target.read_text())["auths"]


def test_the_store_of_docker_gets_the_secret_and_the_file_does_not(
    folder: Path, config: DockerConfig, helper: Any
) -> None:
    log = helper("safe")
    put(folder, {"credsStore": "safe", "auths": {HOST: {"auth": "b2xkOm9sZA=="}}})
    assert config.store(HOST, "alice", "gati_key_1") == "docker-credential-safe"
    verb, _, said = log.read_text().strip().partition(" ")
    assert (verb, json.loads(said)) == (
        "store",
        {"ServerURL": HOST, "Username": "alice", "Secret": "gati_key_1"},
    )
    assert got(folder) == {"credsStore": "safe", "auths": {HOST: {}}}
    config.erase(HOST)
    assert log.read_text().splitlines()[1] == f"erase {HOST}"
    assert got(folder)["auths"] == {}


def test_the_helper_of_a_registry_comes_before_the_store(folder: Path, config: DockerConfig, helper: Any) -> None:
    store, own = helper("safe"), helper("own")
    put(folder, {"credsStore": "safe", "credHelpers": {HOST: "own"}})
    config.store(HOST, "alice", "gati_key_1")
    assert own.exists()
    assert not store.exists()


def test_a_helper_that_fails_is_quoted(folder: Path, config: DockerConfig, helper: Any) -> None:
    helper("safe", "echo the vault is shut; exit 1")
    put(folder, {"credsStore": "safe"})
    with pytest.raises(Problem, match="docker-credential-safe store failed: the vault is shut"):
        config.store(HOST, "alice", "gati_key_1")
    assert got(folder) == {"credsStore": "safe"}


def test_erasing_what_a_helper_does_not_have_is_no_failure(folder: Path, config: DockerConfig, helper: Any) -> None:
    helper("safe", "echo credentials not found in native keychain; exit 1")
    put(folder, {"credsStore": "safe"})
    config.erase(HOST)


def test_a_helper_that_is_not_installed_is_named(folder: Path, config: DockerConfig) -> None:
    put(folder, {"credsStore": "nowhere"})
    with pytest.raises(Problem, match="docker-credential-nowhere") as caught:
        config.store(HOST, "alice", "x")
    assert "--no-docker" in caught.value.suggestions[0]


@pytest.mark.parametrize("name", ["../evil", "a b", "", 7, "x;y"])
def test_a_helper_is_the_name_of_a_program(folder: Path, config: DockerConfig, name: Any) -> None:
    put(folder, {"credsStore": name})
    if name == "":
        config.check(HOST)
        return
    with pytest.raises(Problem, match="cannot be a program"):
        config.check(HOST)


@pytest.mark.parametrize("content", ["[]", "{", '{"auths": 1}', "\xff"])
def test_a_file_of_another_form_is_left_as_it_is(folder: Path, config: DockerConfig, content: str) -> None:
    config.path.write_bytes(content.encode("latin-1"))
    with pytest.raises(Problem, match=r"JSON|object"):
        config.store(HOST, "alice", "x")
    assert config.path.read_bytes() == content.encode("latin-1")


def test_erasing_without_a_file_makes_none(config: DockerConfig) -> None:
    config.erase(HOST)
    assert not config.path.exists()


def test_an_entry_of_podmans_own_that_would_win_is_found(folder: Path, config: DockerConfig) -> None:
    assert config.shadow(HOST) is None
    (folder / "auth.json").write_text(json.dumps({"auths": {HOST: {"auth": "eDp5"}}}))
    assert config.shadow(HOST) == folder / "auth.json"
