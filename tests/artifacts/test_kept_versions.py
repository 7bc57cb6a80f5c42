"""What a version, or a tag, once named is kept: by policies, across names, and where versions share one manifest."""

import json
from typing import Any

import httpx
import pytest

from registry.artifacts.jobs import publish_next
from registry.core.errors import Conflict
from registry.namespaces import renaming
from registry.namespaces.spaces import NewNamespace
from tests.access.conftest import world
from tests.access.world import OPERATOR, World
from tests.artifacts.publishing import Artifact, publish, push_parts, put, reason, tags
from tests.artifacts.test_worker_checks import PLAIN, attach, everything_is_due, gati_manifest, push_image_module
from tests.content.spaces import fetch
from tests.pushing import digest, push_image, push_manifest

__all__ = ["world"]
HELLO = "users/alice/hello"


async def test_a_release_does_not_move_a_plain_tag_that_a_policy_keeps(world: World) -> None:
    owner = await world.user()
    _, home = await world.org(owner, immutableTags=["1.*"])
    artifact = Artifact(f"{home}/hello")
    async with owner.client() as mine:
        plain = await push_image(mine, artifact.name, b"plain", reference="1.0.0")
        await push_parts(mine, artifact)
        assert reason(await put(mine, artifact))[:2] == (409, "TAG_IMMUTABLE")
        found = await mine.head(f"/v2/{artifact.name}/manifests/1.0.0")
    assert found.headers["docker-content-digest"] == plain


async def test_versions_of_one_image_are_judged_each_for_itself(client: httpx.AsyncClient, shelf: Any) -> None:
    raw = await push_image_module(client, PLAIN)
    assert (await push_manifest(client, HELLO, raw, "2.0.0")).status_code == 201
    await attach(client, raw, gati_manifest("1.0.0"))
    for _ in range(4):
        await everything_is_due(shelf)
        await publish_next(shelf)
    states = await fetch(shelf, "SELECT json_object_agg(version, state)::text FROM releases")
    assert json.loads(states) == {"1.0.0": "published", "2.0.0": "rejected"}
    assert set(await tags(client)) == {"1.0.0", "latest"}


async def number(world: World, name: str) -> int:
    """That of a repository."""
    return int(await world.fetch("SELECT id FROM repositories WHERE name = $1 AND state = 'live'", name))


async def bury(mine: httpx.AsyncClient, artifact: Artifact) -> None:
    """Publish it, then delete its repository."""
    await publish(mine, artifact)
    slug = artifact.name.split("/")[1]
    answer = await mine.delete(f"/v1/namespaces/{slug}/repositories/{artifact.name.replace('/', '%2F')}")
    assert answer.status_code == 202, answer.text


async def test_a_repository_does_not_take_the_name_of_versions_that_it_has_too(world: World) -> None:
    owner = await world.user()
    namespace, home = await world.org(owner)
    async with owner.client() as mine:
        await bury(mine, Artifact(f"{home}/hello"))
        await publish(mine, Artifact(f"{home}/other"))
        repository = await number(world, f"{home}/other")
        with pytest.raises(Conflict):
            await renaming.rename_repository(world.realm, OPERATOR, namespace, repository, f"{home}/hello")


async def test_a_version_stays_buried_under_whichever_name_it_comes(world: World) -> None:
    owner = await world.user()
    namespace, home = await world.org(owner)
    async with owner.client() as mine:
        await bury(mine, Artifact(f"{home}/hello"))
        await publish(mine, Artifact(f"{home}/other", "2.0.0"))
        repository = await number(world, f"{home}/other")
        await renaming.rename_repository(world.realm, OPERATOR, namespace, repository, f"{home}/hello")
        await renaming.rename(world.realm, OPERATOR, namespace, NewNamespace("renamed"))
        for name in ("orgs/renamed/hello", f"{home}/hello"):
            again = Artifact(name)
            await push_parts(mine, again)
            answer = await put(mine, again)
            assert reason(answer)[:2] == (409, "VERSION_RETIRED")


async def test_an_image_that_goes_as_one_version_is_what_the_other_is(client: httpx.AsyncClient, shelf: Any) -> None:
    raw = await push_image_module(client, PLAIN)
    assert (await push_manifest(client, HELLO, raw, "2.0.0")).status_code == 201
    await attach(client, raw, gati_manifest("1.0.0"))
    for _ in range(4):
        await everything_is_due(shelf)
        await publish_next(shelf)
    assert (await client.delete(f"/v2/{HELLO}/manifests/1.0.0")).status_code == 202
    answer = await client.get(f"/v2/{HELLO}/manifests/{digest(raw)}")
    assert answer.status_code == 403
    assert "another version" in answer.json()["errors"][0]["message"]
