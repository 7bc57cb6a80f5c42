import asyncio
import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from registry.artifacts.catalogue import KINDS, RESERVED
from tests.artifacts.publishing import Artifact, publish, push_parts, put, reason, state, tags
from tests.content.faults import all_time_passes
from tests.content.spaces import fetch
from tests.pushing import OCI_INDEX, digest, image, push_blob, push_image, push_manifest

HELLO = "users/alice/hello"
SIMPLE = [kind.name for kind in KINDS if not kind.config_in_referrer]


def needing(name: str, wanted: str = "^1.0.0", **more: Any) -> dict[str, Any]:
    """Members of a Gati manifest that depends on something."""
    return {"dependencies": [{"name": name, "version": wanted} | more]}


@pytest.mark.parametrize("kind", SIMPLE)
async def test_an_artifact_of_each_type_is_published_at_once_and_read_back_byte_for_byte(
    client: httpx.AsyncClient, shelf: Any, kind: str
) -> None:
    await publish(client, Artifact())  # the example of a transformer turns its data
    await publish(client, Artifact(version="1.1.0"))
    artifact = Artifact(kind=kind, name=f"users/alice/{kind}")
    named = await publish(client, artifact)
    assert await state(shelf, artifact) == "published"
    assert await tags(client, artifact.name) == {"1.0.0": named, "latest": named}
    assert (await client.get(f"/v2/{artifact.name}/manifests/1.0.0")).content == artifact.raw
    for content in (artifact.config, *(content for _, _, content in artifact.files)):
        assert (await client.get(f"/v2/{artifact.name}/blobs/{digest(content)}")).content == content


async def test_latest_follows_the_highest_stable_version_and_floating_tags_the_last_push(
    client: httpx.AsyncClient,
) -> None:
    two = await publish(client, Artifact(version="2.0.0"), tags=())
    one = await publish(client, Artifact(version="1.10.0"))
    beta = await publish(client, Artifact(version="3.0.0-beta.1"))
    stable = Artifact(version="1.9.0")
    nine = await publish(client, stable, stable.digest, ("stable", "latest"))
    assert await tags(client) == {
        "2.0.0": two,
        "1.10.0": one,
        "3.0.0-beta.1": beta,
        "1.9.0": nine,
        "latest": two,
        "stable": nine,
    }
    assert (await put(client, Artifact(version="1.10.0"), "stable")).status_code == 201
    assert (await tags(client))["stable"] == one


async def test_before_there_is_a_stable_version_latest_is_the_highest(client: httpx.AsyncClient) -> None:
    await publish(client, Artifact(version="1.0.0-rc.1"))
    ten = await publish(client, Artifact(version="1.0.0-rc.10"))
    await publish(client, Artifact(version="1.0.0-rc.9"))
    assert (await tags(client))["latest"] == ten


async def test_the_same_again_is_well_and_other_bytes_are_refused(client: httpx.AsyncClient, shelf: Any) -> None:
    named = await publish(client, Artifact())
    facts = await fetch(shelf, "SELECT count(*) FROM outbox")
    assert (await put(client, Artifact())).status_code == 201
    assert await fetch(shelf, "SELECT count(*) FROM outbox") == facts
    assert (await put(client, Artifact(), named)).status_code == 201
    other = Artifact(more={"description": "Says something else."})
    await push_parts(client, other)
    for reference in ("1.0.0", "v1.0.0", "stable"):
        assert reason(await put(client, other, reference)) == (409, "ARTIFACT_ALREADY_EXISTS", None)
    assert reason(await put(client, other, other.digest, ("new",))) == (409, "ARTIFACT_ALREADY_EXISTS", None)
    assert await tags(client) == {"1.0.0": named, "latest": named}


@pytest.mark.parametrize("tag", ["1.0.0", "v1.0.0", "latest"])
async def test_plain_content_takes_no_tag_of_a_release(client: httpx.AsyncClient, tag: str) -> None:
    named = await publish(client, Artifact())
    await push_blob(client, HELLO, b"{}")
    assert reason(await push_manifest(client, HELLO, image(), tag)) == (409, "TAG_OF_RELEASE", None)
    assert (await push_manifest(client, HELLO, image(), "plain")).status_code == 201
    assert (await client.delete(f"/v2/{HELLO}/manifests/latest")).status_code == 409
    assert (await client.get(f"/v2/{HELLO}/manifests/latest")).headers["docker-content-digest"] == named


async def test_an_artifact_stays_of_its_type(client: httpx.AsyncClient) -> None:
    await publish(client, Artifact())
    other = Artifact(kind="module-node", version="1.1.0")
    await push_parts(client, other)
    assert reason(await put(client, other)) == (409, "ARTIFACT_TYPE", None)


async def test_an_artifact_lies_in_a_namespace_of_somebody(client: httpx.AsyncClient) -> None:
    for name in ("hello", "plain/hello", "users/alice/deep/hello", "users/hello", "users/a.b/hello"):
        artifact = Artifact(name=name)
        await push_parts(client, artifact)
        assert reason(await put(client, artifact)) == (400, "MALFORMED_MANIFEST", "/artifactType")


@pytest.mark.parametrize("artifact_type", sorted(RESERVED))
async def test_what_only_the_registry_writes_is_refused(client: httpx.AsyncClient, artifact_type: str) -> None:
    subject = await publish(client, Artifact())
    await push_blob(client, HELLO, b"{}")
    size = len(Artifact().raw)
    described = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": subject, "size": size}
    raw = image(artifactType=artifact_type, subject=described)
    answer = await push_manifest(client, HELLO, raw, digest(raw))
    assert (answer.status_code, answer.json()["errors"][0]["detail"]["reason"]) == (403, "RESERVED_ARTIFACT_TYPE")


async def test_nothing_is_recorded_of_what_is_refused(client: httpx.AsyncClient, shelf: Any) -> None:
    artifact = Artifact(more={"name": "other"})
    await push_parts(client, artifact)
    assert reason(await put(client, artifact)) == (400, "MALFORMED_MANIFEST", "/name")
    for table in ("manifests", "tags", "releases", "artifacts", "refs"):
        assert await fetch(shelf, f"SELECT count(*) FROM {table}") == 0


async def test_what_is_missing_is_told_all_at_once(client: httpx.AsyncClient) -> None:
    artifact = Artifact(kind="module-node")
    await push_blob(client, HELLO, artifact.config)
    answer = await put(client, artifact)
    layers = sorted({digest(content) for _, _, content in artifact.files})
    assert (answer.status_code, answer.json()["errors"][0]["detail"]) == (400, {"digests": layers})


async def test_sizes_must_be_true_and_within_the_limit(client: httpx.AsyncClient) -> None:
    artifact = Artifact(kind="module-node")
    await push_parts(client, artifact)
    body = json.loads(artifact.raw)
    for size, status in ((1, 400), (5 * 2**30 + 1, 413)):
        body["layers"][0]["size"] = size
        answer = await push_manifest(client, HELLO, json.dumps(body).encode(), "1.0.0")
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (status, "SIZE_INVALID")


async def test_a_config_of_another_kind_is_refused_with_its_place(client: httpx.AsyncClient) -> None:
    artifact = Artifact()
    await push_parts(client, artifact)
    body = json.loads(artifact.raw)
    body["config"]["mediaType"] = "application/json"
    answer = await push_manifest(client, HELLO, json.dumps(body).encode(), "1.0.0")
    assert reason(answer) == (400, "MALFORMED_MANIFEST", "/config/mediaType")


async def test_what_an_artifact_depends_on_must_be_there(client: httpx.AsyncClient, shelf: Any) -> None:
    await publish(client, Artifact(name="users/bob/database", version="1.2.0"))
    good = Artifact(more=needing("@bob/database"))
    await publish(client, good)
    found = await fetch(shelf, "SELECT target || ' ' || wanted FROM dependencies")
    assert found == "users/bob/database ^1.0.0"
    for wanted, expected in (
        (needing("@bob/database", "^2.0.0"), "MODULE_DEPENDENCY_MISSING"),
        (needing("@bob/databose"), "MODULE_DEPENDENCY_MISSING"),
        (needing("nothing"), "AMBIGUOUS_REFERENCE"),
    ):
        artifact = Artifact(version="1.1.0", more=wanted)
        await push_parts(client, artifact)
        answer = await put(client, artifact)
        assert reason(answer) == (422, expected, "/dependencies/0")
    near = Artifact(version="1.1.0", more=needing("@bob/databose"))
    assert "users/bob/database" in (await put(client, near)).json()["errors"][0]["detail"]["suggestion"]
    await publish(client, Artifact(version="1.1.0", more=needing("nothing", optional=True)))


async def test_a_name_without_a_namespace_is_looked_for_at_home_then_among_the_official_ones(
    client: httpx.AsyncClient, shelf: Any
) -> None:
    await publish(client, Artifact(name="orgs/gati-official/log"))
    await publish(client, Artifact(more=needing("log")))
    await publish(client, Artifact(name="users/alice/log"))
    await publish(client, Artifact(version="1.1.0", more=needing("log")))
    rows = await fetch(shelf, "SELECT array_agg(target ORDER BY release) FROM dependencies")
    assert rows == ["orgs/gati-official/log", "users/alice/log"]


async def test_parts_of_an_index_are_held_until_it_comes(client: httpx.AsyncClient, shelf: Any) -> None:
    part = Artifact(kind="module-binary")
    await push_parts(client, part)
    assert (await put(client, part, part.digest)).status_code == 201
    statement = "SELECT content_state(repo, digest) FROM manifests WHERE digest = $1"
    assert (await fetch(shelf, statement, part.digest))[0] == "held"
    entry = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": part.digest, "size": len(part.raw)}
    platform = {"os": "linux", "architecture": "amd64"}
    body = {"schemaVersion": 2, "mediaType": OCI_INDEX, "artifactType": part.row.artifact_type}
    raw = json.dumps(body | {"manifests": [entry | {"platform": platform}]}).encode()
    answer = await push_manifest(client, HELLO, raw, "1.0.0", OCI_INDEX)
    assert answer.status_code == 201, answer.text
    assert await state(shelf, part) == "published"
    assert (await fetch(shelf, statement, part.digest))[0] == "live"
    await all_time_passes(shelf)
    assert (await client.get(f"/v2/{HELLO}/manifests/{part.digest}")).content == part.raw


async def test_an_index_is_no_module_of_one_platform(client: httpx.AsyncClient) -> None:
    part = Artifact()
    await push_parts(client, part)
    await put(client, part, part.digest)
    entry = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": part.digest, "size": len(part.raw)}
    body = {"schemaVersion": 2, "mediaType": OCI_INDEX, "artifactType": part.row.artifact_type, "manifests": [entry]}
    answer = await push_manifest(client, HELLO, json.dumps(body).encode(), "1.0.0", OCI_INDEX)
    assert reason(answer) == (400, "MALFORMED_MANIFEST", "/manifests")


async def test_of_many_who_push_one_version_at_once_one_wins(client: httpx.AsyncClient, shelf: Any) -> None:
    given = [Artifact(more={"description": f"Says {number}."}) for number in range(6)]
    for artifact in given:
        await push_parts(client, artifact)
    answers = await asyncio.gather(*(put(client, artifact) for artifact in given))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 5
    winner = next(artifact for artifact, answer in zip(given, answers, strict=True) if answer.status_code == 201)
    assert await tags(client) == {"1.0.0": winner.digest, "latest": winner.digest}


async def test_of_many_versions_that_are_pushed_at_once_latest_is_the_highest(client: httpx.AsyncClient) -> None:
    given = [Artifact(version=f"1.{number}.0") for number in range(8)]
    for artifact in given:
        await push_parts(client, artifact)
    answers = await asyncio.gather(*(put(client, artifact) for artifact in given))
    assert {answer.status_code for answer in answers} == {201}
    assert (await tags(client))["latest"] == given[-1].digest


async def test_a_version_of_a_deleted_repository_is_never_used_again(
    client: httpx.AsyncClient, shelf: Any, server: Any
) -> None:
    await publish(client, Artifact())
    await server._site_of(server._settings).remove_repository(HELLO)
    await all_time_passes(shelf)
    assert await fetch(shelf, "SELECT count(*) FROM releases") == 0
    again = replace(Artifact(), more={"description": "Another one."})
    await push_parts(client, again)
    assert reason(await put(client, again)) == (409, "VERSION_RETIRED", None)
    await publish(client, Artifact(version="1.0.1"))


async def test_the_facts_of_a_publication_are_told(client: httpx.AsyncClient, shelf: Any) -> None:
    await publish(client, Artifact())
    named = await publish(client, Artifact(version="1.1.0"))
    async with shelf.db.connection() as connection:
        rows = await connection.fetch("SELECT kind, body::text FROM outbox WHERE body ->> 'digest' = $1", named)
    found = {row["kind"]: json.loads(row["body"]) for row in rows}
    assert {"artifact.uploaded", "artifact.published", "version.published"} <= set(found)
    assert (found["version.published"]["previousVersion"], found["version.published"]["newVersion"]) == (
        "1.0.0",
        "1.1.0",
    )


async def test_plain_images_go_on_as_before(client: httpx.AsyncClient) -> None:
    named = await push_image(client, "users/alice/image", b"layer", reference="1.0.0")
    assert (await client.delete(f"/v2/users/alice/image/manifests/{named}")).status_code == 202
