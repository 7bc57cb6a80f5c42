from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from registry.artifacts.jobs import publish_next
from registry.config import load
from registry.content import retention
from tests.access.conftest import world
from tests.access.world import World
from tests.artifacts.publishing import Artifact, publish, push_parts, put, reason, state, tags
from tests.artifacts.test_worker_checks import GOOD, PLAIN, attach, push_image_module
from tests.conftest import running
from tests.content.faults import all_time_passes
from tests.pushing import digest, push_image

__all__ = ["world"]


@pytest.fixture
async def counted(environ: dict[str, str], emptied: None) -> AsyncIterator[World]:
    """A closed registry in which one account publishes twice a minute."""
    given = {"ACCESS": "closed", "SINGLE_HOST": "true", "RATE_LIMIT_UPLOAD": "2/60"}
    async with running(load(environ | given)) as application:
        found = World(application)
        found.administrator = await found.user("keeper")
        yield found


def hello(home: str, version: str = "1.0.0", **more: Any) -> Artifact:
    """A module in somebody's namespace."""
    return Artifact(name=f"{home}/hello", version=version, more=more)


def needing(home: str) -> dict[str, Any]:
    """Members of a Gati manifest that needs what lies there."""
    return {"dependencies": [{"name": f"{home}/hello", "version": "*"}]}


async def test_what_the_publisher_may_not_pull_is_not_there_for_it(world: World) -> None:
    owner, other = await world.user(), await world.user()
    _, secret = await world.org(owner)
    async with owner.client() as mine:
        await publish(mine, hello(secret))
        await publish(mine, hello(f"users/{owner.name}", **needing(secret)))
    async with other.client() as strange:
        artifact = hello(f"users/{other.name}", **needing(secret))
        await push_parts(strange, artifact)
        answer = await put(strange, artifact)
        near = hello(f"users/{other.name}", dependencies=[{"name": f"{secret}/hallo", "version": "*"}])
        await push_parts(strange, near)
        told = await put(strange, near)
    assert reason(answer) == (422, "MODULE_DEPENDENCY_MISSING", "/dependencies/0")
    assert f"{secret}/hello" not in told.json()["errors"][0]["detail"]["suggestion"]


async def test_a_token_for_one_repository_publishes_what_depends_on_another(world: World) -> None:
    owner = await world.user()
    _, home = await world.org(owner)
    async with owner.client() as mine:
        await publish(mine, hello(home))
    artifact = Artifact(name=f"users/{owner.name}/app", more=needing(home))
    async with await owner.with_token(f"repository:{artifact.name}:pull,push") as narrow:
        assert await publish(narrow, artifact) == (await tags(narrow, artifact.name))["latest"]


@pytest.mark.parametrize("reached", ["late", "refused"])
async def test_a_manifest_that_comes_late_names_only_what_its_publisher_may_pull(world: World, reached: str) -> None:
    owner, other = await world.user(), await world.user()
    space, secret = await world.org(owner)
    if reached == "late":
        await world.join(space, other, "read")
    async with owner.client() as mine:
        await publish(mine, hello(secret))
    home, shelf = f"users/{other.name}/hello", world.application.shelf()
    artifact = Artifact(home, kind="module-oci", layers=PLAIN.layers, more=needing(secret))
    async with other.client() as strange:
        raw = await push_image_module(strange, artifact)
        assert await publish_next(shelf)
        await attach(strange, raw, artifact.config, name=home)
        assert await publish_next(shelf)
    assert await state(shelf, artifact) == ("published" if reached == "late" else "rejected")


async def test_an_administrator_publishes_what_needs_more_than_others_may_pull(world: World) -> None:
    owner = await world.user()
    _, secret = await world.org(owner)
    async with owner.client() as mine:
        await publish(mine, hello(secret))
    artifact = Artifact(f"users/{world.administrator.name}/app", kind="module-node", more=needing(secret))
    artifact = replace(artifact, layers=GOOD.layers)
    async with world.administrator.client() as keeper:
        await publish(keeper, artifact)
    assert await publish_next(world.application.shelf())
    assert await state(world.application.shelf(), artifact) == "published"


async def test_who_published_is_in_the_audit(world: World) -> None:
    owner = await world.user()
    artifact = hello(f"users/{owner.name}")
    async with owner.client() as mine:
        await publish(mine, artifact)
        assert (await mine.delete(f"/v2/{artifact.name}/manifests/1.0.0")).status_code == 202
    async with world.realm.db.connection() as connection:
        rows = await connection.fetch(
            "SELECT action, actor_name, namespace IS NOT NULL AS placed FROM audit_events "
            "WHERE target = $1 ORDER BY id",
            f"{artifact.name}@1.0.0",
        )
    assert [row["action"] for row in rows] == ["artifact.uploaded", "artifact.published", "artifact.unpublished"]
    assert {(row["actor_name"], row["placed"]) for row in rows} == {(owner.name, True)}


async def test_a_policy_of_immutable_tags_keeps_floating_tags_and_lets_latest_follow(world: World) -> None:
    owner = await world.user()
    _, home = await world.org(owner, immutableTags=["*"])
    first, second = hello(home), hello(home, "1.1.0")
    async with owner.client() as mine:
        await publish(mine, first, first.digest, ("1.0.0", "stable"))
        await push_parts(mine, second)
        assert reason(await put(mine, second, second.digest, ("stable",)))[:2] == (409, "TAG_IMMUTABLE")
        await publish(mine, second)
        found = await tags(mine, second.name)
        assert (await mine.delete(f"/v2/{second.name}/manifests/1.1.0")).status_code == 409
    assert (found["latest"], found["stable"]) == (second.digest, first.digest)


async def test_a_tag_that_has_become_immutable_stays_when_the_worker_publishes(world: World) -> None:
    owner = await world.user()
    _, home = await world.org(owner, immutableTags=["st*"])
    late = Artifact(f"{home}/hello", "1.1.0", "module-node", layers=GOOD.layers)
    early = Artifact(f"{home}/hello", "1.0.0", "module-node")
    async with owner.client() as mine:
        await publish(mine, late, late.digest, ("1.1.0", "stable"))
        await publish(mine, early, early.digest, ("1.0.0", "stable"))
        assert await publish_next(world.application.shelf())
        found = await tags(mine, late.name)
    assert (found["stable"], found["latest"]) == (early.digest, late.digest)


async def test_retention_and_the_sweep_take_nothing_that_a_release_lives_from(world: World) -> None:
    owner = await world.user()
    rules = {"rules": [{"pattern": "*", "keep": 1}], "untaggedDays": 1}
    _, home = await world.org(owner, retention=rules)
    given = [hello(home, f"1.{number}.0") for number in range(3)]
    shelf = world.application.shelf()
    async with owner.client() as mine:
        for artifact in given:
            await publish(mine, artifact)
        await push_image(mine, f"{home}/hello", b"plain", reference="a")
        await push_image(mine, f"{home}/hello", b"plain", reference="b")
        await all_time_passes(shelf)
        await retention.run(shelf)
        await all_time_passes(shelf)
        await retention.run(shelf)
        found = await tags(mine, f"{home}/hello")
        assert len({"a", "b"} & set(found)) == 1
        for artifact in given:
            assert (await mine.get(f"/v2/{artifact.name}/manifests/{artifact.digest}")).content == artifact.raw
            for _, _, content in artifact.files:
                assert (await mine.get(f"/v2/{artifact.name}/blobs/{digest(content)}")).content == content
    assert found.keys() >= {"1.0.0", "1.1.0", "1.2.0", "latest"}


async def test_publishing_has_a_budget_and_plain_pushes_have_none_of_it(counted: World) -> None:
    owner = await counted.user()
    home = f"users/{owner.name}"
    async with owner.client() as mine:
        for version in ("1.0.0", "1.1.0"):
            await publish(mine, hello(home, version))
        await push_parts(mine, hello(home, "1.2.0"))
        refused = await put(mine, hello(home, "1.2.0"))
        await push_image(mine, f"{home}/image", b"layer")
    assert (refused.status_code, refused.headers["ratelimit-limit"]) == (429, "2")
    assert refused.json()["errors"][0]["detail"]["class"] == "upload"
