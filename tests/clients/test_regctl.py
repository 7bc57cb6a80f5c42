import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.images import digest, layout, new_image
from tests.clients.programs import Program, Registry


@pytest.fixture
def regctl(program: Callable[[str], Program], registry: Registry) -> Program:
    return program("regctl").wordy("--host", f"reg={registry.host},tls=disabled")


def test_a_layout_is_copied_in_and_out_unchanged(regctl: Program, registry: Registry, tmp_path: Path) -> None:
    image = new_image()
    reference = registry.reference(registry.new("regctl"))
    regctl("image", "copy", f"ocidir://{layout(tmp_path / 'in', image)}:v1", reference)
    assert regctl("image", "digest", reference) == image.digest
    regctl("image", "copy", reference, f"ocidir://{tmp_path / 'out'}:v1")
    for blob in image.blobs:
        assert (tmp_path / "out/blobs/sha256" / digest(blob).removeprefix("sha256:")).read_bytes() == blob


def test_an_image_is_copied_with_what_refers_to_it(regctl: Program, registry: Registry) -> None:
    source, target, image = registry.new("regctl"), registry.new("copies"), new_image()
    reference, kind = registry.push(source, image), "application/vnd.example.sbom"
    regctl("artifact", "put", "--subject", reference, "--artifact-type", kind, stdin=b"a list of parts")
    regctl("image", "copy", "--referrers", reference, registry.reference(target))
    listed = json.loads(regctl("artifact", "list", registry.reference(target), "--format", "{{jsonPretty .}}"))
    assert [entry["artifactType"] for entry in listed["descriptors"]] == [kind]
    fetched = regctl("artifact", "get", "--subject", registry.reference(target), "--filter-artifact-type", kind)
    assert fetched == "a list of parts"


def test_referrers_are_filtered_by_type(regctl: Program, registry: Registry) -> None:
    repository, image = registry.new("regctl"), new_image()
    reference = registry.push(repository, image)
    for kind in ("application/vnd.example.a", "application/vnd.example.b"):
        regctl("artifact", "put", "--subject", reference, "--artifact-type", kind, stdin=kind.encode())
    wanted = ("artifact", "list", reference, "--filter-artifact-type", "application/vnd.example.b")
    listed = json.loads(regctl(*wanted, "--format", "{{jsonPretty .}}"))
    assert [entry["artifactType"] for entry in listed["descriptors"]] == ["application/vnd.example.b"]


def test_a_blob_goes_in_and_comes_out(regctl: Program, registry: Registry) -> None:
    repository, content = f"{registry.host}/{registry.new('regctl')}", new_image(size=2_000_000).file
    named = regctl("blob", "put", repository, stdin=content)
    assert named == digest(content)
    assert regctl.raw("blob", "get", repository, named) == content
    regctl("blob", "delete", repository, named)
    assert "not found" in regctl.fails("blob", "head", repository, named)


def test_a_deleted_tag_takes_no_other_tag_along(regctl: Program, registry: Registry) -> None:
    repository, image = registry.new("regctl"), new_image()
    registry.push(repository, image, "kept")
    regctl("tag", "delete", registry.push(repository, image, "gone"))
    assert regctl("tag", "ls", f"{registry.host}/{repository}") == "kept"
    assert registry.manifest(repository, "kept") == image.manifest
    assert not registry.has(repository, "gone")


def test_a_deleted_manifest_is_gone(regctl: Program, registry: Registry) -> None:
    repository, image = registry.new("regctl"), new_image()
    registry.push(repository, image)
    regctl("manifest", "delete", registry.reference(repository, image.digest))
    assert "not found" in regctl.fails("manifest", "head", registry.reference(repository))


def test_an_image_of_sha512_digests_is_pushed_and_pulled(regctl: Program, registry: Registry, tmp_path: Path) -> None:
    here = f"ocidir://{layout(tmp_path / 'in', new_image())}"
    regctl("image", "mod", f"{here}:v1", "--create", f"{here}:long", "--digest-algo", "sha512")
    reference = registry.reference(registry.new("regctl"))
    regctl("image", "copy", f"{here}:long", reference)
    named = regctl("image", "digest", f"{here}:long")
    assert named.startswith("sha512:")
    regctl("image", "copy", f"{reference.removesuffix(':v1')}@{named}", f"ocidir://{tmp_path / 'out'}:v1")
    assert regctl("image", "digest", f"ocidir://{tmp_path / 'out'}:v1") == named


def test_repositories_are_listed_from_a_name_on(regctl: Program, registry: Registry) -> None:
    repository = registry.new("regctl")
    for part in ("a", "b"):
        registry.push(f"{repository}/{part}", new_image())
    listed = regctl("repo", "ls", f"--last={repository}/a", "--limit=1", registry.host)
    assert listed == f"{repository}/b"


def test_a_layer_sent_in_many_chunks_arrives_unchanged(
    program: Callable[[str], Program], registry: Registry, tmp_path: Path
) -> None:
    regctl, image, repository = program("regctl"), new_image(size=1_000_000), registry.new("regctl")
    regctl("registry", "set", "--skip-check", "--tls=disabled", "--blob-chunk=65536", "--blob-max=65536", registry.host)
    regctl("image", "copy", f"ocidir://{layout(tmp_path / 'in', image)}:v1", registry.reference(repository))
    assert registry.blob(repository, digest(image.layer)) == image.layer
