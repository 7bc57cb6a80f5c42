"""What goes, what stays, and when: content that nobody named is not garbage, content that nothing reaches is."""

import json
from typing import Any

import httpx
import pytest

from registry.content import jobs
from tests.content.faults import all_time_passes, everything_falls_due
from tests.pushing import (
    EMPTY,
    OCI_INDEX,
    OCI_MANIFEST,
    descriptor,
    digest,
    image,
    push_blob,
    push_image,
    push_manifest,
)

LAYER = b"layer"


def subject_of(raw: bytes) -> dict[str, Any]:
    return descriptor(raw, OCI_MANIFEST)


async def push_untagged(client: httpx.AsyncClient, raw: bytes, media_type: str = OCI_MANIFEST) -> str:
    answer = await push_manifest(client, "a", raw, digest(raw), media_type)
    assert answer.status_code == 201, answer.text
    return digest(raw)


async def push_index(client: httpx.AsyncClient, *entries: dict[str, Any], tag: str = "index") -> str:
    raw = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()
    assert (await push_manifest(client, "a", raw, tag, OCI_INDEX)).status_code == 201
    return digest(raw)


async def delete(client: httpx.AsyncClient, named: str) -> None:
    assert (await client.delete(f"/v2/a/manifests/{named}")).status_code == 202


async def has(client: httpx.AsyncClient, named: str) -> bool:
    return (await client.head(f"/v2/a/manifests/{named}")).status_code == 200


async def referrers(client: httpx.AsyncClient, named: str) -> list[str]:
    return [entry["digest"] for entry in (await client.get(f"/v2/a/referrers/{named}")).json()["manifests"]]


async def is_empty(shelf: Any) -> bool:
    return list(shelf.store.keys()) == []


async def test_an_image_without_a_tag_stays_for_ever(client: httpx.AsyncClient, shelf: Any) -> None:
    await push_image(client, "a", LAYER)
    await delete(client, "latest")
    await all_time_passes(shelf)
    assert await has(client, digest(image(LAYER)))
    assert (await client.get(f"/v2/a/blobs/{digest(LAYER)}")).content == LAYER


async def test_a_deleted_image_goes_with_its_blobs(client: httpx.AsyncClient, shelf: Any) -> None:
    await delete(client, await push_image(client, "a", LAYER))
    await jobs.sweep(shelf)
    assert (await client.get(f"/v2/a/blobs/{digest(LAYER)}")).status_code == 200
    await all_time_passes(shelf)
    assert await is_empty(shelf)


async def test_an_image_deleted_and_pushed_again_has_its_untagged_signatures(
    client: httpx.AsyncClient, shelf: Any
) -> None:
    signed = await push_image(client, "a", LAYER)
    signature = await push_untagged(client, image(subject=subject_of(image(LAYER)), artifactType="a/sig"))
    await delete(client, signed)
    await jobs.sweep(shelf)
    assert await referrers(client, signed) == [signature]
    await push_image(client, "a", LAYER)
    await all_time_passes(shelf)
    assert await referrers(client, signed) == [signature]
    assert await has(client, signature)


async def test_signatures_of_a_deleted_image_go_after_its_grace_and_those_under_a_tag_stay(
    client: httpx.AsyncClient, shelf: Any
) -> None:
    signed = await push_image(client, "a", LAYER)
    subject = subject_of(image(LAYER))
    await push_untagged(client, image(subject=subject, artifactType="a/sig"))
    tagged = await push_image(client, "a", reference="kept", subject=subject, artifactType="a/other")
    older = await push_image(client, "a", b"signature", reference=f"{signed.replace(':', '-')}.sig")
    await delete(client, signed)
    await all_time_passes(shelf)
    assert await referrers(client, signed) == [tagged]
    assert await has(client, older)
    assert await has(client, f"{signed.replace(':', '-')}.sig")


async def test_a_signature_of_a_signature_goes_with_it(client: httpx.AsyncClient, shelf: Any) -> None:
    signed = await push_image(client, "a", LAYER)
    first = image(subject=subject_of(image(LAYER)), artifactType="a/sig")
    await push_untagged(client, first)
    await push_untagged(client, image(subject=subject_of(first), artifactType="a/sig"))
    await delete(client, signed)
    await all_time_passes(shelf)
    assert await is_empty(shelf)


@pytest.mark.parametrize("comes", [True, False])
async def test_a_referrer_that_is_there_first_waits_for_its_subject(
    client: httpx.AsyncClient, shelf: Any, comes: bool
) -> None:
    await push_blob(client, "a", EMPTY)
    early = await push_untagged(client, image(subject=subject_of(image(LAYER)), artifactType="a/sig"))
    await jobs.sweep(shelf)
    assert await has(client, early)
    if comes:
        await push_image(client, "a", LAYER)
    await all_time_passes(shelf)
    assert await has(client, early) == comes


async def test_a_registry_that_keeps_signatures_of_subjects_elsewhere_never_removes_them(
    client: httpx.AsyncClient, shelf: Any
) -> None:
    object.__setattr__(shelf.policy, "orphans", None)
    await push_blob(client, "a", EMPTY)
    kept = await push_untagged(client, image(subject=subject_of(image(LAYER)), artifactType="a/sig"))
    await all_time_passes(shelf)
    assert await has(client, kept)


async def test_many_tagged_signatures_do_not_shelter_an_untagged_one(
    client: httpx.AsyncClient, shelf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "_BATCH", 2)
    signed, subject = await push_image(client, "a", LAYER), subject_of(image(LAYER))
    made = sorted((image(subject=subject, annotations={"n": str(n)}) for n in range(4)), key=digest)
    for number, raw in enumerate(made[:3]):
        assert (await push_manifest(client, "a", raw, f"s{number}")).status_code == 201
    await push_untagged(client, made[3])
    await delete(client, signed)
    await all_time_passes(shelf)
    assert sorted(await referrers(client, signed)) == [digest(raw) for raw in made[:3]]
    async with shelf.db.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM review WHERE kind = 'subject'") == 0


async def test_images_of_a_deleted_index_go_with_it_unless_a_tag_or_an_index_keeps_them(
    client: httpx.AsyncClient, shelf: Any
) -> None:
    raws = [image(LAYER, annotations={"n": str(n)}) for n in range(3)]
    await push_image(client, "a", LAYER)
    for raw in raws:
        await push_untagged(client, raw)
    index = await push_index(client, *(descriptor(raw, OCI_MANIFEST) for raw in raws))
    await push_index(client, descriptor(raws[1], OCI_MANIFEST), tag="other")
    assert (await push_manifest(client, "a", raws[2], "tagged")).status_code == 201
    await delete(client, index)
    await all_time_passes(shelf)
    assert [await has(client, digest(raw)) for raw in raws] == [False, True, True]


@pytest.mark.parametrize("way", ["GET", "HEAD", "PUT"])
async def test_an_image_of_a_deleted_index_that_somebody_wants_by_its_digest_stays(
    client: httpx.AsyncClient, shelf: Any, way: str
) -> None:
    """Crane deletes an index; a deployment that pins one of its images goes on. Once is enough: it has its own life."""
    await push_image(client, "a", LAYER)
    await delete(client, "latest")
    pinned = digest(image(LAYER))
    await delete(client, await push_index(client, descriptor(image(LAYER), OCI_MANIFEST)))
    body = {"content": image(LAYER), "headers": {"Content-Type": OCI_MANIFEST}} if way == "PUT" else {}
    assert (await client.request(way, f"/v2/a/manifests/{pinned}", **body)).status_code < 300  # type: ignore[arg-type]
    async with shelf.db.connection() as connection:
        await connection.execute("UPDATE review SET due = clock_timestamp()")
    await jobs.sweep(shelf)
    await all_time_passes(shelf)
    assert await has(client, pinned)
    assert (await client.get(f"/v2/a/blobs/{digest(LAYER)}")).content == LAYER


async def test_an_image_pulled_before_its_index_was_deleted_goes_with_it(client: httpx.AsyncClient, shelf: Any) -> None:
    await push_image(client, "a", LAYER)
    await delete(client, "latest")
    index = await push_index(client, descriptor(image(LAYER), OCI_MANIFEST))
    assert await has(client, digest(image(LAYER)))
    await delete(client, index)
    await all_time_passes(shelf)
    assert await is_empty(shelf)


@pytest.mark.parametrize("form", ["index", "image"])
async def test_a_build_cache_is_whole_after_a_sweep_and_goes_when_it_is_deleted(
    client: httpx.AsyncClient, shelf: Any, form: str
) -> None:
    """BuildKit's older form is an index whose descriptors are blobs."""
    config, kind = b'{"layers":[]}', "application/vnd.buildkit.cacheconfig.v0"
    for content in (LAYER, config):
        await push_blob(client, "a", content)
    if form == "index":
        named = await push_index(client, descriptor(LAYER), descriptor(config, kind))
    else:
        named = digest(image(LAYER, config=config))
        assert (await push_manifest(client, "a", image(LAYER, config=config), "cache")).status_code == 201
    await all_time_passes(shelf)
    for content in (LAYER, config):
        assert (await client.get(f"/v2/a/blobs/{digest(content)}")).content == content
        assert (await client.delete(f"/v2/a/blobs/{digest(content)}")).status_code == 405
    await delete(client, named)
    await all_time_passes(shelf)
    assert await is_empty(shelf)


async def test_a_descriptor_of_an_index_that_comes_later_is_held_by_it(client: httpx.AsyncClient, shelf: Any) -> None:
    """As a blob or as a manifest."""
    await push_blob(client, "a", EMPTY)
    await push_index(client, descriptor(LAYER), descriptor(image(), OCI_MANIFEST))
    await push_blob(client, "a", LAYER)
    await push_untagged(client, image())
    await all_time_passes(shelf)
    assert (await client.get(f"/v2/a/blobs/{digest(LAYER)}")).content == LAYER
    assert (await client.delete(f"/v2/a/blobs/{digest(LAYER)}")).status_code == 405
    assert (await client.delete(f"/v2/a/manifests/{digest(image())}")).status_code == 405


async def test_a_blob_that_a_push_has_looked_for_waits_for_its_manifest(client: httpx.AsyncClient, shelf: Any) -> None:
    """A HEAD that answered 200 is a promise."""
    named = await push_blob(client, "a", LAYER)
    async with shelf.db.connection() as connection:
        await connection.execute("UPDATE review SET due = clock_timestamp()")
    assert (await client.head(f"/v2/a/blobs/{named}")).status_code == 200
    await jobs.sweep(shelf)
    await push_image(client, "a", LAYER)
    await everything_falls_due(shelf)
    assert (await client.get(f"/v2/a/blobs/{named}")).content == LAYER


async def test_every_removal_is_a_fact_for_those_who_follow(client: httpx.AsyncClient, shelf: Any) -> None:
    signed = await push_image(client, "a", LAYER)
    signature = await push_untagged(client, image(subject=subject_of(image(LAYER)), artifactType="a/sig"))
    await delete(client, signed)
    await all_time_passes(shelf)
    async with shelf.db.connection() as connection:
        rows = await connection.fetch("SELECT kind, body FROM outbox WHERE kind LIKE '%.deleted' ORDER BY id")
    facts = [(row["kind"], json.loads(row["body"])) for row in rows]
    assert facts == [
        ("tag.deleted", {"tag": "latest", "from": signed}),
        ("manifest.deleted", {"digest": signed}),
        ("manifest.deleted", {"digest": signature}),
    ]
