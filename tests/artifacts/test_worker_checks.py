import asyncio
import gzip
import io
import json
import tarfile
from datetime import timedelta
from typing import Any

import httpx
import pytest

from registry import worker
from registry.artifacts import checking, jobs, judging
from registry.artifacts.jobs import publish_next
from registry.artifacts.model import GATI_MANIFEST, GATI_MANIFEST_LAYER
from registry.core.errors import MalformedManifest, Unavailable
from tests.artifacts.making import entry, submit, tar
from tests.artifacts.publishing import Artifact, publish, put, state, tags
from tests.content.spaces import execute, fetch
from tests.pushing import OCI_MANIFEST, digest, image, push_blob, push_manifest

NODE = "application/vnd.gati.module.node.layer.v1.tar+gzip"
HELLO = "users/alice/hello"
PAUSES = worker.Pauses(timedelta(hours=1), timedelta(hours=1))


def big(entries: list[tuple[tarfile.TarInfo, bytes]]) -> Artifact:
    """A module whose archive is too large to be read whole in the push."""
    padding = bytes(range(256)) * 512
    mixed = b"".join(bytes([value ^ number % 251]) for number, value in enumerate(padding))
    packed = gzip.compress(tar([*entries, entry("dist/data.bin", mixed)]), 0)
    return Artifact(kind="module-node", layers=(("hello.tgz", NODE, packed),))


GOOD = big([entry("dist/index.js", b"exports.hello = () => 'hello'\n")])
BAD = big([entry("../index.js", b"1")])


async def everything_is_due(shelf: Any) -> None:
    """The worker looks at once."""
    await execute(shelf, "UPDATE releases SET due = clock_timestamp() WHERE due IS NOT NULL")


async def why(shelf: Any) -> Any:
    """What a release says of its state."""
    return json.loads(await fetch(shelf, "SELECT reason::text FROM releases"))


async def test_a_large_layer_is_read_by_the_worker_then_the_artifact_is_published(
    client: httpx.AsyncClient, shelf: Any
) -> None:
    named = await publish(client, GOOD, GOOD.digest, ("1.0.0", "stable"))
    assert await state(shelf, GOOD) == "received"
    assert await tags(client) == {"1.0.0": named}
    assert await publish_next(shelf)
    assert await state(shelf, GOOD) == "published"
    assert await tags(client) == {"1.0.0": named, "latest": named, "stable": named}
    assert not await publish_next(shelf)


async def test_what_the_worker_refuses_tells_why_and_can_be_published_better(
    client: httpx.AsyncClient, shelf: Any
) -> None:
    named = await publish(client, BAD)
    assert await publish_next(shelf)
    assert await state(shelf, BAD) == "rejected"
    told = await why(shelf)
    assert (told["reason"], told["document"], told["pointer"]) == ("MALFORMED_MANIFEST", "layer", "/layers/0")
    answer = await client.get(f"/v2/{HELLO}/manifests/{named}")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (403, "DENIED")
    better = await publish(client, GOOD)
    assert await publish_next(shelf)
    assert await tags(client) == {"1.0.0": better, "latest": better}
    assert (await client.get(f"/v2/{HELLO}/manifests/{named}")).status_code == 404


async def test_a_reason_may_quote_what_the_database_cannot_keep(
    client: httpx.AsyncClient, shelf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise MalformedManifest("It is \0.", pointer="", suggestion="Write x.", value="\ud800", path="a\0b")

    monkeypatch.setattr(checking, "check_whole", refuse)
    await publish(client, GOOD)
    assert await publish_next(shelf)
    assert (await state(shelf, GOOD), (await why(shelf))["path"]) == ("rejected", "a\ufffdb")


async def test_what_was_refused_is_looked_at_again_when_it_is_pushed_again(
    client: httpx.AsyncClient, shelf: Any
) -> None:
    await publish(client, BAD)
    assert await publish_next(shelf)
    upload = await fetch(shelf, "SELECT upload FROM releases")
    assert (await put(client, BAD)).status_code == 201
    assert await state(shelf, BAD) == "received"
    assert await fetch(shelf, "SELECT upload FROM releases") != upload


async def test_a_worker_that_ends_in_the_middle_leaves_the_release_to_the_next(
    client: httpx.AsyncClient, shelf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(client, GOOD)

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(jobs, "judge", die)
        with pytest.raises(KeyboardInterrupt):
            await publish_next(shelf)
    assert await state(shelf, GOOD) == "received"
    assert not await publish_next(shelf)
    await everything_is_due(shelf)
    assert await publish_next(shelf)
    assert await state(shelf, GOOD) == "published"


async def test_what_cannot_be_read_is_tried_again_then_given_up_and_may_be_pushed_anew(
    client: httpx.AsyncClient, shelf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(client, GOOD)

    def fail(*_: Any) -> None:
        raise Unavailable("The storage is gone.")

    with monkeypatch.context() as patched:
        patched.setattr(checking, "check_whole", fail)
        for attempt in range(jobs.ATTEMPTS):
            assert await state(shelf, GOOD) == "received", attempt
            await everything_is_due(shelf)
            assert await publish_next(shelf)
    assert await state(shelf, GOOD) == "rejected"
    assert (await why(shelf))["reason"] == "UNCHECKED"
    assert (await put(client, GOOD)).status_code == 201
    assert await publish_next(shelf)
    assert await state(shelf, GOOD) == "published"


async def test_a_release_that_is_withdrawn_while_it_is_looked_at_stays_away(
    client: httpx.AsyncClient, shelf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(client, GOOD)
    look = judging.judge

    async def withdraw(*arguments: Any) -> Any:
        judged = await look(*arguments)
        assert (await client.delete(f"/v2/{HELLO}/manifests/1.0.0")).status_code == 202
        return judged

    monkeypatch.setattr(jobs, "judge", withdraw)
    assert await publish_next(shelf)
    assert await state(shelf, GOOD) is None
    assert await tags(client) == {}


async def test_a_running_worker_is_woken_by_the_push(client: httpx.AsyncClient, shelf: Any, server: Any) -> None:
    stop = asyncio.Event()
    task = asyncio.create_task(worker.run(shelf, server.access().realm, PAUSES, stop))
    await publish(client, GOOD)
    while await state(shelf, GOOD) == "received":  # noqa: ASYNC110 - the worker works meanwhile
        await asyncio.sleep(0)
    stop.set()
    await task
    assert await state(shelf, GOOD) == "published"


def image_module(layer: bytes) -> Artifact:
    """A runnable image that is a module."""
    return Artifact(kind="module-oci", layers=(("", "application/vnd.oci.image.layer.v1.tar+gzip", layer),))


def packed(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """A layer of an image."""
    return gzip.compress(tar(entries), mtime=0)


def gati_manifest(version: str = "1.0.0") -> bytes:
    """What the referrer of an image holds."""
    return Artifact(kind="module-oci", version=version).config


async def push_image_module(client: httpx.AsyncClient, artifact: Artifact) -> bytes:
    """Push a runnable image; its OCI manifest."""
    config = b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'
    for content in (config, *(content for _, _, content in artifact.files)):
        await push_blob(client, artifact.name, content)
    body = json.loads(artifact.raw)
    body["config"] = body["config"] | {"digest": digest(config), "size": len(config)}
    raw = json.dumps(body).encode()
    answer = await push_manifest(client, artifact.name, raw, artifact.version)
    assert answer.status_code == 201, answer.text
    return raw


async def attach(
    client: httpx.AsyncClient, subject: bytes, content: bytes, artifact_type: str = GATI_MANIFEST, name: str = HELLO
) -> None:
    """Push a referrer that says something of a manifest."""
    for blob in (b"{}", content):
        await push_blob(client, name, blob)
    reference = {"mediaType": OCI_MANIFEST, "digest": digest(subject), "size": len(subject)}
    body = json.loads(image(artifactType=artifact_type, subject=reference))
    body["layers"] = [{"mediaType": GATI_MANIFEST_LAYER, "digest": digest(content), "size": len(content)}]
    raw = json.dumps(body).encode()
    assert (await push_manifest(client, name, raw, digest(raw))).status_code == 201


PLAIN = image_module(packed(entry("hello", b"x")))


async def test_an_image_waits_for_its_manifest_and_is_published_when_it_comes(
    client: httpx.AsyncClient, shelf: Any
) -> None:
    raw = await push_image_module(client, PLAIN)
    assert await publish_next(shelf)
    assert (await state(shelf, PLAIN), (await why(shelf))["missing"]) == ("received", [GATI_MANIFEST])
    assert not await publish_next(shelf)
    await attach(client, raw, gati_manifest())
    assert await publish_next(shelf)
    assert await state(shelf, PLAIN) == "published"
    assert await fetch(shelf, "SELECT config FROM releases") == gati_manifest().decode()


async def test_an_image_whose_manifest_is_there_before_it_is_published_at_once(
    client: httpx.AsyncClient, shelf: Any
) -> None:
    raw = await push_image_module(client, PLAIN)
    assert (await client.delete(f"/v2/{HELLO}/manifests/1.0.0")).status_code == 202
    await attach(client, raw, gati_manifest())
    await push_image_module(client, PLAIN)
    assert await state(shelf, PLAIN) == "published"


async def test_a_manifest_of_another_version_rejects_the_image(client: httpx.AsyncClient, shelf: Any) -> None:
    raw = await push_image_module(client, PLAIN)
    await attach(client, raw, gati_manifest("2.0.0"))
    assert await publish_next(shelf)
    assert (await state(shelf, PLAIN), (await why(shelf))["pointer"]) == ("rejected", "/version")


async def test_an_image_may_hold_its_manifest_itself(client: httpx.AsyncClient, shelf: Any) -> None:
    layer = packed(entry("etc/gati/manifest.json", gati_manifest()), entry("bin/sh", b"x"))
    artifact = image_module(layer)
    await push_image_module(client, artifact)
    assert await publish_next(shelf)
    assert await state(shelf, artifact) == "published"


async def test_a_manifest_that_a_higher_layer_removes_is_not_there(client: httpx.AsyncClient, shelf: Any) -> None:
    layers = [packed(entry("./etc/gati/manifest.json", gati_manifest())), packed(entry("etc/.wh.gati"))]
    media_type = "application/vnd.oci.image.layer.v1.tar+gzip"
    artifact = Artifact(kind="module-oci", layers=tuple(("", media_type, layer) for layer in layers))
    await push_image_module(client, artifact)
    assert await publish_next(shelf)
    assert await state(shelf, artifact) == "received"


async def test_a_referrer_that_comes_while_the_release_is_looked_at_is_not_missed(
    client: httpx.AsyncClient, shelf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = await push_image_module(client, PLAIN)
    settle = jobs._settle

    async def late(*arguments: Any) -> None:
        await attach(client, raw, gati_manifest())
        await settle(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(jobs, "_settle", late)
        assert await publish_next(shelf)
    assert await state(shelf, PLAIN) == "received"
    assert await publish_next(shelf)
    assert await state(shelf, PLAIN) == "published"


async def test_a_refusal_while_the_worker_looks_is_the_one_of_the_push(client: httpx.AsyncClient, shelf: Any) -> None:
    submission = submit(BAD.row, json.loads(BAD.config), BAD.files)
    with pytest.raises(MalformedManifest) as refused:
        checking.check_whole(submission, submission.layers[0], io.BytesIO(BAD.files[0][2]))
    await publish(client, BAD)
    assert await publish_next(shelf)
    told = await why(shelf)
    assert told == refused.value.detail | {"message": refused.value.message}
