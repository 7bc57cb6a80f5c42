"""The caches that BuildKit exports with `--cache-to type=registry`."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.images import OCI_INDEX, OCI_LAYER, OCI_MANIFEST, Image, descriptor, digest, encode, new_image
from tests.clients.programs import Program, Registry

CACHE_CONFIG = "application/vnd.buildkit.cacheconfig.v0"


def config(image: Image) -> bytes:
    """A cache's description of which step made which layer."""
    records = [{"digest": digest(image.file), "layers": [{"layer": 0, "createdAt": "2026-01-01T00:00:00Z"}]}]
    return encode({"layers": [{"blob": digest(image.layer), "parent": -1}], "records": records})


def cache_index(image: Image) -> bytes:
    """The older form: an index whose descriptors are layers and the configuration, none of them a manifest."""
    layer = descriptor(OCI_LAYER, image.layer, annotations={"buildkit/createdat": "2026-01-01T00:00:00Z"})
    entries = [layer, descriptor(CACHE_CONFIG, config(image))]
    return encode({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries})


def cache_manifest(image: Image) -> bytes:
    """The newer form, `image-manifest=true`: a manifest with the cache's configuration as its own."""
    document = {"config": descriptor(CACHE_CONFIG, config(image)), "layers": [descriptor(OCI_LAYER, image.layer)]}
    return encode({"schemaVersion": 2, "mediaType": OCI_MANIFEST} | document)


@pytest.mark.parametrize("form", [cache_index, cache_manifest])
def test_a_cache_is_pushed_and_read_back(registry: Registry, form: Callable[[Image], bytes]) -> None:
    repository, image = registry.new("cache"), new_image()
    for blob in (image.layer, config(image)):
        registry.push_blob(repository, blob)
    cache = form(image)
    registry.push_manifest(repository, "buildcache", cache)
    assert registry.manifest(repository, "buildcache") == registry.manifest(repository, digest(cache)) == cache
    assert registry.blob(repository, digest(image.layer)) == image.layer
    assert registry.blob(repository, digest(config(image))) == config(image)


def test_a_cache_is_written_over_under_its_tag(registry: Registry) -> None:
    repository, images = registry.new("cache"), [new_image(), new_image()]
    for image in images:
        registry.push_blob(repository, image.layer)
        registry.push_blob(repository, config(image))
        registry.push_manifest(repository, "buildcache", cache_index(image))
    assert registry.manifest(repository, "buildcache") == cache_index(images[1])
    assert registry.tags(repository) == ["buildcache"]


def test_crane_and_oras_push_and_read_a_cache(
    registry: Registry, program: Callable[[str], Program], tmp_path: Path
) -> None:
    oras, crane, image, repository = program("oras"), program("crane"), new_image(), registry.new("cache")
    for content in (image.layer, config(image)):
        (tmp_path / "blob").write_bytes(content)
        oras("blob", "push", "--plain-http", f"{registry.host}/{repository}", "blob", cwd=tmp_path)
    (tmp_path / "cache.json").write_bytes(cache_index(image))
    reference = registry.reference(repository, "buildcache")
    oras("manifest", "push", "--plain-http", f"--media-type={OCI_INDEX}", reference, tmp_path / "cache.json")
    assert crane.raw("manifest", reference) == cache_index(image)
    entries = json.loads(crane("manifest", reference))["manifests"]
    read = [crane.raw("blob", registry.reference(repository, entry["digest"])) for entry in entries]
    assert read == [image.layer, config(image)]
