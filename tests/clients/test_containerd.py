import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.images import OCI_INDEX, digest, index, layout, new_image
from tests.clients.programs import Program, Registry, digests_in

pytestmark = pytest.mark.xdist_group("docker")


@pytest.fixture
def ctr(program: Callable[[str], Program], containerd_address: str, registry: Registry) -> Program:
    ctr = program("ctr")
    return ctr.wordy("--address", containerd_address, "--namespace", registry.new("n").replace("/", "-"))


def packed(folder: Path) -> Path:
    """An image layout as one archive."""
    with tarfile.open(folder.with_suffix(".tar"), "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.add(path, path.relative_to(folder), recursive=False)
    return folder.with_suffix(".tar")


def test_a_pulled_image_is_the_one_that_was_pushed(ctr: Program, registry: Registry) -> None:
    image = new_image()
    reference = registry.push(registry.new("containerd"), image)
    ctr("images", "pull", "--plain-http", "--snapshotter=native", reference)
    assert digests_in(ctr("images", "ls", f"name=={reference}")) == [image.digest]
    for blob in image.blobs:
        assert ctr.raw("content", "get", digest(blob)) == blob


def test_an_imported_image_is_pushed_unchanged(ctr: Program, registry: Registry, tmp_path: Path) -> None:
    repository, image = registry.new("containerd"), new_image()
    reference = registry.reference(repository)
    archive = packed(layout(tmp_path / "in", image, tag=reference))
    ctr("images", "import", "--snapshotter=native", archive)
    ctr("images", "push", "--plain-http", reference)
    assert registry.manifest(repository, "v1") == image.manifest
    assert registry.blob(repository, digest(image.layer)) == image.layer


def test_an_index_is_pushed_and_pulled_for_all_platforms(ctr: Program, registry: Registry) -> None:
    source, target = registry.new("containerd"), registry.new("containerd")
    images = new_image("amd64"), new_image("arm64")
    for image in images:
        registry.push(source, image, image.architecture)
    registry.push_manifest(source, "v1", index(*images))
    reference = registry.reference(source)
    ctr("images", "pull", "--plain-http", "--snapshotter=native", "--all-platforms", reference)
    ctr("images", "tag", reference, registry.reference(target))
    ctr("images", "push", "--plain-http", registry.reference(target))
    assert registry.manifest(target, "v1") == index(*images)
    assert all(registry.blob(target, digest(image.layer)) == image.layer for image in images)
    assert OCI_INDEX in ctr("images", "ls", f"name=={reference}")


def test_a_tag_that_is_not_there_is_not_pulled(ctr: Program, registry: Registry) -> None:
    reference = registry.reference(registry.new("containerd"))
    assert "not found" in ctr.fails("images", "pull", "--plain-http", "--snapshotter=native", reference)
