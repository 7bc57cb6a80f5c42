"""An installation that fails or is killed, wherever it is, leaves the project as it was."""

import errno
import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.cli import transaction
from registry.cli.transaction import Transaction
from tests.cli.app import App
from tests.cli.conftest import Gati
from tests.cli.depot import Depot, Layer, stocked
from tests.cli.stand_in import Asked, Told

HELLO, AUTH, CORE = "users/alice/hello", "orgs/acme/auth", "orgs/acme/core"


class Killed(BaseException):
    """The process ends here, and nothing of it runs any more."""


@pytest.fixture
def depot() -> Iterator[Depot]:
    with stocked() as found:
        for version in ("1.0.0", "1.1.0"):
            found.publish(CORE, version)
        found.publish(AUTH, "1.0.0", wants=[(CORE, "^1.0.0")])
        found.publish(HELLO, "1.0.0", wants=[(AUTH, "*")])
        yield found


@pytest.fixture
def app(tmp_path: Path, gati: Gati, depot: Depot, monkeypatch: pytest.MonkeyPatch) -> App:
    """A project that has core 1.0.0, and is about to have hello, auth and core 1.1.0."""
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    folder = tmp_path / "app"
    folder.mkdir()
    found = App(folder, gati, depot)
    found("install", "@acme/core@1.0.0")
    found("install", "@acme/core@^1")
    return found


class Faults:
    """Renames that fail at one of them, the `at`th."""

    def __init__(self, error: BaseException, at: int) -> None:
        self.left = at
        self._error = error
        self._move = transaction.move

    def __call__(self, source: Path, target: Path) -> None:
        self.left -= 1
        if self.left == 0:
            raise self._error
        self._move(source, target)


STEPS = range(1, 9)
"""Renames of the change: the journal, the old and new folder of core, two new folders, three files."""


@pytest.mark.parametrize("at", STEPS)
def test_a_rename_that_fails_takes_all_back_at_once(app: App, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    before = app.tree()
    with monkeypatch.context() as patch:
        patch.setattr(transaction, "move", Faults(OSError(errno.ENOSPC, "No space left on device", "x"), at))
        ended = app.run("install", "@acme/core@^1.1.0", "@alice/hello")
    assert ended.status == 1
    assert "No space left" in ended.err
    assert app.tree() == before


@pytest.mark.parametrize("at", STEPS)
def test_what_a_killed_installation_left_is_taken_back_by_the_next_command(
    app: App, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    before = app.tree()
    with monkeypatch.context() as patch:
        patch.setattr(transaction, "move", Faults(Killed(), at))
        patch.setattr(Transaction, "__exit__", lambda *_: None)
        with pytest.raises(Killed):
            app.run("install", "@acme/core@^1.1.0", "@alice/hello")
    assert app.tree() != before
    with monkeypatch.context() as patch:
        patch.setattr(transaction, "move", Faults(Killed(), 1))
        patch.setattr(Transaction, "__exit__", lambda *_: None)
        if at > 2:
            with pytest.raises(Killed):
                app.run("list")
    app("list")
    assert app.tree() == before
    app("install", "@alice/hello")
    assert set(app.versions()) == {HELLO, AUTH, CORE}


def test_all_renames_are_tried(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    faults = Faults(Killed(), 1000)
    monkeypatch.setattr(transaction, "move", faults)
    app("install", "@acme/core@^1.1.0", "@alice/hello")
    assert 1000 - faults.left == STEPS[-1]


def test_an_installation_that_is_killed_while_it_fetches_has_changed_nothing(app: App, depot: Depot) -> None:
    before = app.tree()
    reached, goes_on = threading.Event(), threading.Event()
    answer = depot.answer

    def held(asked: Asked) -> Told:
        if "/blobs/" in asked.path:
            reached.set()
            goes_on.wait(30)
        return answer(asked)

    depot.answer = held  # type: ignore[method-assign]
    words = ("module", "install", "@alice/hello", "--dir", str(app.folder), "--registry", depot.url)
    with app.gati.process(*words) as process:
        assert reached.wait(30)
        process.kill()
    goes_on.set()
    assert app.tree() == before
    app("install", "@alice/hello")
    assert set(app.versions()) == {HELLO, AUTH, CORE}


def test_one_broken_artifact_of_many_leaves_the_others_out_too(app: App, depot: Depot) -> None:
    before = app.tree()
    depot.publish("users/alice/bad", "1.0.0", Layer(b"no archive"), wants=[(HELLO, "*")])
    ended = app.run("install", "@alice/bad")
    assert ended.status == 4
    assert app.tree() == before


@pytest.mark.parametrize("title", ["../../../out", "/etc/out", ".gati/manifest.json"])
def test_a_title_that_leads_out_is_refused(app: App, depot: Depot, title: str) -> None:
    before = app.tree()
    depot.publish("users/alice/bad", "1.0.0", Layer(b"x", "application/wasm", title))
    assert app.run("install", "@alice/bad").status == 4
    assert app.tree() == before


def test_a_layer_without_a_digest_is_refused(app: App, depot: Depot) -> None:
    layers = [{"digest": "sha256:../../../../etc/passwd", "size": 3, "mediaType": "text/markdown"}]
    config = {"digest": "sha256:" + "0" * 64, "size": 2, "mediaType": "application/json"}
    raw = depot.hold(json.dumps({"schemaVersion": 2, "config": config, "layers": layers}).encode(), "x/y")
    depot.release("users/alice/bad", "1.0.0", raw)
    assert app.run("install", "@alice/bad").status == 4


def test_a_lock_with_other_layers_than_the_manifest_is_refused(app: App) -> None:
    lock = app.json("gati.lock")
    lock["artifacts"][CORE]["layers"][0]["digest"] = "sha256:" + "0" * 64
    (app.folder / "gati.lock").write_text(json.dumps(lock))
    shutil.rmtree(app.modules)
    ended = app.run("install")
    assert ended.status == 4
    assert "other layers" in ended.err


@pytest.mark.parametrize(
    "name", ["gati_modules", "gati_modules/users", "gati_modules/users/alice", "gati_modules/.gati"]
)
def test_a_link_in_the_way_has_nothing_written_elsewhere(app: App, tmp_path: Path, name: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    place = app.folder / name
    shutil.rmtree(place, ignore_errors=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(elsewhere)
    ended = app.run("install", "@alice/hello")
    assert ended.status == 1
    assert "symbolic link" in ended.err
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize(
    "journal",
    [
        {"folders": {"../../elsewhere": False}, "files": {}},
        {"folders": {}, "files": {"../elsewhere/x": False}},
        {"folders": []},
        [],
    ],
)
def test_a_journal_that_came_with_a_project_reaches_nothing_else(app: App, tmp_path: Path, journal: object) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "x").write_text("kept")
    (app.modules / ".gati").mkdir()
    (app.modules / ".gati" / "journal.json").write_text(json.dumps(journal))
    ended = app.run("install")
    assert ended.status == 1
    assert "no journal of gati" in ended.err
    assert (elsewhere / "x").read_text() == "kept"


def test_two_installations_at_once_are_done_one_after_the_other(app: App, depot: Depot) -> None:
    where = ("--dir", str(app.folder), "--registry", depot.url)
    both = [app.gati.process("module", "install", name, *where) for name in ("@alice/hello", "@acme/auth")]
    for process in both:
        process.communicate()
        assert process.returncode == 0
    assert set(app.json("gati.modules.json")["dependencies"]) == {"@acme/core", "@acme/auth", "@alice/hello"}
