import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.images import digest, new_image
from tests.clients.programs import Program, Registry

PLAIN = "--tls-verify=false"


@pytest.fixture
def buildah(program: Callable[[str], Program]) -> Program:
    return program("buildah")


def context(folder: Path, base: str = "scratch") -> bytes:
    """Write a Containerfile that copies one new file; the file's content."""
    content = new_image().file
    (folder / "Containerfile").write_text(f"FROM {base}\nCOPY data /data\nLABEL made=here\n")
    (folder / "data").write_bytes(content)
    return content


def test_a_built_image_is_pushed_and_pulled_unchanged(buildah: Program, registry: Registry, tmp_path: Path) -> None:
    repository = registry.new("buildah")
    reference = registry.reference(repository)
    content = context(tmp_path)
    named = buildah("build", "--quiet", "--tag", reference, tmp_path)
    buildah("push", PLAIN, "--digestfile", tmp_path / "digest", reference)
    assert (tmp_path / "digest").read_text() == digest(registry.manifest(repository, "v1"))
    buildah("rmi", "--all", "--force")
    assert buildah("pull", PLAIN, reference).splitlines()[-1] == named
    root = Path(buildah("mount", buildah("from", reference)))
    assert (root / "data").read_bytes() == content


def test_a_build_starts_from_an_image_of_the_registry(buildah: Program, registry: Registry, tmp_path: Path) -> None:
    base, target, image = registry.new("buildah"), registry.new("buildah"), new_image()
    context(tmp_path, registry.push(base, image))
    buildah("build", PLAIN, "--tag", registry.reference(target), tmp_path)
    buildah("push", PLAIN, registry.reference(target))
    layers = json.loads(registry.manifest(target, "v1"))["layers"]
    assert registry.blob(target, layers[0]["digest"])
    assert json.loads(registry.blob(target, json.loads(registry.manifest(target, "v1"))["config"]["digest"]))["rootfs"][
        "diff_ids"
    ][0] == digest(image.archive)


def test_layers_are_kept_in_the_registry_as_a_cache(buildah: Program, registry: Registry, tmp_path: Path) -> None:
    cache = f"{registry.host}/{registry.new('cache')}"
    context(tmp_path)
    build = buildah.wordy("build", PLAIN, "--layers", f"--cache-to={cache}", f"--cache-from={cache}")
    build("--tag=first", tmp_path)
    buildah("rmi", "--all", "--force")
    assert "Cache pulled" in build("--tag=second", tmp_path)


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_layers_are_pushed_in_either_compression(
    buildah: Program, registry: Registry, tmp_path: Path, compression: str
) -> None:
    repository = registry.new("buildah")
    context(tmp_path)
    buildah("build", "--tag=made", tmp_path)
    target = f"docker://{registry.reference(repository)}"
    buildah("push", PLAIN, f"--compression-format={compression}", "made", target)
    [layer] = json.loads(registry.manifest(repository, "v1"))["layers"]
    assert layer["mediaType"].endswith(compression)
    assert buildah("pull", PLAIN, registry.reference(repository))
