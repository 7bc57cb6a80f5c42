import json
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from tests.clients.images import DOCKER_LIST, DOCKER_MANIFEST, digest, index, new_image, tar
from tests.clients.programs import Program, Registry, digests_in

pytestmark = pytest.mark.xdist_group("docker")


@pytest.fixture
def docker(program: Callable[[str], Program], docker_host: str) -> Program:
    docker = program("docker")
    return Program(docker.path, docker.environ | {"DOCKER_HOST": docker_host})


def file_of(docker: Program, reference: str) -> bytes:
    """The file `/file` of an image that the daemon holds."""
    container = docker("create", "--network=none", reference, "command")
    archive = docker.raw("cp", f"{container}:/file", "-")
    docker("rm", container)
    return archive


def imported(docker: Program, reference: str, size: int = 2000) -> bytes:
    """Make an image of one new file in the daemon; the file's content."""
    content = new_image(size=size).file
    docker("import", "-", reference, stdin=tar({"file": content}))
    return content


def test_a_pushed_image_is_pulled_unchanged(docker: Program, registry: Registry) -> None:
    repository = registry.new("docker")
    reference = registry.reference(repository)
    content = imported(docker, reference, 20_000_000)
    named = docker("image", "inspect", "--format={{.Id}}", reference)
    pushed = digests_in(docker("push", reference))[-1]
    assert pushed == digest(registry.manifest(repository, "v1"))
    docker("rmi", reference)
    assert pushed in docker("pull", reference)
    assert docker("image", "inspect", "--format={{.Id}}", reference) == named
    assert content in file_of(docker, reference)


@pytest.mark.parametrize("buildkit", ["0", "1"])
def test_a_built_image_is_pushed(
    docker: Program, registry: Registry, tmp_path: Path, buildkit: str, leave_out: Callable[[str], NoReturn]
) -> None:
    repository, content = registry.new("docker"), new_image().file
    (tmp_path / "context").mkdir()
    (tmp_path / "context" / "file").write_bytes(content)
    (tmp_path / "context" / "Dockerfile").write_text("FROM scratch\nCOPY file /file\nLABEL made=here\n")
    reference = registry.reference(repository)
    builder = Program(docker.path, docker.environ | {"DOCKER_BUILDKIT": buildkit})
    build = ("build", "--tag", reference, tmp_path / "context")
    if "buildx component is missing" in builder.run(*build).stderr.decode():
        leave_out("this docker has no BuildKit: install its buildx plugin")
    builder(*build)
    docker("push", reference)
    docker("rmi", reference)
    docker("pull", reference)
    assert content in file_of(docker, reference)
    assert json.loads(registry.manifest(repository, "v1"))["mediaType"] == DOCKER_MANIFEST


def test_an_oci_image_is_pulled_by_tag_and_by_digest(docker: Program, registry: Registry) -> None:
    repository, image = registry.new("docker"), new_image()
    registry.push(repository, image)
    for reference in (registry.reference(repository), registry.reference(repository, image.digest)):
        assert image.digest in docker("pull", reference)
        assert docker("image", "inspect", "--format={{.Id}}", reference) == digest(image.config)
        assert image.file in file_of(docker, reference)


def test_an_index_gives_the_image_of_the_platform(docker: Program, registry: Registry) -> None:
    repository, images = registry.new("docker"), (new_image("arm64"), new_image("amd64"))
    for image in images:
        registry.push(repository, image, image.architecture)
    registry.push_manifest(repository, "both", index(*images))
    reference = registry.reference(repository, "both")
    assert digest(index(*images)) in docker("pull", "--platform=linux/amd64", reference)
    assert docker("image", "inspect", "--format={{.Id}}", reference) == digest(images[1].config)


def test_layers_that_another_repository_has_are_not_sent_again(docker: Program, registry: Registry) -> None:
    source, target = registry.new("docker"), registry.new("docker")
    imported(docker, registry.reference(source))
    docker("push", registry.reference(source))
    docker("tag", registry.reference(source), registry.reference(target))
    assert f"Mounted from {source}" in docker("push", registry.reference(target))
    assert "Layer already exists" in docker("push", registry.reference(target))
    assert registry.manifest(target, "v1") == registry.manifest(source, "v1")


def test_a_manifest_list_is_made_of_images_of_another_repository(docker: Program, registry: Registry) -> None:
    source, target = registry.new("docker"), registry.new("docker")
    for tag in ("one", "two"):
        imported(docker, registry.reference(source, tag))
        docker("push", registry.reference(source, tag))
    images = [registry.reference(source, tag) for tag in ("one", "two")]
    docker("manifest", "create", "--insecure", registry.reference(target), *images)
    docker("manifest", "annotate", "--arch=arm64", registry.reference(target), images[1])
    pushed = docker("manifest", "push", "--insecure", registry.reference(target)).splitlines()[-1]
    found = json.loads(registry.manifest(target, "v1"))
    assert (digest(registry.manifest(target, "v1")), found["mediaType"]) == (pushed, DOCKER_LIST)
    assert {entry["digest"] for entry in found["manifests"]} == {
        digest(registry.manifest(source, tag)) for tag in ("one", "two")
    }
    docker("manifest", "inspect", "--insecure", registry.reference(target))


def test_all_tags_are_pushed_and_pulled(docker: Program, registry: Registry) -> None:
    repository = registry.new("docker")
    for tag in ("v1", "v2"):
        imported(docker, registry.reference(repository, tag))
    docker("push", "--all-tags", f"{registry.host}/{repository}")
    docker("rmi", registry.reference(repository, "v1"), registry.reference(repository, "v2"))
    docker("pull", "--all-tags", f"{registry.host}/{repository}")
    held = docker("images", "--format={{.Tag}}", f"{registry.host}/{repository}").splitlines()
    assert sorted(held) == registry.tags(repository) == ["v1", "v2"]


def test_a_tag_that_is_not_there_is_not_pulled(docker: Program, registry: Registry) -> None:
    repository = registry.new("docker")
    registry.push(repository, new_image())
    assert "manifest unknown" in docker.fails("pull", registry.reference(repository, "absent")).lower()
