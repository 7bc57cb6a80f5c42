import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.images import OCI_INDEX, digest, layout, new_image, tar
from tests.clients.programs import Program, Registry


@pytest.fixture
def crane(program: Callable[[str], Program]) -> Program:
    return program("crane")


def test_a_pushed_image_is_pulled_unchanged(crane: Program, registry: Registry, tmp_path: Path) -> None:
    image = new_image()
    reference = registry.reference(registry.new("crane"))
    said = crane("push", layout(tmp_path / "in", image), reference)
    assert said.endswith(image.digest)
    crane("pull", "--format=oci", reference, tmp_path / "out")
    for blob in image.blobs:
        assert (tmp_path / "out/blobs/sha256" / digest(blob).removeprefix("sha256:")).read_bytes() == blob
    assert crane("digest", reference) == image.digest
    assert crane.raw("manifest", reference) == image.manifest
    assert json.loads(crane("config", reference)) == json.loads(image.config)


def test_an_appended_layer_is_exported_again(crane: Program, registry: Registry, tmp_path: Path) -> None:
    reference = registry.reference(registry.new("crane"))
    content = new_image().file
    (tmp_path / "layer.tar").write_bytes(tar({"hello": content}))
    crane("append", "--new_layer", tmp_path / "layer.tar", "--new_tag", reference)
    crane("export", reference, tmp_path / "out.tar")
    assert content in (tmp_path / "out.tar").read_bytes()
    assert "PASS" in crane.run("validate", "--remote", reference).stdout.decode()


def test_a_copy_in_another_repository_is_the_same_image(crane: Program, registry: Registry) -> None:
    image = new_image()
    source, target = registry.new("crane"), registry.new("copies")
    crane("copy", registry.push(source, image), registry.reference(target, "copied"))
    assert registry.manifest(target, "copied") == image.manifest
    assert registry.blob(target, digest(image.layer)) == image.layer


def test_an_index_is_put_together_in_the_registry(crane: Program, registry: Registry) -> None:
    repository = registry.new("crane")
    small, large = new_image("amd64"), new_image("arm64")
    registry.push(repository, small, "small")
    registry.push(repository, large, "large")
    both, one, two = (registry.reference(repository, tag) for tag in ("both", "small", "large"))
    crane("index", "append", "--manifest", one, "--manifest", two, "--tag", both)
    found = json.loads(registry.manifest(repository, "both"))
    assert found["mediaType"] == OCI_INDEX
    assert [entry["digest"] for entry in found["manifests"]] == [small.digest, large.digest]
    assert crane("digest", "--platform=linux/arm64", both) == large.digest


def test_a_pushed_layout_becomes_an_index_of_its_images(crane: Program, registry: Registry, tmp_path: Path) -> None:
    image, repository = new_image(), registry.new("crane")
    pushed = crane("push", "--index", layout(tmp_path / "in", image), registry.reference(repository))
    entries = json.loads(registry.manifest(repository, pushed.rpartition("@")[2]))["manifests"]
    assert [entry["digest"] for entry in entries] == [image.digest]
    assert registry.manifest(repository, image.digest) == image.manifest


def test_a_deleted_image_is_gone(crane: Program, registry: Registry) -> None:
    repository, image = registry.new("crane"), new_image()
    registry.push(repository, image)
    by_digest = registry.reference(repository, image.digest)
    crane("delete", by_digest)
    assert "MANIFEST_UNKNOWN" in crane.fails("manifest", by_digest)
    assert not registry.has(repository, "v1")


def test_tags_and_repositories_are_listed(crane: Program, registry: Registry) -> None:
    repository, image = registry.new("crane"), new_image()
    for tag in ("v2", "v10", "latest"):
        registry.push(repository, image, tag)
    assert crane("ls", registry.reference(repository).removesuffix(":v1")).splitlines() == ["latest", "v10", "v2"]
    assert repository in crane("catalog", registry.host).splitlines()


def test_a_further_tag_names_the_same_image(crane: Program, registry: Registry) -> None:
    repository, image = registry.new("crane"), new_image()
    crane("tag", registry.push(repository, image), "stable")
    assert registry.manifest(repository, "stable") == image.manifest
    assert crane("ls", f"{registry.host}/{repository}").splitlines() == ["stable", "v1"]


def test_a_blob_is_streamed(crane: Program, registry: Registry) -> None:
    repository, image = registry.new("crane"), new_image(size=3_000_000)
    registry.push(repository, image)
    assert crane.raw("blob", registry.reference(repository, digest(image.layer))) == image.layer
