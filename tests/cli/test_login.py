"""Logging in and out, with a stand-in for the registry."""

import base64
import json
import stat
from pathlib import Path

import pytest

from tests.cli.conftest import Gati, MemoryKeyring
from tests.cli.stand_in import SOON, StandIn, Told, refusal


def host(registry: StandIn) -> str:
    return registry.url.removeprefix("http://")


def docker_entry(gati: Gati, registry: StandIn) -> tuple[str, str]:
    entry = json.loads(gati.docker.read_text())["auths"][host(registry)]
    assert set(entry) == {"auth"}
    account, _, secret = base64.b64decode(entry["auth"]).decode().partition(":")
    return account, secret


def test_a_password_begins_a_session_and_is_kept_nowhere(gati: Gati, registry: StandIn) -> None:
    ended = gati.login(registry.url)
    assert ended.out == ""
    assert f"Logged in to {registry.url} as alice." in ended.err
    assert str(gati.config) in ended.err
    assert stat.S_IMODE(gati.config.stat().st_mode) == 0o600
    for path in gati.home.rglob("*"):
        assert path.is_dir() or "correct horse" not in path.read_text()


def test_the_registry_last_logged_in_to_is_meant_when_none_is_named(gati: Gati, registry: StandIn) -> None:
    gati.login(registry.url)
    assert gati("whoami", "--json").document["account"]["username"] == "alice"
    shown = gati("whoami").out
    assert f"registry     {registry.url}\n" in shown
    assert "memberships  orgs/acme (owner)\n" in shown


def test_a_wrong_password_is_told_and_keeps_nothing(gati: Gati, registry: StandIn) -> None:
    ended = gati.run("login", registry.url, "-u", "alice", "--password-stdin", stdin="wrong\n")
    assert ended.status == 3
    assert ended.err.startswith("Error: The name or the password is wrong.")
    assert not gati.config.exists()
    assert not gati.docker.exists()


def test_docker_gets_a_key_of_its_own_that_ends(gati: Gati, registry: StandIn) -> None:
    ended = gati.login(registry.url)
    account, secret = docker_entry(gati, registry)
    (key,) = registry.keys.values()
    assert (account, secret) == ("alice", key["key"])
    assert key["name"].startswith("docker on ")
    assert (key["scopes"], key["expiresInDays"]) == (["publish"], 90)
    assert "90 days" in ended.err
    assert secret not in ended.err
    assert stat.S_IMODE(gati.docker.stat().st_mode) == 0o600


def test_no_docker_leaves_docker_alone(gati: Gati, registry: StandIn) -> None:
    gati.login(registry.url, "--no-docker")
    assert not gati.docker.exists()
    assert registry.keys == {}


def test_a_key_on_standard_input_is_checked_and_serves_docker_too(gati: Gati, registry: StandIn) -> None:
    registry.bearers["gati_key_mine"] = "alice"
    gati("login", registry.url, "--api-key-stdin", stdin="gati_key_mine\n")
    assert docker_entry(gati, registry) == ("alice", "gati_key_mine")
    assert registry.keys == {}
    gati("logout")
    assert "gati_key_mine" in registry.bearers


def test_a_key_that_is_not_good_is_refused(gati: Gati, registry: StandIn) -> None:
    ended = gati.run("login", registry.url, "--token-stdin", stdin="gati_key_lost\n")
    assert ended.status == 3
    assert not gati.config.exists()


def test_logout_revokes_session_and_docker_key_and_erases_both(gati: Gati, registry: StandIn) -> None:
    gati.login(registry.url)
    gati("logout")
    assert registry.bearers == {}
    assert registry.keys == {}
    assert json.loads(gati.docker.read_text())["auths"] == {}
    assert gati.kept()["logins"] == {}
    assert gati.run("whoami", "--registry", registry.url).status == 3


def test_logout_without_the_registry_erases_here_and_warns(gati: Gati, registry: StandIn) -> None:
    gati.login(registry.url)
    registry.answers.append(("DELETE", "/v1/api-keys/2", refusal(503, "UNAVAILABLE", "The database is away.")))
    ended = gati("logout")
    assert "Warning: The registry was not told" in ended.err
    assert json.loads(gati.docker.read_text())["auths"] == {}
    assert gati.kept()["logins"] == {}


def test_logging_out_twice_says_that_there_is_nothing_to_erase(gati: Gati, registry: StandIn) -> None:
    ended = gati.run("logout", registry.url)
    assert ended.status == 3
    assert "not logged in" in ended.err


def test_logging_in_again_revokes_what_the_login_before_had_made(gati: Gati, registry: StandIn) -> None:
    gati.login(registry.url)
    before = set(registry.bearers)
    gati.login(registry.url)
    assert len(registry.bearers) == 2
    assert not before & set(registry.bearers)
    assert docker_entry(gati, registry)[1] in registry.bearers


def test_a_session_that_ends_soon_is_renewed_before_it_is_used(gati: Gati, registry: StandIn) -> None:
    registry.expires = SOON
    gati.login(registry.url, "--no-docker")
    gati("whoami")
    gati("whoami")
    assert [asked.path for asked in registry.asked].count("/v1/auth/refresh") == 1
    assert registry.burnt == {f"gati_renew_{1:040}"}


def test_a_session_that_the_registry_calls_expired_is_renewed_and_the_request_sent_again(
    gati: Gati, registry: StandIn
) -> None:
    gati.login(registry.url, "--no-docker")
    registry.bearers.clear()
    assert gati("whoami", "--json").document["account"]["username"] == "alice"


def test_commands_at_the_same_time_renew_a_session_once(gati: Gati, registry: StandIn) -> None:
    registry.expires = SOON
    gati.login(registry.url, "--no-docker")
    processes = [gati.process("whoami", "--json") for _ in range(4)]
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert json.loads(out)["account"]["username"] == "alice"
    assert [asked.path for asked in registry.asked].count("/v1/auth/refresh") == 1


def test_a_session_that_has_ended_for_good_says_to_log_in_again(gati: Gati, registry: StandIn) -> None:
    registry.expires = SOON
    gati.login(registry.url, "--no-docker")
    registry.renewals.clear()
    ended = gati.run("whoami")
    assert ended.status == 3
    assert "The session of alice" in ended.err
    assert f"Run gati login {registry.url} again." in ended.err


def test_logout_ends_a_login_whose_session_is_over(gati: Gati, registry: StandIn) -> None:
    registry.expires = SOON
    gati.login(registry.url)
    registry.bearers.clear()
    key = next(iter(registry.keys.values()))["key"]
    registry.bearers[key] = "alice"
    ended = gati("logout")
    assert "Warning" not in ended.err
    assert registry.bearers == {}
    assert registry.keys == {}


def test_a_new_login_stays_when_the_one_before_is_over(gati: Gati, registry: StandIn) -> None:
    gati.login(registry.url, "--no-docker")
    registry.bearers.clear()
    registry.renewals.clear()
    assert "Warning" not in gati.login(registry.url).err
    gati("whoami")


def test_a_keyring_keeps_the_secrets_where_there_is_one(gati: Gati, registry: StandIn, ring: MemoryKeyring) -> None:
    ended = gati.login(registry.url)
    assert "The secret is kept in the keyring." in ended.err
    assert "gati_session_" not in gati.config.read_text()
    assert "gati_session_" in ring.secrets["gati", registry.url]
    gati("whoami")
    gati("logout")
    assert ring.secrets == {}


def test_a_keyring_that_fails_is_replaced_by_the_file(
    gati: Gati, registry: StandIn, ring: MemoryKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("the collection is locked")

    monkeypatch.setattr(ring, "set_password", fail)
    ended = gati.login(registry.url)
    assert "Warning: The keyring failed (the collection is locked)" in ended.err
    gati("whoami")


def test_a_locked_keyring_is_told(
    gati: Gati, registry: StandIn, ring: MemoryKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    gati.login(registry.url)

    def fail(*_: object) -> None:
        raise OSError("it is locked")

    monkeypatch.setattr(ring, "get_password", fail)
    ended = gati.run("whoami")
    assert ended.status == 3
    assert "it is locked" in ended.err


def test_a_file_that_others_could_read_is_mended_with_a_warning(gati: Gati, registry: StandIn) -> None:
    gati.login(registry.url)
    gati.config.chmod(0o644)
    ended = gati("whoami")
    assert f"Warning: Others could read {gati.config}" in ended.err
    assert stat.S_IMODE(gati.config.stat().st_mode) == 0o600


def test_the_configuration_folder_of_the_user_is_respected(
    gati: Gati, registry: StandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    gati.login(registry.url)
    assert (tmp_path / "xdg/gati/credentials.json").exists()
    assert not gati.config.exists()


def test_a_password_that_must_be_changed_is_told_and_changing_it_logs_in(gati: Gati, registry: StandIn) -> None:
    registry.must_change = True
    ended = gati.login(registry.url)
    assert "run gati account password" in ended.err
    assert registry.keys == {}
    registry.must_change = False
    gati("account", "password", "--password-stdin", stdin="correct horse\nbattery staple\n")
    assert registry.passwords["alice"] == "battery staple"
    assert len(registry.bearers) == 2
    assert docker_entry(gati, registry)[0] == "alice"


def test_a_docker_file_that_cannot_be_used_leaves_gati_logged_in_and_makes_no_key(
    gati: Gati, registry: StandIn
) -> None:
    gati.docker.parent.mkdir()
    gati.docker.write_text("{ not json")
    ended = gati.run("login", registry.url, "-u", "alice", "--password-stdin", "--json", stdin="correct horse\n")
    assert ended.status == 1
    assert ended.document["error"]["message"].startswith("You are logged in, but docker")
    assert registry.keys == {}
    assert gati.docker.read_text() == "{ not json"
    gati("whoami")


def test_a_password_is_not_asked_for_without_a_terminal(gati: Gati, registry: StandIn) -> None:
    ended = gati.run("login", registry.url, "--username", "alice")
    assert ended.status == 1
    assert "--password-stdin" in ended.err


def test_a_terminal_is_asked_for_name_and_password(
    gati: Gati, registry: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("click.termui.hidden_prompt_func", lambda _: "correct horse")
    ended = gati.run("login", registry.url, stdin="alice\n", typed=True)
    assert ended.status == 0, ended.err


def test_a_token_in_an_error_message_is_not_shown(gati: Gati, registry: StandIn) -> None:
    message = "The token gati_key_0123456789abcdef is wrong.\x1b[2J"
    registry.answers.append(("POST", "/v1/auth/login", Told(422, {"code": "UNPROCESSABLE", "message": message})))
    ended = gati.run("login", registry.url, "-u", "alice", "--password-stdin", stdin="x\n")
    assert ended.status == 1
    assert "0123456789abcdef" not in ended.err
    assert "\x1b" not in ended.err
