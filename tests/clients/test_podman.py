import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.images import digest, new_image, tar
from tests.clients.programs import Program, Registry

PLAIN = "--tls-verify=false"


@pytest.fixture
def podman(program: Callable[[str], Program]) -> Program:
    return program("podman").wordy("--cgroup-manager=cgroupfs", "--events-backend=none")


def imported(podman: Program, folder: Path, reference: str) -> bytes:
    """Make an image of one new file in podman's store; the file's content."""
    content = new_image().file
    (folder / "root.tar").write_bytes(tar({"file": content}))
    podman("import", folder / "root.tar", reference)
    return content


def test_a_pushed_image_is_pulled_unchanged(podman: Program, registry: Registry, tmp_path: Path) -> None:
    repository = registry.new("podman")
    reference = registry.reference(repository)
    content = imported(podman, tmp_path, reference)
    podman("push", PLAIN, "--digestfile", tmp_path / "digest", reference)
    assert (tmp_path / "digest").read_text() == digest(registry.manifest(repository, "v1"))
    podman("rmi", reference)
    podman("pull", PLAIN, reference)
    podman("save", "--format=docker-archive", "--output", tmp_path / "out.tar", reference)
    assert content in (tmp_path / "out.tar").read_bytes()


def test_an_image_is_pulled_by_digest(podman: Program, registry: Registry) -> None:
    repository, image = registry.new("podman"), new_image()
    registry.push(repository, image)
    reference = registry.reference(repository, image.digest)
    assert podman("pull", PLAIN, reference) == digest(image.config).removeprefix("sha256:")
    assert podman("image", "inspect", "--format={{.Digest}}", reference) == image.digest


def test_docker_format_is_pushed_too(podman: Program, registry: Registry, tmp_path: Path) -> None:
    repository = registry.new("podman")
    reference = registry.reference(repository)
    imported(podman, tmp_path, reference)
    podman("push", PLAIN, "--format=v2s2", reference)
    assert "docker" in json.loads(registry.manifest(repository, "v1"))["mediaType"]


def test_a_manifest_list_is_pushed_with_its_images(podman: Program, registry: Registry) -> None:
    source, target = registry.new("podman"), registry.new("podman")
    images = {name: new_image(name) for name in ("amd64", "arm64")}
    podman("manifest", "create", "both")
    for name, image in images.items():
        podman("manifest", "add", PLAIN, "both", f"docker://{registry.push(source, image, name)}")
    podman("manifest", "push", PLAIN, "--all", "both", f"docker://{registry.reference(target)}")
    entries = json.loads(registry.manifest(target, "v1"))["manifests"]
    assert {entry["digest"] for entry in entries} == {image.digest for image in images.values()}
    assert all(registry.manifest(target, image.digest) == image.manifest for image in images.values())


def test_repositories_are_searched_and_their_tags_listed(podman: Program, registry: Registry) -> None:
    repository = registry.new("podman")
    registry.push(repository, new_image(), "v1")
    registry.push(repository, new_image(), "v2")
    found = podman("search", PLAIN, f"{registry.host}/{repository}", "--format={{.Name}}").splitlines()
    assert f"{registry.host}/{repository}" in found
    listed = podman("search", PLAIN, "--list-tags", f"{registry.host}/{repository}").splitlines()
    assert [line.split()[-1] for line in listed] == ["TAG", "v1", "v2"]


def test_a_tag_that_is_not_there_is_not_pulled(podman: Program, registry: Registry) -> None:
    repository = registry.new("podman")
    registry.push(repository, new_image())
    assert "manifest unknown" in podman.fails("pull", PLAIN, registry.reference(repository, "absent"))
