import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.images import DOCKER_MANIFEST, digest, index, layout, new_image
from tests.clients.programs import Program, Registry


@pytest.fixture
def skopeo(program: Callable[[str], Program]) -> Program:
    return program("skopeo")


@pytest.fixture
def copy(skopeo: Program) -> Program:
    return skopeo.wordy("copy", "--src-tls-verify=false", "--dest-tls-verify=false")


def stored(folder: Path, content: bytes) -> bytes:
    """The blob of this digest in an image layout."""
    return (folder / "blobs/sha256" / digest(content).removeprefix("sha256:")).read_bytes()


def test_an_image_is_copied_in_and_out_unchanged(copy: Program, registry: Registry, tmp_path: Path) -> None:
    image = new_image()
    reference = f"docker://{registry.reference(registry.new('skopeo'))}"
    copy(f"oci:{layout(tmp_path / 'in', image)}:v1", reference)
    copy(reference, f"oci:{tmp_path / 'out'}:v1")
    assert all(stored(tmp_path / "out", blob) == blob for blob in image.blobs)


def test_an_index_is_copied_with_all_its_images(copy: Program, registry: Registry, tmp_path: Path) -> None:
    images, repository = (new_image("amd64"), new_image("arm64")), registry.new("skopeo")
    copy("--all", f"oci:{layout(tmp_path / 'in', *images)}:v1", f"docker://{registry.reference(repository)}")
    assert registry.manifest(repository, "v1") == index(*images)
    copy("--all", f"docker://{registry.reference(repository)}", f"oci:{tmp_path / 'out'}:v1")
    assert all(stored(tmp_path / "out", blob) == blob for image in images for blob in image.blobs)


def test_an_image_is_copied_between_repositories(copy: Program, registry: Registry) -> None:
    source, target, image = registry.new("skopeo"), registry.new("copies"), new_image()
    copy(f"docker://{registry.push(source, image)}", f"docker://{registry.reference(target)}")
    assert registry.manifest(target, "v1") == image.manifest
    assert registry.blob(target, digest(image.layer)) == image.layer


def test_an_image_is_stored_in_dockers_format(copy: Program, registry: Registry, tmp_path: Path) -> None:
    image, repository = new_image(), registry.new("skopeo")
    copy("--format=v2s2", f"oci:{layout(tmp_path / 'in', image)}:v1", f"docker://{registry.reference(repository)}")
    assert json.loads(registry.manifest(repository, "v1"))["mediaType"] == DOCKER_MANIFEST
    copy(f"docker://{registry.reference(repository)}", f"dir:{tmp_path / 'out'}")
    assert (tmp_path / "out" / digest(image.layer).removeprefix("sha256:")).read_bytes() == image.layer


def test_inspect_shows_what_was_pushed(skopeo: Program, registry: Registry) -> None:
    image = new_image()
    reference = registry.push(registry.new("skopeo"), image)
    seen = json.loads(skopeo("inspect", "--tls-verify=false", f"docker://{reference}"))
    assert (seen["Digest"], seen["RepoTags"]) == (image.digest, ["v1"])
    assert seen["Layers"] == [digest(image.layer)]
    assert skopeo.raw("inspect", "--raw", "--tls-verify=false", f"docker://{reference}") == image.manifest


def test_tags_are_listed(skopeo: Program, registry: Registry) -> None:
    repository, image = registry.new("skopeo"), new_image()
    for tag in ("b", "a", "c"):
        registry.push(repository, image, tag)
    seen = json.loads(skopeo("list-tags", "--tls-verify=false", f"docker://{registry.host}/{repository}"))
    assert seen["Tags"] == ["a", "b", "c"]


def test_a_repository_is_synchronised_to_a_folder_and_back(skopeo: Program, registry: Registry, tmp_path: Path) -> None:
    repository, images = registry.new("skopeo"), {tag: new_image() for tag in ("one", "two")}
    for tag, image in images.items():
        registry.push(repository, image, tag)
    name = repository.rpartition("/")[2]
    sync = skopeo.wordy("sync", "--src-tls-verify=false", "--dest-tls-verify=false")
    sync("--src=docker", "--dest=dir", f"{registry.host}/{repository}", tmp_path)
    sync("--src=dir", "--dest=docker", tmp_path, f"{registry.host}/synchronised")
    assert registry.tags(f"synchronised/{name}") == ["one", "two"]
    assert all(registry.manifest(f"synchronised/{name}", tag) == image.manifest for tag, image in images.items())


def test_a_deleted_image_is_gone(skopeo: Program, registry: Registry) -> None:
    repository, image = registry.new("skopeo"), new_image()
    reference = f"docker://{registry.push(repository, image)}"
    skopeo("delete", "--tls-verify=false", reference)
    assert "manifest unknown" in skopeo.fails("inspect", "--tls-verify=false", reference)
    assert not registry.has(repository, image.digest)
