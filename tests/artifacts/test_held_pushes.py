"""What the worker has still to look at is for its publishers alone, in memory too, until the worker has decided."""

import gzip
import json
import os
import tarfile
import tracemalloc
from typing import Any

import httpx
import pytest

from registry.artifacts import jobs
from registry.artifacts.catalogue import BY_NAME
from registry.artifacts.deprecation import Deprecation, deprecate, undeprecate
from registry.artifacts.model import GATI_MANIFEST, GATI_MANIFEST_LAYER
from registry.content.terms import OPEN_TERMS
from registry.infra.http.counters import Stamp, slot
from registry.namespaces import renaming
from registry.namespaces.spaces import NewNamespace
from tests.access.conftest import world
from tests.access.world import OPERATOR, World
from tests.artifacts.making import entry, tar, tgz
from tests.artifacts.publishing import Artifact, described, publish, push_parts, put, state
from tests.artifacts.scene import cast
from tests.pushing import OCI_INDEX, OCI_MANIFEST, digest, image, push_blob, push_manifest

__all__ = ["world"]  # a fixture

IMAGE = BY_NAME["module-oci"]
ARCHIVE = BY_NAME["module-node"].layers[0].media_type
LAYER = b"the files of an image"
CONFIG = b'{"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}'


def child() -> bytes:
    """The manifest of an image for one platform."""
    layers = [described(LAYER, "application/vnd.oci.image.layer.v1.tar")]
    body = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": described(CONFIG, IMAGE.config_type)}
    return json.dumps(body | {"layers": layers}).encode()


def parent() -> bytes:
    """The index of it, which is a module."""
    listed = described(child(), OCI_MANIFEST) | {"platform": {"os": "linux", "architecture": "amd64"}}
    body = {"schemaVersion": 2, "mediaType": OCI_INDEX, "artifactType": IMAGE.artifact_type, "manifests": [listed]}
    return json.dumps(body).encode()


async def push_index(client: httpx.AsyncClient, name: str) -> None:
    """An image for one platform and its index, without the Gati manifest."""
    for content in (LAYER, CONFIG):
        await push_blob(client, name, content)
    for raw, reference, media_type in ((child(), digest(child()), OCI_MANIFEST), (parent(), "1.0.0", OCI_INDEX)):
        answer = await push_manifest(client, name, raw, reference, media_type)
        assert answer.status_code == 201, answer.text


async def attach(client: httpx.AsyncClient, name: str) -> str:
    """The Gati manifest of the module; the digest of the referrer."""
    config = json.dumps(dict(IMAGE.example) | {"name": name.rpartition("/")[2], "version": "1.0.0"}).encode()
    for content in (config, b"{}"):
        await push_blob(client, name, content)
    raw = json.loads(image(subject=described(parent(), OCI_INDEX), artifactType=GATI_MANIFEST))
    raw["layers"] = [described(config, GATI_MANIFEST_LAYER)]
    found = json.dumps(raw).encode()
    assert (await push_manifest(client, name, found, digest(found))).status_code == 201
    return digest(found)


async def work(world: World) -> None:
    """Let the worker look at all that is due."""
    while await jobs.publish_next(world.application.shelf()):
        pass


async def statuses(client: httpx.AsyncClient, name: str, *references: str) -> list[int]:
    """Of GETs of a manifest by its tag or digests, then of a layer and a config."""
    paths = [f"manifests/{one}" for one in references] + [f"blobs/{digest(one)}" for one in (LAYER, CONFIG)]
    return [(await client.get(f"/v2/{name}/{path}")).status_code for path in paths]


async def test_an_image_is_held_with_all_in_it_until_its_gati_manifest_has_come(world: World) -> None:
    people = await cast(world)
    name = f"{people.home}/hello"
    async with people.owner.client() as owner, people.stranger.client() as stranger:
        await push_index(owner, name)
        await work(world)
        everything = ("1.0.0", digest(parent()), digest(child()))
        assert await statuses(owner, name, *everything) == [200] * 5
        assert await statuses(stranger, name, *everything) == [403, 403, 403, 404, 404]
        attached = await attach(owner, name)
        assert (await stranger.get(f"/v2/{name}/manifests/{attached}")).status_code in {200, 403}
        await work(world)
        assert await statuses(stranger, name, *everything, "latest", attached) == [200] * 7
        listed = (await stranger.get(f"/v2/{name}/referrers/{digest(parent())}")).json()["manifests"]
        assert [one["digest"] for one in listed] == [attached]


def large(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """An archive that is too large to be read in the push."""
    return tgz(entry("dist/index.js", b"export default 1"), entry("noise", os.urandom(80 << 10)), *entries)


@pytest.mark.parametrize(
    "data",
    [
        large(entry("../../evil.js", b"x")),
        large(entry("etc", kind=tarfile.SYMTYPE, linkname="/etc")),
        large() + tgz(entry("evil.js", b"x")),
        gzip.compress(tar([entry("dist/index.js", b"1"), entry("zeros", bytes(60 << 20))]), 9),
    ],
    ids=["a path out of the folder", "a link", "two archives", "a bomb"],
)
async def test_a_hostile_archive_that_is_read_later_was_never_there_for_others(world: World, data: bytes) -> None:
    people = await cast(world)
    artifact = Artifact(f"{people.home}/hello", kind="module-node", layers=(("hello.tgz", ARCHIVE, data),))
    blob = f"/v2/{artifact.name}/blobs/{digest(data)}"
    async with people.owner.client() as owner, people.stranger.client() as stranger:
        await push_parts(owner, artifact)
        assert (await put(owner, artifact)).status_code == 201
        assert await state(world.application.shelf(), artifact) == "received"
        for _ in range(2):
            for path in ("1.0.0", artifact.digest):
                assert (await stranger.get(f"/v2/{artifact.name}/manifests/{path}")).status_code == 403
            assert (await stranger.get(blob)).status_code == 404
            assert (await stranger.get(f"/v2/{artifact.name}/tags/list")).json()["tags"] == []
            tracemalloc.start()
            await work(world)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak < 16 << 20
        assert await state(world.application.shelf(), artifact) == "rejected"
        refused = await owner.get(f"/v2/{artifact.name}/manifests/1.0.0")
        assert refused.status_code == 403
        assert "The archive is refused." in refused.json()["errors"][0]["message"]
        assert (await owner.head(f"/v2/{artifact.name}/manifests/1.0.0")).status_code == 404
        assert (await owner.get(f"/v2/{artifact.name}/manifests/latest")).status_code == 404


async def test_a_good_archive_that_is_read_later_takes_the_place_of_one_that_was_refused(world: World) -> None:
    people = await cast(world)
    name = f"{people.home}/hello"
    bad, good = (
        Artifact(name, kind="module-node", layers=(("hello.tgz", ARCHIVE, data),))
        for data in (large(entry("/etc/passwd", b"x")), large())
    )
    async with people.owner.client() as owner, people.stranger.client() as stranger:
        for artifact in (bad, good):
            await publish(owner, artifact)
            await work(world)
        assert (await stranger.get(f"/v2/{name}/manifests/1.0.0")).content == good.raw
        assert (await stranger.get(f"/v2/{name}/manifests/{bad.digest}")).status_code == 404
        assert (await stranger.get(f"/v2/{name}/blobs/{digest(bad.files[0][2])}")).status_code == 404


async def test_a_deprecation_is_said_to_whoever_pulls_and_taken_back(world: World) -> None:
    people = await cast(world)
    artifact = Artifact(f"{people.home}/hello")
    shelf = world.application.shelf()
    path = f"/v2/{artifact.name}/manifests/1.0.0"
    async with people.owner.client() as owner, people.stranger.client() as stranger:
        await publish(owner, artifact)
        assert "warning" not in (await stranger.get(path)).headers
        await deprecate(shelf, artifact.name, "1.0.0", Deprecation('Use "hello2" é it is safer.'), OPEN_TERMS)
        for method in ("GET", "HEAD"):
            said = (await stranger.request(method, path)).headers["warning"]
            assert said == f'299 - "{artifact.name}@1.0.0 is deprecated: Use \\"hello2\\" ? it is safer."'
        await undeprecate(shelf, artifact.name, "1.0.0", OPEN_TERMS)
        assert "warning" not in (await stranger.get(path)).headers


async def test_what_is_published_after_its_namespace_was_renamed_is_announced_under_the_new_name(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = await cast(world)
    name, later = f"{people.home}/hello", "orgs/another-name/hello"
    artifact = Artifact(name, kind="module-node", layers=(("hello.tgz", ARCHIVE, large()),))
    counters = world.realm.changes.counters
    assert counters is not None
    async with people.owner.client() as owner:
        await publish(owner, artifact)
    read: Any = jobs._read_whole
    stamps: list[Stamp] = []

    async def renamed(*given: Any) -> None:
        await renaming.rename(world.realm, OPERATOR, people.namespace, NewNamespace("another-name"))
        found = counters.stamp((slot(later),))
        assert found is not None
        stamps.append(found)
        await read(*given)

    monkeypatch.setattr(jobs, "_read_whole", renamed)
    await work(world)
    async with people.stranger.client() as stranger:
        assert (await stranger.get(f"/v2/{later}/manifests/latest")).status_code == 200
    assert not counters.holds(stamps[0])
