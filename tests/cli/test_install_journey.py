"""Publishing in one folder and installing in another, with a registry as a user has it."""

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from registry.cli.tokens import Tokens
from tests.cli.conftest import Gati
from tests.cli.test_journey import SECRET, served


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A registry that has one account, alice's, and a key of hers."""
    folder = tmp_path_factory.mktemp("served")
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setenv("RATE_LIMIT_UPLOAD", "0")
        url = stack.enter_context(served(folder))
        http = stack.enter_context(httpx.Client(base_url=url, timeout=30))
        account = {"username": "alice", "password": SECRET}
        assert http.post("/v1/users", json=account | {"email": "alice@example.org"}).status_code == 201
        session = http.post("/v1/auth/login", json=account).json()["value"]
        headers = {"Authorization": f"Bearer {session}"}
        made = http.post("/v1/api-keys", json={"name": "test", "scopes": ["publish"]}, headers=headers)
        yield url, made.json()["key"]


@pytest.fixture
def url(place: tuple[str, str]) -> str:
    """The address of the registry."""
    return place[0]


@pytest.fixture
def alice(gati: Gati, place: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> Gati:
    """The client of alice, who is logged in."""
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    gati("login", place[0], "--api-key-stdin", "--no-docker", stdin=f"{place[1]}\n")
    return gati


def publish(gati: Gati, folder: Path, name: str, version: str, **more: Any) -> None:
    """Publish a Node module from a folder of its own."""
    folder.mkdir(parents=True)
    manifest = {"name": name, "version": version, "config": {"type": "node", "entry": "index.js"}} | more
    (folder / "gati-module.json").write_text(json.dumps(manifest))
    (folder / "index.js").write_text(f"// {name} {version}\n")
    gati("module", "publish", str(folder))


def versions(app: Path) -> dict[str, str]:
    """The versions of what is installed, as its Gati manifests say."""
    found = app.glob("gati_modules/*/*/*/.gati/manifest.json")
    return {path.parents[1].name: json.loads(path.read_text())["version"] for path in found}


def test_what_one_folder_publishes_another_installs_updates_and_removes(alice: Gati, tmp_path: Path) -> None:
    app = tmp_path / "app"
    app.mkdir()
    publish(alice, tmp_path / "core1", "core", "1.0.0")
    wants = [{"name": "@alice/core", "version": "^1.0.0"}]
    publish(alice, tmp_path / "hello1", "hello", "1.0.0", dependencies=wants)
    where = ("--dir", str(app))
    alice("module", "install", "hello", *where)
    assert versions(app) == {"hello": "1.0.0", "core": "1.0.0"}
    assert (app / "gati_modules/users/alice/hello/index.js").read_text() == "// hello 1.0.0\n"
    publish(alice, tmp_path / "core2", "core", "1.1.0")
    outdated = alice("module", "list", "--outdated", "--json", *where).document["items"]
    assert [(row["name"], row["version"], row["wanted"]) for row in outdated] == [
        ("users/alice/core", "1.0.0", "1.1.0")
    ]
    alice("module", "update", *where)
    assert versions(app) == {"hello": "1.0.0", "core": "1.1.0"}
    shutil.rmtree(app / "gati_modules")
    alice("module", "install", "--offline", *where)
    assert versions(app) == {"hello": "1.0.0", "core": "1.1.0"}
    alice("module", "remove", "hello", *where)
    assert versions(app) == {}


def test_a_deprecated_and_a_withdrawn_version_are_told_apart(alice: Gati, tmp_path: Path) -> None:
    app = tmp_path / "app"
    app.mkdir()
    for number, version in enumerate(("1.0.0", "1.1.0", "1.2.0")):
        publish(alice, tmp_path / f"old{number}", "old", version)
    alice("module", "deprecate", "@alice/old@1.1.0", "--reason", "It leaks.")
    alice("module", "unpublish", "@alice/old@1.2.0", "--yes")
    alice("module", "install", "@alice/old", "--dir", str(app))
    assert versions(app) == {"old": "1.0.0"}
    ended = alice.run("module", "install", "@alice/old@1.2.0", "--dir", str(app))
    assert ended.status == 5
    assert "published: 1.1.0, 1.0.0" in ended.err
    assert "It leaks." in alice("module", "install", "@alice/old@1.1.0", "--dir", str(app)).err


def test_a_stranger_sees_nothing_to_install(alice: Gati, url: str, tmp_path: Path) -> None:
    publish(alice, tmp_path / "own", "own", "1.0.0")
    alice("logout", url)
    ended = alice.run("module", "install", "@alice/own", "--dir", str(tmp_path), "--registry", url)
    assert ended.status == 5
    assert not (tmp_path / "gati_modules").exists()


def test_one_token_serves_many_artifacts(
    alice: Gati, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = tmp_path / "app"
    app.mkdir()
    names = [f"part-{number}" for number in range(4)]
    for name in names:
        publish(alice, tmp_path / name, name, "1.0.0")
    asked: list[list[str]] = []
    fetched = Tokens._fetched

    def noted(tokens: Tokens, scopes: tuple[str, ...]) -> tuple[httpx.Response, bytes]:
        asked.append(list(scopes))
        return fetched(tokens, scopes)

    monkeypatch.setattr(Tokens, "_fetched", noted)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    alice("module", "install", *(f"@alice/{name}" for name in names), "--dir", str(app), "--registry", url)
    assert asked == [[f"repository:users/alice/{name}:pull" for name in names]]
    assert sorted(path.name for path in (app / "gati_modules/users/alice").iterdir()) == names
