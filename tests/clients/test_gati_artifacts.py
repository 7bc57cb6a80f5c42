"""What gati publishes, oras fetches as the OCI artifact that it is: each type, byte for byte."""

import json
import os
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from registry.artifacts.catalogue import BY_NAME, KINDS
from registry.artifacts.model import TITLE
from tests.cli.example_projects import FAMILY, digest, project, write
from tests.clients.programs import Program, Registry

ROOT = Path(__file__).parents[2]
KEYRING = "keyring.backends.fail.Keyring"


@pytest.fixture
def gati(registry: Registry, environ: dict[str, str]) -> Program:
    """gati, in the test's own home, for the registry under test."""
    own = {"GATI_REGISTRY": f"http://{registry.host}", "PYTHONPATH": str(ROOT), "PYTHON_KEYRING_BACKEND": KEYRING}
    return Program(sys.executable, environ | own, ("-m", "registry.cli"))


@pytest.fixture
def home_of(registry: Registry) -> str:
    """A namespace that nobody has used before."""
    return registry.new("users").replace("/", "/u")


def published(gati: Program, folder: Path, home: str, kind: str) -> str:
    """Publish a folder; the digest of the release."""
    words = (FAMILY.get(kind, "module"), "publish", folder, "--namespace", home, "--json")
    made = json.loads(gati(*words))
    assert made["state"] == "published"
    return str(made["digest"])


TYPES = [kind.name for kind in KINDS if kind.name not in {"snapshot", "transformer", "module-oci"}]


@pytest.mark.parametrize("name", TYPES)
def test_what_gati_published_oras_pulls(
    program: Callable[[str], Program], gati: Program, registry: Registry, tmp_path: Path, home_of: str, name: str
) -> None:
    kind = BY_NAME[name]
    folder = project(kind, tmp_path / "project")
    (folder / "README.md").write_text("# It\n")
    made = published(gati, folder, home_of, name)
    reference = registry.reference(f"{home_of}/{kind.example['name']}", kind.example["version"])
    assert pulled(program("oras"), reference, tmp_path / "pulled") == titled(registry, reference, made)


def test_what_gati_published_of_a_transformer_oras_pulls(
    program: Callable[[str], Program], gati: Program, registry: Registry, tmp_path: Path, home_of: str
) -> None:
    kind = BY_NAME["transformer"]
    source = project(BY_NAME["module-node"], tmp_path / "source")
    published(gati, source, home_of, "module-node")
    config = dict(kind.example["config"]) | {"fromArtifact": "hello", "fromVersion": "1.x", "toVersion": "2.x"}
    made = published(gati, project(kind, tmp_path / "project", config=config), home_of, "transformer")
    reference = registry.reference(f"{home_of}/{kind.example['name']}", kind.example["version"])
    assert pulled(program("oras"), reference, tmp_path / "pulled") == titled(registry, reference, made)


def test_what_gati_published_of_an_image_is_an_image(
    program: Callable[[str], Program], gati: Program, registry: Registry, tmp_path: Path, home_of: str
) -> None:
    kind = BY_NAME["module-oci"]
    made = published(gati, project(kind, tmp_path / "project"), home_of, "module-oci")
    reference = registry.reference(f"{home_of}/{kind.example['name']}", kind.example["version"])
    config = json.loads(program("oras")("manifest", "fetch-config", "--plain-http", reference))
    assert config["config"]["Entrypoint"] == ["/hello"]
    program("crane")("pull", "--insecure", reference, tmp_path / "image.tar")
    with tarfile.open(tmp_path / "image.tar") as archive:
        assert "manifest.json" in archive.getnames()
    found = program("oras")("discover", "--plain-http", "--format", "json", reference)
    assert "application/vnd.gati.manifest.v1" in found
    assert digest(registry.manifest(f"{home_of}/{kind.example['name']}", "1.0.0")) == made


def test_what_gati_published_of_a_snapshot_oras_pulls(
    program: Callable[[str], Program], gati: Program, registry: Registry, tmp_path: Path, home_of: str
) -> None:
    app = tmp_path / "app"
    app.mkdir()
    published(gati, project(BY_NAME["module-node"], tmp_path / "source"), home_of, "module-node")
    gati("module", "install", f"{home_of}/hello", "--dir", app, "--yes")
    gati("snapshot", "create", f"{home_of}/workbench", "--version", "1.0.0", "--dir", app)
    reference = registry.reference(f"{home_of}/workbench", "1.0.0")
    found = pulled(program("oras"), reference, tmp_path / "pulled")
    assert found == titled(registry, reference, digest(registry.manifest(f"{home_of}/workbench", "1.0.0")))
    assert found != {}


def test_what_gati_wrote_to_a_file_oras_copies_to_the_registry(
    program: Callable[[str], Program], gati: Program, registry: Registry, tmp_path: Path, home_of: str
) -> None:
    folder = project(BY_NAME["module-node"], tmp_path / "project")
    gati("module", "build", folder, "--namespace", home_of, "--out", tmp_path / "built.tar")
    repository = f"{home_of}/hello"
    source = f"{tmp_path / 'built.tar'}:1.0.0"
    program("oras")("cp", "--from-oci-layout", source, "--to-plain-http", registry.reference(repository, "1.0.0"))
    assert json.loads(gati("module", "info", repository, "--json"))["release"]["state"] == "published"


def test_what_oras_pushed_gati_takes_for_what_it_published(
    program: Callable[[str], Program], gati: Program, registry: Registry, tmp_path: Path, home_of: str
) -> None:
    kind = BY_NAME["module-wasm"]
    ((title, media_type, content),) = kind.example_layers
    (tmp_path / title).write_bytes(content)
    write(tmp_path, kind.example)
    (tmp_path / "config.json").write_text(json.dumps(kind.example))
    repository = f"{home_of}/{kind.example['name']}"
    words = ("--artifact-type", kind.artifact_type, "--config", f"config.json:{kind.config_type}")
    reference = registry.reference(repository, kind.example["version"])
    program("oras")("push", "--plain-http", *words, reference, f"{title}:{media_type}", cwd=tmp_path)
    release = json.loads(gati("module", "info", repository, "--json"))["release"]
    assert (release["type"], release["state"]) == ("module-wasm", "published")
    told = gati.fails("module", "publish", str(tmp_path), "--namespace", home_of)
    assert "versions are never changed" in told


def pulled(oras: Program, reference: str, folder: Path) -> dict[str, str]:
    """The digests of the files that oras writes, by their names."""
    folder.mkdir()
    oras("pull", "--plain-http", "--output", folder, reference)
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {os.fspath(path.relative_to(folder)): digest(path.read_bytes()) for path in files}


def titled(registry: Registry, reference: str, made: str) -> dict[str, str]:
    """The digests of the titled layers of a release, by their titles; of the first manifest of an index."""
    repository = reference.removeprefix(f"{registry.host}/").rpartition(":")[0]
    raw = registry.manifest(repository, made)
    assert digest(raw) == made
    document = json.loads(raw)
    if "manifests" in document:
        document = json.loads(registry.manifest(repository, document["manifests"][0]["digest"]))
    notes = [(one.get("annotations", {}).get(TITLE), one["digest"]) for one in document["layers"]]
    return {title: made for title, made in notes if title is not None}
