import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from registry.content import blobs, manifests, repositories, uploads
from registry.content.chunks import Chunk
from registry.content.terms import Terms
from registry.core.digest import parse_digest
from registry.core.errors import BlobUploadUnknown, Conflict, NameUnknown, QuotaExceeded
from tests.content.spaces import (
    ALICE,
    accounts,
    fetch,
    grace_passes,
    make_namespace,
    put_blob,
    put_manifest,
    used,
)
from tests.pushing import EMPTY, digest, image

FIXED = Terms(immutable=("v*", "release-?", "sha256-*"))
LARGE = b"x" * 100_000


@pytest.fixture(autouse=True)
async def with_accounts(shelf: Any) -> AsyncIterator[None]:
    async with accounts(shelf):
        yield


async def tags_of(shelf: Any, name: str) -> dict[str, str]:
    found = await manifests.list_tags(shelf, name, "", 100)
    return {tag: (await manifests.find(shelf, name, tag)).digest for tag in json.loads(f"[{found.items or ''}]")}


async def two_images(shelf: Any) -> tuple[bytes, bytes]:
    await make_namespace(shelf, "team")
    await put_blob(shelf, "team/app", EMPTY)
    return image(), image(annotations={"n": "2"})


async def test_an_immutable_tag_is_made_once_and_then_stays(shelf: Any) -> None:
    first, second = await two_images(shelf)
    for _ in range(2):
        await put_manifest(shelf, "team/app", first, "v1", "latest", terms=FIXED)
    with pytest.raises(Conflict, match=r"v1 \(immutable by 'v\*'\)"):
        await put_manifest(shelf, "team/app", second, "v1", terms=FIXED)
    assert await tags_of(shelf, "team/app") == {"v1": digest(first), "latest": digest(first)}


async def test_each_tag_of_a_push_is_judged_and_one_that_stays_refuses_the_whole_push(shelf: Any) -> None:
    first, second = await two_images(shelf)
    await put_manifest(shelf, "team/app", first, "v1", "release-2", terms=FIXED)
    with pytest.raises(Conflict) as refused:
        await put_manifest(shelf, "team/app", second, "latest", "release-2", "v1", "v2", terms=FIXED)
    assert refused.value.detail == {"reason": "TAG_IMMUTABLE", "tags": ["release-2", "v1"]}
    assert await tags_of(shelf, "team/app") == {"v1": digest(first), "release-2": digest(first)}
    assert await fetch(shelf, "SELECT count(*) FROM manifests") == 1


async def test_an_immutable_tag_cannot_be_deleted_nor_the_manifest_that_it_names(shelf: Any) -> None:
    first, second = await two_images(shelf)
    await put_manifest(shelf, "team/app", first, "v1", "latest", terms=FIXED)
    await put_manifest(shelf, "team/app", second, "other", terms=FIXED)
    with pytest.raises(Conflict):
        await manifests.delete_tag(shelf, "team/app", "v1", FIXED)
    with pytest.raises(Conflict):
        await manifests.delete(shelf, "team/app", parse_digest(digest(first)), FIXED)
    await manifests.delete_tag(shelf, "team/app", "latest", FIXED)
    await manifests.delete(shelf, "team/app", parse_digest(digest(second)), FIXED)
    assert await tags_of(shelf, "team/app") == {"v1": digest(first)}


@pytest.mark.parametrize("suffix", ["", ".sig", ".att", ".sbom"])
async def test_the_tag_of_a_signature_moves_whatever_the_policy_says(shelf: Any, suffix: str) -> None:
    first, second = await two_images(shelf)
    tag = f"sha256-{'a' * 64}{suffix}"
    for raw in (first, second):
        await put_manifest(shelf, "team/app", raw, tag, terms=FIXED)
    assert await tags_of(shelf, "team/app") == {tag: digest(second)}
    await manifests.delete_tag(shelf, "team/app", tag, FIXED)
    assert FIXED.fixed(["sha256-short", f"sha256-{'a' * 64}.other", "latest"]) == [
        "sha256-short",
        f"sha256-{'a' * 64}.other",
    ]


async def test_nothing_is_made_in_a_namespace_that_does_not_exist(shelf: Any) -> None:
    with pytest.raises(NameUnknown):
        await put_blob(shelf, "nowhere/app", b"x")
    with pytest.raises(NameUnknown):
        await uploads.start(shelf, "nowhere/app", "u:1", "sha256")
    with pytest.raises(NameUnknown):
        await put_manifest(shelf, "nowhere/app", image())
    with pytest.raises(NameUnknown):
        await blobs.mount(shelf, [], "nowhere/app", parse_digest(digest(b"x")))
    assert await fetch(shelf, "SELECT count(*) FROM repositories") == 0


async def test_a_namespace_has_no_more_repositories_than_it_may(shelf: Any) -> None:
    await make_namespace(shelf, "team", repositories=1)
    await put_blob(shelf, "team/one", b"x")
    with pytest.raises(QuotaExceeded, match="the most that it may") as refused:
        await put_blob(shelf, "team/two", b"x")
    assert refused.value.detail == {"quota": 1}
    await put_blob(shelf, "team/one", b"y")


async def test_what_would_exceed_the_quota_is_refused_and_leaves_nothing(shelf: Any) -> None:
    team = await make_namespace(shelf, "team")
    terms = Terms(quota=150_000)
    named = await put_blob(shelf, "team/app", LARGE, terms)
    with pytest.raises(QuotaExceeded) as refused:
        await put_blob(shelf, "team/app", LARGE + b"y", terms)
    assert (refused.value.detail, refused.value.status) == ({"used": 100_000, "quota": 150_000}, 507)
    await put_blob(shelf, "team/other", LARGE, terms)
    assert await blobs.mount(shelf, ["team/app"], "team/third", parse_digest(named), terms)
    await put_blob(shelf, "team/app", b"z" * 50_000, terms)
    with pytest.raises(QuotaExceeded):
        await put_blob(shelf, "team/app", b"1", terms)
    assert await used(shelf, team) == 150_000
    await grace_passes(shelf)
    assert await used(shelf, team) == 0
    assert list(shelf.store.keys()) == []


@pytest.mark.parametrize("told", [True, False])
async def test_an_upload_over_the_quota_is_refused_at_its_end_at_the_latest(shelf: Any, told: bool) -> None:
    await make_namespace(shelf, "team")
    session = await uploads.start(shelf, "team/app", "u:1", "sha256")

    async def pieces() -> AsyncIterator[bytes]:
        yield LARGE

    chunk = Chunk(pieces(), size=len(LARGE) if told else None)
    with pytest.raises(QuotaExceeded):
        await uploads.finish(shelf, session, parse_digest(digest(LARGE)), chunk, Terms(quota=99_999))
    with pytest.raises(BlobUploadUnknown):
        await uploads.status(shelf, session)
    await grace_passes(shelf)
    assert list(shelf.store.keys()) == []


async def test_a_manifest_and_a_mount_over_the_quota_are_refused(shelf: Any) -> None:
    team = await make_namespace(shelf, "team")
    await make_namespace(shelf, "other")
    named = await put_blob(shelf, "other/app", LARGE)
    await put_blob(shelf, "team/app", EMPTY)
    with pytest.raises(QuotaExceeded):
        await put_manifest(shelf, "team/app", image(), "latest", terms=Terms(quota=100))
    with pytest.raises(QuotaExceeded):
        await blobs.mount(shelf, ["other/app"], "team/app", parse_digest(named), Terms(quota=99_999))
    assert await used(shelf, team) == len(EMPTY)


async def test_room_is_there_again_when_something_was_deleted(shelf: Any) -> None:
    team = await make_namespace(shelf, "team")
    terms = Terms(quota=100_000)
    named = await put_blob(shelf, "team/app", LARGE, terms)
    await blobs.delete(shelf, "team/app", parse_digest(named), terms)
    await grace_passes(shelf)
    assert await used(shelf, team) == 0
    await put_blob(shelf, "team/app", b"y" * 100_000, terms)


async def test_a_blob_is_mounted_from_the_first_source_that_has_it_and_its_holders_are_known(shelf: Any) -> None:
    await make_namespace(shelf, "team")
    named = parse_digest(await put_blob(shelf, "team/b", b"x"))
    assert not await blobs.mount(shelf, [], "team/c", named)
    assert not await blobs.mount(shelf, ["team/absent", "team/c"], "team/c", named)
    assert await blobs.mount(shelf, ["team/absent", "team/c", "team/b"], "team/c", named)
    assert sorted(await repositories.holders(shelf, named, 10)) == ["team/b", "team/c"]
    assert len(await repositories.holders(shelf, named, 1)) == 1
    assert await blobs.mount(shelf, None, "team/d", named)


async def test_who_changed_what_is_written_down_with_the_change(shelf: Any) -> None:
    team, terms = await make_namespace(shelf, "team"), Terms(ALICE, ("v*",))
    await put_blob(shelf, "team/app", EMPTY, terms)
    spare = parse_digest(await put_blob(shelf, "team/app", b"spare", terms))
    raw = image()
    await put_manifest(shelf, "team/app", raw, "a", "v1", terms=terms)
    with pytest.raises(Conflict):
        await put_manifest(shelf, "team/app", image(annotations={}), "v1", terms=terms)
    await manifests.delete_tag(shelf, "team/app", "a", terms)
    await manifests.delete(shelf, "team/app", parse_digest(digest(raw)), Terms(ALICE))
    await blobs.delete(shelf, "team/app", spare, terms)
    async with shelf.db.connection() as connection:
        rows = await connection.fetch(
            "SELECT action, target, detail::text, actor_name, address, request_id, namespace "
            "FROM audit_events ORDER BY id"
        )
    assert [(row["action"], row["target"], json.loads(row["detail"])) for row in rows] == [
        ("repository.created", "team/app", {}),
        (
            "manifest.pushed",
            f"team/app@{digest(raw)}",
            {"type": "application/vnd.oci.image.manifest.v1+json", "tags": ["a", "v1"]},
        ),
        ("tag.deleted", "team/app:a", {"digest": digest(raw)}),
        ("manifest.deleted", f"team/app@{digest(raw)}", {"tags": ["v1"]}),
        ("blob.deleted", f"team/app@{spare}", {}),
    ]
    assert {(row["actor_name"], row["address"], row["request_id"], row["namespace"]) for row in rows} == {
        ("alice", "192.0.2.1", "req_1", team)
    }


async def test_an_open_registry_writes_no_audit_and_counts_nothing(shelf: Any) -> None:
    async with shelf.db.connection() as connection:
        await connection.execute("UPDATE instance SET has_accounts = false")
    await put_blob(shelf, "anything", EMPTY)
    await put_manifest(shelf, "anything", image(), "latest")
    for table in ("audit_events", "holdings", "usage"):
        assert await fetch(shelf, f"SELECT count(*) FROM {table}") == 0
