"""Projects become artifacts that are in order, or a reason why not; nothing is asked of a registry."""

import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from registry.artifacts.catalogue import BY_NAME, KINDS
from registry.artifacts.model import Kind
from registry.cli import models, provenance
from tests.cli.conftest import Ended, Gati
from tests.cli.example_projects import FAMILY, digest, layout, project, saved, write

NOBODY = ("--registry", "http://127.0.0.1:9", "--namespace", "users/alice")
LAYER = "application/vnd.oci.image.layer.v1.tar"


def tried(gati: Gati, folder: Path, family: str = "module", *words: str) -> Ended:
    return gati.run(family, "publish", str(folder), "--dry-run", "--json", *NOBODY, *words)


def tree(folder: Path) -> Path:
    (folder / "dist").mkdir(parents=True)
    (folder / "dist" / "index.js").write_text("exports.hello = () => 1;\n")
    return folder


def node(folder: Path, **more: Any) -> Path:
    """A small module."""
    config = {"type": "node", "entry": "dist/index.js"}
    write(tree(folder), {"name": "hello", "version": "1.0.0", "config": config} | more)
    return folder


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.name != "snapshot"], ids=lambda kind: kind.name)
def test_an_example_of_each_type_is_in_order(gati: Gati, tmp_path: Path, kind: Kind) -> None:
    folder = project(kind, tmp_path / "project")
    made = tried(gati, folder, FAMILY.get(kind.name, "module"))
    assert made.status == 0, made.out
    assert made.document["type"] == kind.name
    assert made.document["repository"] == f"users/alice/{kind.example['name']}"


@pytest.mark.parametrize("kind", ["node", "wasm", "external", "binary", "oci"])
def test_a_module_that_was_begun_can_be_published(
    gati: Gati, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    gati("module", "create", "my-first", "--type", kind)
    folder = tmp_path / "my-first"
    if kind == "binary":
        manifest = json.loads((folder / "gati-module.json").read_text())
        program = folder / manifest["config"]["platforms"][0]["file"]
        program.parent.mkdir()
        shutil.copy("/bin/true", program)
    if kind == "oci":
        saved(folder / "image.tar", [b"x" * 1024])
    made = tried(gati, folder)
    assert made.status == 0, made.out
    assert made.document["type"] == f"module-{kind}"


def test_a_plugin_that_was_begun_can_be_published(gati: Gati, tmp_path: Path) -> None:
    gati("plugin", "create", "greeter", "--dir", str(tmp_path / "it"))
    assert tried(gati, tmp_path / "it", "plugin").status == 0
    assert gati.run("plugin", "create", "greeter", "--dir", str(tmp_path / "it")).status == 7
    assert gati.run("module", "create", "No_Name").status == 1


def test_a_fault_is_told_with_its_place_its_value_and_what_to_write(gati: Gati, tmp_path: Path) -> None:
    folder = node(tmp_path / "it", config={"type": "node", "entry": "dist/main.js"})
    error = tried(gati, folder).document["error"]
    assert (error["status"], error["code"]) == (1, "MALFORMED_MANIFEST")
    assert "gati-module.json, /config/entry" in error["message"]
    assert "dist/main.js" in error["message"]
    assert "dist/index.js" in error["suggestions"][0]


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        ("{", 1, "gati-module.json"),
        ('{"name": "a", "name": "b"}', 1, "gati-module.json"),
        ('{"name": "hello", "version": "1.0.0"}', 1, "does not say what it is"),
        ('{"name": "hello", "version": "1.0.0", "type": "plugin", "config": {}}', 1, "gati plugin publish"),
        (None, 5, "gati module create"),
    ],
)
def test_a_folder_that_is_no_module_is_told_so(
    gati: Gati, tmp_path: Path, content: str | None, status: int, words: str
) -> None:
    if content is not None:
        (tmp_path / "gati-module.json").write_text(content)
    error = tried(gati, tmp_path).document["error"]
    assert error["status"] == status
    assert words in error["message"] + error["suggestions"][0]


@pytest.mark.parametrize("name", ["../outside.wasm", "/etc/hostname", "link.wasm"])
def test_a_file_outside_of_the_folder_is_not_published(gati: Gati, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "it"
    write(folder, {"name": "adder", "version": "1.0.0", "config": {"type": "wasm", "wasmFile": name}})
    (tmp_path / "outside.wasm").write_bytes(b"\0asm\1\0\0\0")
    (folder / "link.wasm").symlink_to(tmp_path / "outside.wasm")
    assert tried(gati, folder).status == 1


def test_the_version_and_the_manifest_are_completed(gati: Gati, tmp_path: Path) -> None:
    folder = node(tmp_path / "it", gati={"dependencies": {"@acme/db": "^1.2.0"}})
    out = tmp_path / "it.tar"
    gati("module", "build", str(folder), "--out", str(out), "--version", "v2.0.0", *NOBODY)
    with tarfile.open(out) as archive:
        files = [archive.extractfile(entry) for entry in archive]
        contents = [file.read() for file in files if file is not None]
    documents = [json.loads(one) for one in contents if one.startswith(b"{")]
    manifest = next(one for one in documents if one.get("name") == "hello")
    assert manifest["version"] == "2.0.0"
    assert (manifest["type"], manifest["namespace"]) == ("module-node", "users/alice")
    assert manifest["dependencies"] == [{"name": "@acme/db", "version": "^1.2.0"}]


def test_nobody_says_where_it_goes(gati: Gati, tmp_path: Path) -> None:
    folder = str(node(tmp_path / "it"))
    ended = gati.run("module", "publish", folder, "--dry-run", "--registry", "http://127.0.0.1:9")
    assert ended.status == 1
    assert "--namespace" in ended.err
    node(tmp_path / "other", namespace="gati.dev/orgs/acme")
    made = gati("module", "publish", str(tmp_path / "other"), "--dry-run", "--json", "--registry", "http://127.0.0.1:9")
    assert made.document["repository"] == "orgs/acme/hello"


def git(folder: Path, *words: str) -> None:
    environ = os.environ | {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    who = ("-c", "user.name=alice", "-c", "user.email=alice@example.org")
    subprocess.run(["git", *who, "-C", str(folder), *words], check=True, capture_output=True, env=environ)


def test_the_same_commit_is_the_same_artifact(gati: Gati, tmp_path: Path) -> None:
    one = node(tmp_path / "one")
    git(one, "init", "-q")
    git(one, "remote", "add", "origin", "https://alice:secret@git.example.org/alice/hello.git")
    git(one, "add", ".")
    git(one, "commit", "-qm", "First", "--date", "2026-01-01T00:00:00Z")
    shutil.copytree(one, tmp_path / "other")
    first, second = tried(gati, one).document, tried(gati, tmp_path / "other").document
    assert first["digest"] == second["digest"]
    (one / "dist" / "index.js").write_text("exports.hello = () => 2;\n")
    assert provenance.origin(one, {}, {}).revision is None
    (found,) = {provenance.origin(tmp_path / "other", {}, {}).source}
    assert found == "https://git.example.org/alice/hello"


def test_a_date_that_is_given_is_taken(gati: Gati, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    folder = node(tmp_path / "it")
    assert tried(gati, folder).document["digest"] == tried(gati, folder).document["digest"]
    assert provenance.origin(folder, {}, {"SOURCE_DATE_EPOCH": "0"}).created == "1970-01-01T00:00:00Z"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    assert tried(gati, folder).status == 1


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("git@git.example.org:alice/hello.git", "https://git.example.org/alice/hello"),
        ("git+https://git.example.org/alice/hello.git", "https://git.example.org/alice/hello"),
        ("ssh://git@git.example.org:22/alice/hello", "https://git.example.org/alice/hello"),
        ("https://token@git.example.org:8443/hello?x#y", "https://git.example.org:8443/hello"),
        ("git.example.org/alice/hello", "https://git.example.org/alice/hello"),
        ("/srv/hello.git", None),
        ("../hello", None),
        ("", None),
    ],
)
def test_the_address_of_a_repository_has_no_credentials(written: str, found: str | None) -> None:
    assert provenance.address(written) == found


def test_weights_go_in_the_shards_that_they_are_in(gati: Gati, tmp_path: Path) -> None:
    kind = BY_NAME["model"]
    ((_, _, content),) = kind.example_layers
    names = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    config = dict(kind.example["config"]) | {"modelFile": names[0]}
    folder = project(kind, tmp_path / "it", config=config)
    for name in names:
        (folder / name).write_bytes(content)
    made = tried(gati, folder, "model")
    assert made.status == 0, made.out
    assert [layer["title"] for layer in made.document["layers"]] == names
    (folder / names[1]).unlink()
    assert "there is no file" in tried(gati, folder, "model").document["error"]["message"]


def test_weights_that_are_very_large_go_in_pieces(gati: Gati, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = project(BY_NAME["model"], tmp_path / "it")
    whole = (folder / "model.safetensors").read_bytes()
    monkeypatch.setattr(models, "PIECE", len(whole) - 5)
    made = tried(gati, folder, "model")
    assert made.status == 0, made.out
    layers = [(layer["title"], layer["digest"]) for layer in made.document["layers"]]
    assert layers == [
        ("model.safetensors", digest(whole[:-5])),
        ("model.safetensors.00002-of-00002", digest(whole[-5:])),
    ]


def test_a_model_says_what_is_known_of_it_in_its_manifest_or_in_files(gati: Gati, tmp_path: Path) -> None:
    kind = BY_NAME["model"]
    folder = project(kind, tmp_path / "it")
    bare = {name: value for name, value in kind.example.items() if name not in {"modelCard", "benchmarks"}}
    write(folder, bare)
    assert "has no modelCard" in tried(gati, folder, "model").document["error"]["message"]
    (folder / "model-card.json").write_text(json.dumps(kind.example["modelCard"]))
    (folder / "benchmarks.json").write_text(json.dumps({"inferenceTime": "soon"}))
    assert "(benchmarks.json, /memoryUsage)" in tried(gati, folder, "model").document["error"]["message"]
    (folder / "benchmarks.json").write_text(json.dumps(kind.example["benchmarks"]))
    assert tried(gati, folder, "model").status == 0


def oci(folder: Path, named: str) -> Path:
    write(folder, {"name": "greeting", "version": "1.0.0", "config": {"type": "oci", "image": named}})
    return folder


def test_an_image_is_the_same_in_each_form_that_builders_leave(gati: Gati, tmp_path: Path) -> None:
    folder, layer = oci(tmp_path / "it", "image"), b"layer" * 1000
    layout(folder / "image", [(LAYER, layer)])
    with tarfile.open(folder / "image.tar", "w") as archive:
        archive.add(folder / "image", ".")
    saved(folder / "saved.tar", [layer])
    layers = []
    for named in ("image", "image.tar", "saved.tar"):
        made = tried(gati, oci(folder, named))
        assert made.status == 0, made.out
        layers.append([(one["digest"], one["mediaType"]) for one in made.document["layers"]])
    assert layers == [[(digest(layer), LAYER)]] * 3


@pytest.mark.parametrize("content", [b"no tar", b""])
def test_what_is_no_image_is_told_so(gati: Gati, tmp_path: Path, content: bytes) -> None:
    folder = oci(tmp_path / "it", "image.tar")
    (folder / "image.tar").write_bytes(content)
    assert tried(gati, folder).status == 1


def test_an_image_that_lacks_a_blob_is_refused(gati: Gati, tmp_path: Path) -> None:
    folder = oci(tmp_path / "it", "image")
    layout(folder / "image", [(LAYER, b"layer")])
    (folder / "image" / "blobs" / "sha256" / digest(b"layer").removeprefix("sha256:")).unlink()
    assert "lacks the blob" in tried(gati, folder).document["error"]["message"]


@pytest.mark.parametrize("words", ["module", "model", "search", "module publish", "module deprecate"])
def test_the_examples_of_the_help_stand_on_lines_of_their_own(gati: Gati, words: str) -> None:
    lines = gati(*words.split(), "--help").out.splitlines()
    assert any(line.strip().startswith(f"gati {words} ") for line in lines)
    assert not any("\\b" in line for line in lines)
