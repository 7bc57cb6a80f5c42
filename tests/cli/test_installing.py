import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.cli.app import App
from tests.cli.conftest import Gati
from tests.cli.depot import Depot, Layer, packed, stocked

HELLO, AUTH, CORE = "users/alice/hello", "orgs/acme/auth", "orgs/acme/core"


@pytest.fixture
def depot() -> Iterator[Depot]:
    with stocked() as found:
        yield found


@pytest.fixture
def app(tmp_path: Path, gati: Gati, depot: Depot, monkeypatch: pytest.MonkeyPatch) -> App:
    """An empty project."""
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    folder = tmp_path / "app"
    folder.mkdir()
    return App(folder, gati, depot)


@pytest.fixture
def stocks(depot: Depot) -> Depot:
    """Hello wants auth, which wants core; there are several versions of each."""
    for version in ("1.0.0", "1.1.0", "2.0.0"):
        depot.publish(CORE, version)
    for version in ("1.0.0", "1.2.0"):
        depot.publish(AUTH, version, wants=[(CORE, "^1.0.0")])
    depot.publish(HELLO, "1.2.3", wants=[(AUTH, "^1.0.0")])
    return depot


def test_an_artifact_comes_with_all_that_it_needs(app: App, stocks: Depot) -> None:
    app("install", "@alice/hello")
    assert app.versions() == {HELLO: "1.2.3", AUTH: "1.2.0", CORE: "1.1.0"}
    assert (app.modules / HELLO / "index.js").read_text() == f"// {HELLO} 1.2.3\n"
    assert app.json("gati.modules.json") == {"dependencies": {"@alice/hello": "^1.2.3"}}
    lock = app.json("gati.lock")
    assert lock["registry"] == stocks.url
    assert {name: one["dependencies"] for name, one in lock["artifacts"].items()} == {
        HELLO: {AUTH: "^1.0.0"},
        AUTH: {CORE: "^1.0.0"},
        CORE: {},
    }
    assert not (app.modules / ".gati").exists()


def test_a_second_run_asks_nobody_and_changes_nothing(app: App, stocks: Depot) -> None:
    app("install", "@alice/hello")
    before = app.tree()
    stocks.paths()
    assert "installed already: 3 artifacts" in app("install").err
    assert stocks.paths() == []
    assert app.tree() == before


def test_the_first_run_asks_once_for_each_level_and_once_for_each_manifest_and_blob(app: App, stocks: Depot) -> None:
    app("install", "@alice/hello")
    asked = stocks.paths()
    assert asked.count("/v1/artifacts/batch") == 3
    assert sorted(path.split("/")[-2] for path in asked if "/v2/" in path) == ["blobs"] * 6 + ["manifests"] * 3


def test_a_clone_of_the_project_gets_the_same_releases_from_its_lock(app: App, stocks: Depot, tmp_path: Path) -> None:
    app("install", "@alice/hello")
    stocks.publish(CORE, "1.9.0")
    clone = App(tmp_path / "clone", app.gati, stocks)
    clone.folder.mkdir()
    for name in ("gati.modules.json", "gati.lock"):
        shutil.copy(app.folder / name, clone.folder / name)
    before = app.files()
    clone("install")
    assert clone.versions() == app.versions()
    assert clone.files() == before


def test_what_was_fetched_once_is_installed_without_a_network(app: App, stocks: Depot, tmp_path: Path) -> None:
    app("install", "@alice/hello")
    other = App(tmp_path / "other", app.gati, stocks)
    other.folder.mkdir()
    stocks.paths()
    other("install", "--offline", "users/alice/hello")
    assert other.versions() == app.versions()
    assert stocks.paths() == []


def test_what_was_never_fetched_is_missing_offline(app: App, stocks: Depot) -> None:
    ended = app.run("install", "--offline", "@alice/hello")
    assert ended.status == 5
    assert "no published release of @alice/hello" in ended.err
    assert app.tree() == {}


def test_what_left_the_cache_is_named_offline(app: App, stocks: Depot) -> None:
    app("install", "@alice/hello")
    shutil.rmtree(app.modules)
    shutil.rmtree(app.cache / "blobs")
    ended = app.run("install", "--offline")
    assert ended.status == 5
    assert "not in the cache" in ended.err


def test_a_changed_a_lost_and_an_added_file_are_put_right(app: App, stocks: Depot) -> None:
    app("install", "@alice/hello")
    (app.modules / HELLO / "index.js").write_text("// changed")
    (app.modules / AUTH / "index.js").unlink()
    (app.modules / CORE / "more.js").write_text("")
    stocks.paths()
    assert "3 artifacts installed" in app("install").err
    assert app.texts() == {name: f"// {name} {version}\n" for name, version in app.versions().items()}
    assert stocks.paths() == [], "it comes from the cache"


def test_a_damaged_cache_is_not_believed(app: App, stocks: Depot) -> None:
    app("install", "@alice/hello")
    for path in (app.cache / "blobs" / "sha256").iterdir():
        path.write_bytes(b"damaged")
    shutil.rmtree(app.modules)
    app("install")
    assert app.texts()[HELLO] == f"// {HELLO} 1.2.3\n"


@pytest.mark.parametrize("kind", ["manifests", "blobs"])
def test_what_is_not_as_its_digest_says_is_refused(app: App, stocks: Depot, kind: str) -> None:
    for reference, content in stocks.blobs.items():
        if ("manifest" in stocks.media_types[reference]) == (kind == "manifests"):
            stocks.blobs[reference] = content[:-1] + b"!"
    ended = app.run("install", "@alice/hello")
    assert ended.status == 4, ended.err
    assert app.tree() == {}


@pytest.mark.parametrize(
    ("reference", "wanted", "version"),
    [
        ("@acme/core", "^2.0.0", "2.0.0"),
        ("orgs/acme/core@^1", "^1", "1.1.0"),
        ("@acme/core@1.0.0", "1.0.0", "1.0.0"),
        ("@acme/core:stable", "^1.1.0", "1.1.0"),
        ("gati.dev/orgs/acme/core@~1.0", "~1.0", "1.0.0"),
    ],
)
def test_a_reference_is_written_as_a_range(app: App, stocks: Depot, reference: str, wanted: str, version: str) -> None:
    stocks.artifacts[CORE][1]["tags"] = ["stable"]
    app("install", reference)
    assert app.versions() == {CORE: version}
    assert app.json("gati.modules.json")["dependencies"] == {"@acme/core": wanted}


def test_a_digest_is_written_as_it_is(app: App, stocks: Depot) -> None:
    digest = stocks.artifacts[CORE][0]["digest"]
    app("install", f"@acme/core@{digest}")
    assert app.versions() == {CORE: "1.0.0"}
    assert app.json("gati.modules.json")["dependencies"] == {"@acme/core": digest}
    assert "installed already" in app("install").err


def test_exact_writes_the_version_and_dev_the_other_list(app: App, stocks: Depot) -> None:
    app("install", "--exact", "--dev", "@acme/auth")
    assert app.json("gati.modules.json") == {"dependencies": {}, "devDependencies": {"@acme/auth": "1.2.0"}}
    assert {name: one.get("dev") for name, one in app.json("gati.lock")["artifacts"].items()} == {
        AUTH: True,
        CORE: True,
    }


def test_no_save_leaves_the_files_of_the_project_alone(app: App, stocks: Depot) -> None:
    app("install", "--no-save", "@acme/core")
    assert app.versions() == {CORE: "2.0.0"}
    assert not (app.folder / "gati.lock").exists()
    assert "1 artifact removed" in app("install").err
    assert app.tree() == {}


def test_update_stays_within_ranges_and_latest_goes_beyond(app: App, stocks: Depot) -> None:
    app("install", "@acme/core@^1.0.0", "@alice/hello")
    stocks.publish(CORE, "1.5.0")
    assert app("install", "@alice/hello").err
    assert app.versions()[CORE] == "1.1.0", "what is locked stays"
    app("update")
    assert app.versions()[CORE] == "1.5.0"
    app("remove", "hello")
    app("update", "--latest", "core")
    assert app.versions() == {CORE: "2.0.0"}
    assert app.json("gati.modules.json")["dependencies"] == {"@acme/core": "^2.0.0"}


def test_outdated_shows_what_could_be_newer(app: App, stocks: Depot) -> None:
    app("install", "@acme/core@1.0.0", "@acme/auth")
    assert app.listed("--outdated") == [
        {"name": CORE, "version": "1.0.0", "wanted": "1.0.0", "latest": "2.0.0", "type": "module-node"}
    ]
    stocks.publish(AUTH, "1.3.0", wants=[(CORE, "^1.0.0")])
    rows = {row["name"]: row for row in app.listed("--outdated")}
    assert rows[AUTH]["wanted"] == rows[AUTH]["latest"] == "1.3.0"
    assert {row["name"]: row["version"] for row in app.listed()} == {CORE: "1.0.0", AUTH: "1.2.0"}


def test_remove_takes_orphans_along_and_leaves_what_others_need(app: App, stocks: Depot) -> None:
    app("install", "@alice/hello", "@acme/core@^1")
    ended = app("remove", "@acme/core")
    assert "stays" in ended.err
    assert set(app.versions()) == {HELLO, AUTH, CORE}
    stocks.paths()
    app("remove", "hello")
    assert app.versions() == {}
    assert stocks.paths() == []
    assert app.json("gati.modules.json") == {"dependencies": {}}
    assert not app.modules.exists()


def test_removing_what_is_not_there_says_what_is(app: App, stocks: Depot) -> None:
    app("install", "@alice/hello")
    assert app.run("remove", "core").status == 5
    ended = app.run("remove", "nothing")
    assert ended.status == 5
    assert "@alice/hello" in ended.err


def test_a_conflict_is_told_and_nothing_is_installed(app: App, stocks: Depot) -> None:
    app("install", "@alice/hello")
    before = app.tree()
    ended = app.run("install", "@acme/core@^2")
    assert ended.status == 7
    assert f"{AUTH} 1.2.0 wants {CORE} ^1.0.0" in ended.err
    assert app.tree() == before


def test_a_deprecated_version_is_taken_only_when_nothing_else_fits(app: App, stocks: Depot) -> None:
    stocks.publish(CORE, "2.1.0", deprecation={"reason": "It leaks.", "replacement": "@acme/kernel"})
    app("install", "@acme/core@^2")
    assert app.versions() == {CORE: "2.0.0"}
    ended = app("install", "@acme/core@2.1.0")
    assert "core 2.1.0 is deprecated: It leaks. (use @acme/kernel)" in ended.err


def test_capabilities_are_agreed_to_before_they_are_had(
    app: App, depot: Depot, monkeypatch: pytest.MonkeyPatch
) -> None:
    depot.publish(HELLO, "1.0.0", capabilities=["db:read"])
    ended = app.run("install", "@alice/hello")
    assert ended.status == 6
    assert f"{HELLO} 1.0.0 may db:read" in ended.err
    assert app.tree() == {}
    app("install", "--yes", "@alice/hello")
    depot.publish(HELLO, "1.0.1", capabilities=["db:read:users"])
    app("update")
    depot.publish(HELLO, "1.1.0", capabilities=["db:read:users", "network"])
    assert "may network:egress" in app.run("update").err
    assert app.versions() == {HELLO: "1.0.1"}
    monkeypatch.setattr(click, "confirm", lambda *_, **__: True)
    assert app.gati.run("module", "update", "--dir", str(app.folder), typed=True).status == 0
    assert app.versions() == {HELLO: "1.1.0"}


@pytest.mark.parametrize("where", ["option", "gati.modules.json", "package.json"])
def test_what_does_not_run_on_the_projects_gati_is_not_installed(app: App, depot: Depot, where: str) -> None:
    depot.publish(HELLO, "1.0.0", engines={"gati": "^2.0.0"})
    files = {"gati.modules.json": {"gati": "1.4.0"}, "package.json": {"dependencies": {"gati": "^1.4.0"}}}
    if where in files:
        (app.folder / where).write_text(json.dumps(files[where]))
    words = ("--gati-version", "1.4.0") if where == "option" else ()
    ended = app.run("install", "@alice/hello", *words)
    assert ended.status == 6
    assert "runs on Gati 1.4.0" in ended.err
    app("install", "@alice/hello", "--force", *words)


def test_a_group_installs_its_own_type(app: App, stocks: Depot) -> None:
    ended = app.gati.run("plugin", "install", "@acme/core", "--dir", str(app.folder), "--registry", stocks.url)
    assert ended.status == 1
    assert "gati module install orgs/acme/core" in ended.err


def test_a_folder_stands_for_an_artifact(app: App, stocks: Depot, tmp_path: Path) -> None:
    app("install", "@alice/hello")
    local = tmp_path / "core"
    local.mkdir()
    (local / "gati-module.json").write_text(json.dumps({"name": "core", "namespace": "orgs/acme", "version": "9.0.0"}))
    app("link", str(local))
    assert (app.modules / CORE).resolve() == local.resolve()
    assert CORE not in app.json("gati.lock")["artifacts"]
    assert "installed already" in app("install").err
    app("remove", "core")
    assert app.versions()[CORE] == "1.1.0"
    assert list(local.iterdir())


def test_files_keep_what_they_are(app: App, depot: Depot) -> None:
    layers = (
        Layer(packed({"bin/run!": b"#!/bin/sh\n", "lib/a.txt": b""})),
        Layer(b"# Hello\n", "text/markdown"),
        Layer(b"\0asm", "application/wasm", "hello.wasm"),
        Layer(b"{}", "application/vnd.oci.empty.v1+json"),
    )
    depot.publish(HELLO, "1.0.0", *layers)
    app("install", "@alice/hello")
    folder = app.modules / HELLO
    assert os.access(folder / "bin" / "run", os.X_OK)
    assert not os.access(folder / "lib" / "a.txt", os.X_OK)
    assert (folder / "README.md").read_text() == "# Hello\n"
    assert (folder / "hello.wasm").read_bytes() == b"\0asm"
    assert sorted(path.name for path in folder.iterdir()) == [".gati", "README.md", "bin", "hello.wasm", "lib"]


def test_the_program_for_this_machine_is_taken_from_an_index(app: App, depot: Depot) -> None:
    children = []
    for system, machine in ((sys.platform, "amd64"), (sys.platform, "arm64"), ("plan9", "amd64")):
        layer = Layer(f"{system}/{machine}".encode(), "application/vnd.gati.module.binary.layer.v1", "tool")
        raw = depot.manifest(b"{}", (layer,), config_type="application/vnd.gati.module.binary.config.v1+json")
        children.append(depot.describe(raw, {"os": system, "architecture": machine}))
    depot.release(HELLO, "1.0.0", depot.index(children), type="module-binary")
    app("install", "@alice/hello")
    tool = app.modules / HELLO / "tool"
    assert tool.read_text().startswith(sys.platform)
    assert os.access(tool, os.X_OK)
    assert app.json("gati.lock")["artifacts"][HELLO]["layers"] == [], "it is the same lock on every machine"


def test_a_runnable_image_is_noted_and_pulled_when_asked(app: App, depot: Depot) -> None:
    layer = Layer(b"layer", "application/vnd.oci.image.layer.v1.tar+gzip")
    found = depot.publish(
        HELLO, "1.0.0", layer, type="module-oci", config_type="application/vnd.oci.image.config.v1+json"
    )
    app("install", "@alice/hello")
    folder = app.modules / HELLO
    noted = json.loads((folder / "image.json").read_text())
    assert noted["reference"] == f"{depot.url.removeprefix('http://')}/{HELLO}@{found}"
    assert not (folder / "image").exists()
    app("install", "--pull", "--force")
    index = json.loads((folder / "image" / "index.json").read_text())
    assert index["manifests"][0]["digest"] == found
    assert len(list((folder / "image" / "blobs" / "sha256").iterdir())) == 3


def test_a_result_is_one_json_document(app: App, stocks: Depot) -> None:
    found = app("install", "@acme/core", "--json").document
    digest = stocks.artifacts[CORE][2]["digest"]
    assert found["installed"] == [{"repository": CORE, "version": "2.0.0", "digest": digest, "type": "module-node"}]
