"""Who may pull a release that is not published, what belongs to it, and what is said of it."""

import json
from datetime import timedelta

import pytest

from registry.auth.model import Limits
from registry.content import manifests
from registry.core.digest import parse_digest
from registry.core.errors import Blocked
from tests.access.conftest import world
from tests.access.world import World, basic
from tests.artifacts.scene import Release, cast, judge, mark, release
from tests.pushing import OCI_INDEX, descriptor, digest, image, push_blob, push_image, push_manifest

__all__ = ["world"]  # a fixture

SBOM = "application/spdx+json"


def index(*found: bytes, **more: object) -> bytes:
    """An image index over these manifests."""
    listed = [descriptor(raw, "application/vnd.oci.image.manifest.v1+json") for raw in found]
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": listed} | more).encode()


def referrer(subject: str, size: int, layer: bytes) -> bytes:
    """A manifest that names a subject."""
    named = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": subject, "size": size}
    return image(layer, subject=named, artifactType=SBOM)


async def test_a_held_release_is_for_those_who_may_push_alone(world: World) -> None:
    people = await cast(world)
    async with people.owner.client() as owner:
        held = await release(world, owner, f"{people.home}/app")
        for path in held.paths().values():
            assert (await owner.get(path)).status_code == 200
            assert (await owner.head(path)).status_code == 200
    for client in people.others():
        async with client:
            for way in ("tag", "digest"):
                answer = await client.get(held.paths()[way])
                assert answer.status_code == 403
                told = answer.json()["errors"][0]
                assert told["code"] == "DENIED"
                assert "not published yet" in told["message"]
                assert told["detail"]["state"] == "held"
                assert (await client.head(held.paths()[way])).status_code == 404
            assert (await client.get(held.paths()["blob"])).status_code == 404


async def test_a_blocked_release_is_for_nobody_who_is_told_why(world: World) -> None:
    people = await cast(world)
    async with people.owner.client() as owner, people.reader.client() as reader:
        found = await release(world, owner, f"{people.home}/app")
        await judge(world, found.name, found.digest, "rejected", "its layer is no archive.", found.tag)
        for client in (owner, reader):
            answer = await client.get(found.paths()["tag"])
            assert answer.status_code == 403
            assert "its layer is no archive." in answer.json()["errors"][0]["message"]
            assert answer.json()["errors"][0]["detail"]["reason"] == "ARTIFACT_BLOCKED"
            assert (await client.head(found.paths()["tag"])).status_code == 404
        assert (await owner.get(found.paths()["blob"])).status_code == 200
        assert (await reader.get(found.paths()["blob"])).status_code == 404


async def test_what_is_published_is_for_everybody_at_once(world: World) -> None:
    people = await cast(world)
    async with people.owner.client() as owner, people.stranger.client() as stranger:
        found = await release(world, owner, f"{people.home}/app")
        await judge(world, found.name, found.digest, "published", tag=found.tag)
        for path in found.paths().values():
            answer = await stranger.get(path)
            assert answer.status_code == 200
            assert "warning" not in answer.headers


async def test_a_notice_is_a_warning_for_whoever_pulls(world: World) -> None:
    people = await cast(world)
    async with people.owner.client() as owner, people.stranger.client() as stranger:
        found = await release(world, owner, f"{people.home}/app", state="published")
        await mark(world, found.name, found.digest, "live", 'Use "other"\r\nX-Evil: 1 \\ é instead.')
        for client in (owner, stranger):
            for way in ("tag", "digest"):
                for method in ("GET", "HEAD"):
                    answer = await client.request(method, found.paths()[way])
                    assert answer.status_code == 200
                    assert answer.headers["warning"] == r'299 - "Use \"other\" X-Evil: 1 \\ ? instead."'
                    assert "x-evil" not in answer.headers
        unchanged = await client.get(found.paths()["tag"], headers={"If-None-Match": f'"{found.digest}"'})
        assert (unchanged.status_code, "warning" in unchanged.headers) == (304, True)
        await mark(world, found.name, found.digest, "live", "x" * 100_000)
        assert len((await stranger.get(found.paths()["tag"])).headers["warning"]) < 600


async def test_a_key_that_cannot_push_reads_as_one_who_may_not(world: World) -> None:
    people = await cast(world)
    async with people.owner.client() as owner:
        held = await release(world, owner, f"{people.home}/app")
    limited = await world.key(people.owner.account, Limits(scope="read-only"))
    async with world.client(basic(people.owner.name, limited)) as client:
        assert (await client.get(held.paths()["tag"])).status_code == 403
        assert (await client.get(held.paths()["blob"])).status_code == 404
    async with await people.owner.with_token(f"repository:{held.name}:pull") as client:
        assert (await client.get(held.paths()["tag"])).status_code == 200


async def test_a_blob_that_a_published_release_has_too_is_for_everybody(world: World) -> None:
    people = await cast(world)
    async with people.owner.client() as owner, people.stranger.client() as stranger:
        held = await release(world, owner, f"{people.home}/app", "1.0.0")
        await release(world, owner, f"{people.home}/app", "1.1.0", "published")
        shared = f"/v2/{held.name}/blobs/{digest(b'{}')}"
        assert (await stranger.get(shared)).status_code == 200
        assert (await stranger.get(held.paths()["blob"])).status_code == 404


async def test_a_blob_that_no_manifest_has_yet_is_for_writers_where_artifacts_are(world: World) -> None:
    people = await cast(world)
    async with people.owner.client() as owner, people.stranger.client() as stranger:
        found = await release(world, owner, f"{people.home}/app", state="published")
        for name in (found.name, f"{people.home}/fresh"):
            blob = await push_blob(owner, name, b"not yet")
            assert (await owner.get(f"/v2/{name}/blobs/{blob}")).status_code == 200
            assert (await owner.head(f"/v2/{name}/blobs/{blob}")).status_code == 200
            assert (await stranger.get(f"/v2/{name}/blobs/{blob}")).status_code == 404
            assert (await stranger.head(f"/v2/{name}/blobs/{blob}")).status_code == 404


async def test_a_blob_of_plain_content_is_there_without_a_manifest(world: World) -> None:
    people = await cast(world)
    async with people.owner.client() as owner, people.stranger.client() as stranger:
        await push_image(owner, f"{people.home}/plain", b"layer")
        blob = await push_blob(owner, f"{people.home}/plain", b"more")
        assert (await stranger.get(f"/v2/{people.home}/plain/blobs/{blob}")).status_code == 200


async def test_tags_of_held_releases_are_not_listed_for_others(world: World) -> None:
    people = await cast(world)
    name = f"{people.home}/app"
    states = {"1.0.0": "published", "1.1.0": "scanning", "1.2.0": "rejected", "1.3.0": "published", "1.4.0": "scanning"}
    async with people.owner.client() as owner, people.stranger.client() as stranger:
        for tag, state in states.items():
            await release(world, owner, name, tag, state)
        assert (await owner.get(f"/v2/{name}/tags/list")).json()["tags"] == list(states)
        assert (await stranger.get(f"/v2/{name}/tags/list")).json()["tags"] == ["1.0.0", "1.3.0"]
        first = await stranger.get(f"/v2/{name}/tags/list?n=1")
        assert first.json()["tags"] == ["1.0.0"]
        second = await stranger.get(first.links["next"]["url"])
        assert second.json()["tags"] == ["1.3.0"]
        assert "next" not in second.links
        assert (await stranger.get(f"/v2/{name}/tags/list?n=2&last=1.0.0")).json()["tags"] == ["1.3.0"]
        assert (await stranger.get(f"/v2/{name}/tags/list?n=0")).json()["tags"] == []


async def test_referrers_are_what_their_subject_is(world: World) -> None:
    people = await cast(world)
    async with people.owner.client() as owner, people.stranger.client() as stranger:
        held = await release(world, owner, f"{people.home}/app")
        size = len((await owner.get(held.paths()["digest"])).content)
        layer = await push_blob(owner, held.name, b"what it holds")
        raw = referrer(held.digest, size, b"what it holds")
        assert (await push_manifest(owner, held.name, raw, digest(raw))).status_code == 201
        listing, own = f"/v2/{held.name}/referrers/{held.digest}", f"/v2/{held.name}/manifests/{digest(raw)}"
        assert [one["digest"] for one in (await owner.get(listing)).json()["manifests"]] == [digest(raw)]
        assert (await stranger.get(listing)).json()["manifests"] == []
        assert (await stranger.get(own)).status_code == 403
        assert (await stranger.get(f"/v2/{held.name}/blobs/{layer}")).status_code == 404
        await judge(world, held.name, held.digest, "published", "Deprecated.", held.tag)
        answer = await stranger.get(listing)
        assert [one["digest"] for one in answer.json()["manifests"]] == [digest(raw)]
        assert "verified" not in answer.text
        answer = await stranger.get(own)
        assert (answer.status_code, "warning" in answer.headers) == (200, False)
        assert (await stranger.get(f"/v2/{held.name}/blobs/{layer}")).status_code == 200
        of_a_referrer = await stranger.get(f"/v2/{held.name}/referrers/{digest(raw)}")
        assert (of_a_referrer.status_code, of_a_referrer.json()["manifests"]) == (200, [])


async def test_referrers_of_a_subject_that_is_not_there_are_for_writers(world: World) -> None:
    people = await cast(world)
    absent = digest(b"never pushed")
    async with people.owner.client() as owner, people.stranger.client() as stranger:
        found = await release(world, owner, f"{people.home}/app", state="published")
        await push_blob(owner, found.name, b"early")
        raw = referrer(absent, 12, b"early")
        assert (await push_manifest(owner, found.name, raw, digest(raw))).status_code == 201
        listing = f"/v2/{found.name}/referrers/{absent}"
        assert len((await owner.get(listing)).json()["manifests"]) == 1
        assert (await stranger.get(listing)).json()["manifests"] == []
        assert (await stranger.get(f"/v2/{found.name}/manifests/{digest(raw)}")).status_code == 403


async def indexed(world: World, name: str, owner: object, state: str) -> tuple[Release, bytes]:
    """A release that is an index, and the manifest in it, which is held as it is none itself."""
    child = image(b"of one platform", annotations={"for": name})
    for content in (b"{}", b"of one platform"):
        await push_blob(owner, name, content)  # type: ignore[arg-type]
    assert (await push_manifest(owner, name, child, digest(child))).status_code == 201  # type: ignore[arg-type]
    parent = index(child)
    assert (await push_manifest(owner, name, parent, "2.0.0", OCI_INDEX)).status_code == 201  # type: ignore[arg-type]
    await judge(world, name, digest(parent), state, tag="2.0.0")
    await mark(world, name, digest(child), "held")
    return Release(name, "2.0.0", digest(parent), b"of one platform"), child


async def test_what_an_index_contains_is_what_the_best_of_its_indexes_is(world: World) -> None:
    people = await cast(world)
    name = f"{people.home}/app"
    async with people.owner.client() as owner, people.stranger.client() as stranger:
        found, child = await indexed(world, name, owner, "scanning")
        own = f"/v2/{name}/manifests/{digest(child)}"
        assert (await stranger.get(own)).status_code == 403
        assert (await stranger.get(found.paths()["blob"])).status_code == 404
        second = index(child, annotations={"second": "one"})
        assert (await push_manifest(owner, name, second, "2.1.0", OCI_INDEX)).status_code == 201
        await judge(world, name, digest(second), "published", tag="2.1.0")
        assert (await stranger.get(own)).status_code == 200
        assert (await stranger.get(found.paths()["blob"])).status_code == 200
        assert (await stranger.get(found.paths()["digest"])).status_code == 403
        await judge(world, name, digest(second), "rejected", "No.", "2.1.0")
        assert (await stranger.get(own)).status_code == 403
        assert (await owner.get(own)).status_code == 200
        await judge(world, name, found.digest, "rejected", "No.", found.tag)
        assert (await owner.get(own)).status_code == 403


async def test_an_index_that_is_no_release_frees_nothing_that_is_held(world: World) -> None:
    people = await cast(world)
    name = f"{people.home}/app"
    async with people.owner.client() as owner, people.stranger.client() as stranger:
        found, child = await indexed(world, name, owner, "scanning")
        held = (await owner.get(found.paths()["digest"])).content
        for number, raw in enumerate((index(child, held), index(index(child, held)))):
            for reference in (digest(raw), f"plain{number}"):
                assert (await push_manifest(owner, name, raw, reference, OCI_INDEX)).status_code == 201
        assert (await stranger.get(f"/v2/{name}/manifests/plain1")).status_code == 200
        assert (await stranger.get(f"/v2/{name}/manifests/{digest(child)}")).status_code == 403
        assert (await stranger.get(found.paths()["digest"])).status_code == 403
        assert (await stranger.get(found.paths()["blob"])).status_code == 404


async def test_plain_content_beside_releases_is_for_everybody_even_when_one_takes_it_in(world: World) -> None:
    people = await cast(world)
    name = f"{people.home}/app"
    async with people.owner.client() as owner, people.stranger.client() as stranger:
        tagged = await push_image(owner, name, b"an image", reference="nightly")
        raw = (await owner.get(f"/v2/{name}/manifests/nightly")).content
        untagged = image(b"an image", annotations={"no": "tag"})
        assert (await push_manifest(owner, name, untagged, digest(untagged))).status_code == 201
        parent = index(raw, untagged)
        assert (await push_manifest(owner, name, parent, "3.0.0", OCI_INDEX)).status_code == 201
        await judge(world, name, digest(parent), "scanning", tag="3.0.0")
        assert (await stranger.get(f"/v2/{name}/manifests/{tagged}")).status_code == 200
        assert (await stranger.get(f"/v2/{name}/manifests/{digest(untagged)}")).status_code == 403
        assert (await stranger.get(f"/v2/{name}/tags/list")).json()["tags"] == ["nightly"]


@pytest.mark.parametrize("ending", ["", ".sig", ".att", ".sbom"])
async def test_a_tag_that_names_a_subject_is_what_that_is(world: World, ending: str) -> None:
    people = await cast(world)
    name = f"{people.home}/app"
    async with people.owner.client() as owner, people.stranger.client() as stranger:
        held = await release(world, owner, name)
        tag = held.digest.replace(":", "-") + ending
        found = await push_image(owner, name, b"of the old form", reference=tag)
        ways = (f"manifests/{tag}", f"manifests/{found}", f"blobs/{digest(b'of the old form')}")
        assert [(await stranger.get(f"/v2/{name}/{way}")).status_code for way in ways] == [403, 403, 404]
        assert [(await owner.get(f"/v2/{name}/{way}")).status_code for way in ways] == [200, 200, 200]
        assert (await stranger.get(f"/v2/{name}/tags/list")).json()["tags"] == []
        await judge(world, name, held.digest, "published", tag=held.tag)
        assert [(await stranger.get(f"/v2/{name}/{way}")).status_code for way in ways] == [200, 200, 200]
        assert (await stranger.get(f"/v2/{name}/tags/list")).json()["tags"] == [held.tag, tag]


async def test_a_repository_without_anything_published_is_listed_for_those_who_push_there(world: World) -> None:
    people = await cast(world)
    robot = await world.robot(people.namespace, "write")
    granted = await world.user()
    async with people.owner.client() as owner:
        held = await release(world, owner, f"{people.home}/app")
        await push_image(owner, f"{people.home}/plain", b"layer")
    repository = await world.fetch("SELECT id FROM repositories WHERE name = $1", held.name)
    await world.grant(people.namespace, repository, granted, "write")
    read_only = await world.key(people.owner.account, Limits(scope="read-only"))
    both, one = [held.name, f"{people.home}/plain"], [f"{people.home}/plain"]
    seen = {
        "owner": (people.owner.client(), both),
        "robot": (robot.client(), both),
        "granted": (granted.client(), both),
        "administrator": (world.administrator.client(), both),
        "read-only": (world.client(basic(people.owner.name, read_only)), one),
        "reader": (people.reader.client(), one),
        "stranger": (people.stranger.client(), one),
    }
    for who, (client, names) in seen.items():
        async with client:
            assert (await client.get("/v2/_catalog")).json()["repositories"] == names, who
    await judge(world, held.name, held.digest, "published", tag=held.tag)
    async with people.stranger.client() as client:
        assert (await client.get("/v2/_catalog")).json()["repositories"] == both


async def test_a_mount_gives_what_a_read_gives(world: World) -> None:
    people = await cast(world)
    async with people.owner.client() as owner, people.stranger.client() as stranger:
        held = await release(world, owner, f"{people.home}/app")
        _, target = await world.org(people.stranger)
        _, own = await world.org(people.owner)
        where = f"blobs/uploads/?mount={held.blob}&from={held.name}"
        assert (await owner.post(f"/v2/{own}/copy/{where}")).status_code == 201
        for query in (where, f"blobs/uploads/?mount={held.blob}"):
            assert (await stranger.post(f"/v2/{target}/copy/{query}")).status_code == 202
        assert (await stranger.head(f"/v2/{target}/copy/blobs/{held.blob}")).status_code == 404
        await judge(world, held.name, held.digest, "published", tag=held.tag)
        assert (await stranger.post(f"/v2/{target}/copy/{where}")).status_code == 201


async def test_what_is_refused_is_not_counted_as_a_pull(world: World) -> None:
    people = await cast(world)
    async with people.owner.client() as owner, people.stranger.client() as stranger:
        held = await release(world, owner, f"{people.home}/app")
        await world.fetch(
            "SELECT queue_review('child', id, ARRAY[$2], clock_timestamp() + $3::interval) FROM repositories "
            "WHERE name = $1",
            held.name,
            held.digest,
            timedelta(hours=1),
        )
        await stranger.get(held.paths()["digest"])
        pulled = "SELECT pulled_at FROM manifests WHERE digest = $1"
        assert await world.fetch(pulled, held.digest) is None
        await owner.get(held.paths()["digest"])
        assert await world.fetch(pulled, held.digest) is not None


async def test_the_registry_itself_finds_what_is_held_and_nothing_that_is_blocked(world: World) -> None:
    people = await cast(world)
    shelf = world.application.shelf()
    async with people.owner.client() as owner:
        held = await release(world, owner, f"{people.home}/app")
    assert (await manifests.find(shelf, held.name, parse_digest(held.digest))).state == "held"
    await mark(world, held.name, held.digest, "blocked", "No.")
    with pytest.raises(Blocked, match="No"):
        await manifests.find(shelf, held.name, held.tag)
