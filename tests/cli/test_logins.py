"""The file of logins, with several writers."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from registry.cli.logins import Login, Logins
from registry.cli.problems import Problem
from registry.cli.ring import Ring
from tests.cli.conftest import Gati


@pytest.fixture
def logins(gati: Gati) -> Logins:
    return Logins(gati.config.parent, Ring(), print)


def test_writers_at_the_same_time_lose_no_login(gati: Gati, logins: Logins) -> None:
    def put(number: int) -> None:
        with logins.locked():
            logins.put(Login(f"https://r{number}.example.org", "alice", f"secret-{number}"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, range(40)))
    for number in range(40):
        login = logins.get(f"https://r{number}.example.org")
        assert login is not None
        assert login.value == f"secret-{number}"
    assert sorted(path.name for path in gati.config.parent.iterdir()) == ["credentials.json", "lock"]


def test_a_login_is_read_back_whole(logins: Logins) -> None:
    login = Login("https://r.example.org", "alice", "v", "r", "2100-01-01T00:00:00Z", False, True, "7")  # noqa: FBT003
    logins.put(login, is_new=True)
    assert logins.get(login.registry) == login
    assert logins.last() == login.registry


def test_a_login_does_not_show_its_secrets() -> None:
    assert "hidden" not in repr(Login("https://r.example.org", "alice", "hidden", "hidden"))


def test_forgetting_the_last_login_goes_back_to_the_one_before(logins: Logins) -> None:
    for name in ("one", "two"):
        logins.put(Login(f"https://{name}", "alice", "v"), is_new=True)
    logins.drop("https://two")
    assert logins.last() == "https://one"
    logins.drop("https://one")
    assert logins.last() is None


@pytest.mark.parametrize("content", ["[1]", '{"logins": 3}', '{"logins": {"https://r": 1}}', "{}"])
def test_a_file_without_meaning_has_no_logins(gati: Gati, logins: Logins, content: str) -> None:
    gati.config.parent.mkdir(parents=True)
    gati.config.touch(0o600)
    gati.config.write_text(content)
    assert logins.get("https://r") is None
    logins.put(Login("https://r", "alice", "v"))
    assert json.loads(gati.config.read_text())["logins"]["https://r"]["account"] == "alice"


def test_a_file_that_is_not_json_is_left_as_it_is(gati: Gati, logins: Logins) -> None:
    gati.config.parent.mkdir(parents=True)
    gati.config.touch(0o600)
    gati.config.write_text("{")
    with pytest.raises(Problem, match="not JSON"):
        logins.put(Login("https://r", "alice", "v"))
    assert gati.config.read_text() == "{"


def test_a_folder_that_cannot_be_made_is_told(gati: Gati, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    logins = Logins(tmp_path / "file" / "gati", Ring(), print)
    with pytest.raises(Problem, match="cannot be made"), logins.locked():
        pass
