"""From nothing to a push and back to nothing, with the registry and the clients as a user has them."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from tests.cli.conftest import ROOT, Gati
from tests.clients.programs import Program, find_program

SECRET = "correct horse battery"
PEOPLE = ("--username", "alice", "--email", "alice@example.org", "--password-stdin")


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The registry, started as a user starts it; its address."""
    environ = os.environ | {"PORT": "0", "GATI_DATA_DIR": str(folder / "data"), "LOG_LEVEL": "warning"}
    environ.pop("DATABASE_URL", None)
    command = [sys.executable, "-m", "registry", "serve"]
    with (
        (folder / "serve.log").open("w") as log,
        subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        assert process.stdout is not None
        try:
            urls = (re.search(r"http://[^\s,]+:\d+", line) for line in process.stdout)
            yield next((found.group() for found in urls if found), "")
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry that has one account, alice's."""
    with served(tmp_path_factory.mktemp("served")) as found:
        yield found


@pytest.fixture
def alice(gati: Gati, url: str) -> Gati:
    """The client of alice, who is logged in."""
    ended = gati.run("account", "create", *PEOPLE, "--registry", url, stdin=f"{SECRET}\n")
    assert ended.status in {0, 7}, ended.err
    gati("login", url, "--username", "alice", "--password-stdin", stdin=f"{SECRET}\n")
    return gati


@pytest.fixture(scope="session")
def find() -> Callable[[str], str]:
    """Find a client's program. Where they lie is asked for while HOME is the real one, and then remembered."""
    with suppress(pytest.skip.Exception):
        find_program("crane")
    return find_program


@pytest.fixture
def client(find: Callable[[str], str], gati: Gati) -> Callable[[str], Program]:
    """A client that finds its credentials where gati puts them."""
    environ = {"HOME": str(gati.home), "DOCKER_CONFIG": str(gati.docker.parent), "PATH": os.environ["PATH"]}
    return lambda name: Program(find(name), environ)


def host(url: str) -> str:
    return url.removeprefix("http://")


def test_a_new_account_is_known_by_its_session(alice: Gati, url: str) -> None:
    me = alice("whoami", "--json").document
    assert me["account"]["username"] == "alice"
    assert me["credential"]["kind"] == "session"
    assert alice.run("account", "create", *PEOPLE, stdin=f"{SECRET}\n").status == 7
    assert alice.run("login", url, "-u", "alice", "--password-stdin", stdin="wrong\n").status == 3


def test_a_key_is_good_until_it_is_revoked(alice: Gati, url: str) -> None:
    made = alice("key", "create", "ci", "--scope", "read-only", "--expires", "30d", "--json").document
    known = {"Authorization": f"Bearer {made['key']}"}
    assert httpx.get(f"{url}/v1/me", headers=known).status_code == 200
    assert made["hint"] in alice("key", "list").out
    new = alice("key", "rotate", str(made["id"]), "--overlap", "0s").out.strip()
    assert httpx.get(f"{url}/v1/me", headers=known).status_code == 401
    known = {"Authorization": f"Bearer {new}"}
    assert httpx.get(f"{url}/v1/me", headers=known).status_code == 200
    keys = alice("key", "list", "--json").document["items"]
    alice("key", "revoke", str(next(key["id"] for key in keys if key["name"] == "ci")))
    assert httpx.get(f"{url}/v1/me", headers=known).status_code == 401


def test_a_key_logs_in_too(alice: Gati, url: str) -> None:
    key = alice("key", "create", "laptop", "--scope", "admin").out
    alice("login", url, "--api-key-stdin", stdin=key)
    assert alice("whoami", "--json").document["credential"]["kind"] == "key"
    alice("logout")


def test_a_namespace_is_made_shown_and_deleted(alice: Gati) -> None:
    alice("namespace", "create", "apex")
    assert alice("namespace", "show", "orgs/apex", "--json").document["visibility"] == "private"
    alice("namespace", "visibility", "orgs/apex", "public")
    assert alice("namespace", "show", "orgs/apex", "--json").document["visibility"] == "public"
    alice("namespace", "policy", "orgs/apex", "set", "immutableTags=v*", "bytes=1GiB")
    assert alice("namespace", "policy", "orgs/apex", "--json").document["immutableTags"] == ["v*"]
    assert "alice" in alice("namespace", "members", "orgs/apex").out
    assert alice.run("namespace", "create", "apex").status == 7
    alice("namespace", "delete", "orgs/apex", "--yes")
    assert alice.run("namespace", "show", "orgs/apex").status == 5


def test_a_robot_has_a_role_and_a_key(alice: Gati, url: str) -> None:
    alice("namespace", "create", "robotics")
    robot = alice("namespace", "robots", "orgs/robotics", "create", "ci", "--json").document["name"]
    alice("namespace", "members", "orgs/robotics", "set", robot, "write")
    key = alice("namespace", "robots", "orgs/robotics", "key", "create", "ci", "runner").out
    alice("login", url, "--api-key-stdin", stdin=key)
    assert alice("whoami", "--json").document["account"]["username"] == robot


@pytest.mark.parametrize("name", ["oras", "crane"])
def test_clients_are_logged_in_and_logged_out_with_gati(
    alice: Gati, client: Callable[[str], Program], url: str, tmp_path: Path, name: str
) -> None:
    program = client(name)
    reference = f"{host(url)}/users/alice/{name}:v1"
    (tmp_path / "hello.txt").write_text("hello")
    client("oras")("push", "--plain-http", reference, "hello.txt", cwd=tmp_path)
    listing = {"oras": ("repo", "tags", "--plain-http"), "crane": ("ls", "--insecure")}[name]
    assert program(*listing, reference.removesuffix(":v1")) == "v1"
    alice("logout")
    assert "v1" not in program.fails(*listing, reference.removesuffix(":v1")).splitlines()


def test_a_password_that_was_changed_is_the_only_one_that_is_good(gati: Gati, alice: Gati, url: str) -> None:
    alice("account", "password", "--password-stdin", stdin=f"{SECRET}\nanother horse battery\n")
    try:
        alice("whoami")
        assert alice.run("login", url, "-u", "alice", "--password-stdin", stdin=f"{SECRET}\n").status == 3
    finally:
        alice("account", "password", "--password-stdin", stdin=f"another horse battery\n{SECRET}\n")
