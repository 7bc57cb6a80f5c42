import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clients.images import digest, layout, new_image
from tests.clients.programs import Program, Registry


@pytest.fixture
def oras(program: Callable[[str], Program]) -> Program:
    return program("oras")


def written(folder: Path, name: str, content: bytes) -> Path:
    """The folder, with a file of this content."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    return folder


def needs_the_referrers_api(registry: Registry) -> None:
    """Leave the test out where the registry, not ours, has none."""
    if registry.http.get(f"/v2/{registry.new('none')}/referrers/{digest(b'')}").status_code == 404:
        pytest.skip("the registry has no referrers API")


def attached(oras: Program, reference: str) -> list[dict[str, Any]]:
    """What `oras discover` shows."""
    said = oras("discover", "--plain-http", "--format=json", "--distribution-spec=v1.1-referrers-api", reference)
    found: list[dict[str, Any]] = json.loads(said)["referrers"] or []
    return found


def test_a_pushed_file_is_pulled_unchanged(oras: Program, registry: Registry, tmp_path: Path) -> None:
    content, reference = new_image(size=2_000_000).file, registry.reference(registry.new("oras"))
    here = written(tmp_path / "in", "model.bin", content)
    kind = "application/vnd.example.model"
    oras("push", "--plain-http", f"--artifact-type={kind}", reference, "model.bin:application/x", cwd=here)
    oras("pull", "--plain-http", "--output", tmp_path / "out", reference)
    assert (tmp_path / "out/model.bin").read_bytes() == content
    assert json.loads(oras("manifest", "fetch", "--plain-http", reference))["artifactType"] == kind


def test_a_folder_is_pushed_and_unpacked_again(oras: Program, registry: Registry, tmp_path: Path) -> None:
    reference = registry.reference(registry.new("oras"))
    written(written(tmp_path / "in", "readme", b"top") / "deep", "file", b"below")
    oras("push", "--plain-http", reference, "./", cwd=tmp_path / "in")
    oras("pull", "--plain-http", "--output", tmp_path / "out", reference)
    assert (tmp_path / "out/deep/file").read_bytes() == b"below"


def test_an_attached_file_is_discovered_and_pulled(oras: Program, registry: Registry, tmp_path: Path) -> None:
    image, repository = new_image(), registry.new("oras")
    reference = registry.push(repository, image)
    here = written(tmp_path / "in", "sbom.json", b"{}")
    oras("attach", "--plain-http", "--artifact-type=application/vnd.example.sbom", reference, "sbom.json", cwd=here)
    [found] = registry.referrers(repository, image.digest)
    assert found["artifactType"] == "application/vnd.example.sbom"
    oras("pull", "--plain-http", "--output", tmp_path / "out", registry.reference(repository, found["digest"]))
    assert (tmp_path / "out/sbom.json").read_bytes() == b"{}"
    assert found["digest"] in oras("discover", "--plain-http", "--format=json", reference)


def test_a_copy_takes_referrers_of_referrers_along(oras: Program, registry: Registry, tmp_path: Path) -> None:
    source, target, image = registry.new("oras"), registry.new("copies"), new_image()
    subject = registry.push(source, image)
    here = written(tmp_path / "in", "note", b"a note")
    attach = oras.wordy("attach", "--plain-http", "--format=json")
    first = json.loads(attach("--artifact-type=application/vnd.example.first", subject, "note", cwd=here))
    attach("--artifact-type=application/vnd.example.second", first["reference"], "note", cwd=here)
    copied = registry.reference(target)
    oras("copy", "--recursive", "--from-plain-http", "--to-plain-http", subject, copied)
    [near] = registry.referrers(target, image.digest)
    [far] = registry.referrers(target, near["digest"])
    assert near["digest"] == first["digest"]
    assert far["artifactType"] == "application/vnd.example.second"


@pytest.mark.parametrize("name", ["folder", "archive.tar"])
def test_a_backup_is_restored_with_its_referrers(oras: Program, registry: Registry, tmp_path: Path, name: str) -> None:
    source, target, image = registry.new("oras"), registry.new("restored"), new_image()
    subject = registry.push(source, image)
    registry.push(source, image, "v2")
    here = written(tmp_path / "in", "note", b"a note")
    oras("attach", "--plain-http", "--artifact-type=application/vnd.example", subject, "note", cwd=here)
    tagged = f"{registry.host}/{source}"
    oras("backup", "--plain-http", "--include-referrers", "--output", tmp_path / name, f"{tagged}:v1,v2")
    oras("restore", "--plain-http", "--input", tmp_path / name, f"{registry.host}/{target}:v1,v2")
    assert registry.manifest(target, "v1") == registry.manifest(target, "v2") == image.manifest
    assert registry.referrers(target, image.digest) == registry.referrers(source, image.digest)


def test_a_layout_is_copied_in_and_tagged(oras: Program, registry: Registry, tmp_path: Path) -> None:
    image, repository = new_image(), registry.new("oras")
    here = layout(tmp_path / "in", image)
    oras("copy", "--from-oci-layout", "--to-plain-http", f"{here}:v1", registry.reference(repository))
    oras("tag", "--plain-http", registry.reference(repository), "stable", "v1.0")
    assert oras("repo", "tags", "--plain-http", f"{registry.host}/{repository}").splitlines() == [
        "stable",
        "v1",
        "v1.0",
    ]
    assert oras("resolve", "--plain-http", registry.reference(repository, "stable")) == image.digest


def test_a_deleted_manifest_is_gone(oras: Program, registry: Registry) -> None:
    repository, image = registry.new("oras"), new_image()
    reference = registry.push(repository, image)
    oras("manifest", "delete", "--plain-http", "--force", registry.reference(repository, image.digest))
    assert "not found" in oras.fails("manifest", "fetch", "--plain-http", reference)


def test_blobs_are_pushed_fetched_and_deleted(oras: Program, registry: Registry, tmp_path: Path) -> None:
    repository, content = registry.new("oras"), new_image().file
    here = written(tmp_path / "in", "blob", content)
    named = registry.reference(repository, digest(content))
    oras("blob", "push", "--plain-http", f"{registry.host}/{repository}", "blob", cwd=here)
    assert oras.raw("blob", "fetch", "--plain-http", "--output=-", named) == content
    oras("blob", "delete", "--plain-http", "--force", named)
    assert "not found" in oras.fails("blob", "fetch", "--plain-http", "--output=-", named)


def test_referrers_are_those_of_the_api(oras: Program, registry: Registry, tmp_path: Path) -> None:
    needs_the_referrers_api(registry)
    reference = registry.push(registry.new("oras"), new_image())
    here = written(tmp_path / "in", "note", b"a note")
    for kind in ("a", "b"):
        oras("attach", "--plain-http", f"--artifact-type=application/vnd.{kind}", reference, "note", cwd=here)
    kinds = sorted(entry["artifactType"] for entry in attached(oras, reference))
    assert kinds == ["application/vnd.a", "application/vnd.b"]


def test_what_was_attached_by_fallback_tag_is_in_the_api(oras: Program, registry: Registry, tmp_path: Path) -> None:
    needs_the_referrers_api(registry)
    reference = registry.push(registry.new("oras"), new_image())
    here = written(tmp_path / "in", "note", b"a note")
    tagged = oras.wordy("attach", "--plain-http", "--distribution-spec=v1.1-referrers-tag")
    tagged("--artifact-type=application/vnd.old", reference, "note", cwd=here)
    oras("attach", "--plain-http", "--artifact-type=application/vnd.new", reference, "note", cwd=here)
    kinds = sorted(entry["artifactType"] for entry in attached(oras, reference))
    assert kinds == ["application/vnd.new", "application/vnd.old"]
