"""Memory answers nobody with what is held, and with nothing that was so before the state or the notice changed."""

import os
from dataclasses import dataclass, replace

import httpx
import pytest

from registry.artifacts import jobs
from registry.artifacts.catalogue import BY_NAME
from tests.access.world import One, World, basic
from tests.artifacts.making import entry, tgz
from tests.artifacts.publishing import Artifact, publish
from tests.artifacts.scene import Cast, Release, cast, judge, mark, release
from tests.fast_lane.conftest import Registry, Start, get

LIMITS = {f"RATE_LIMIT_{name}": "0" for name in ("TRANSFER", "AUTH", "GENERAL", "SIGNED_IN")}


@dataclass
class Stage:
    """A closed registry with memory, and a release in it."""

    registry: Registry
    world: World
    people: Cast
    found: Release

    def line(self, who: One, path: str, method: str = "GET") -> bytes:
        """A request as it is asked again and again."""
        return get(path, f"Authorization: {basic(who.name, who.key)}", method=method)

    async def ask(self, who: One, way: str, method: str = "GET") -> int:
        """The status of the third answer, memory's where it has one."""
        request = self.line(who, self.found.paths()[way], method)
        return [(await self.registry.ask(request)).status for _ in range(3)][-1]


@pytest.fixture
async def stage(start: Start) -> Stage:
    registry = await start({"ACCESS": "closed"} | LIMITS)
    world = World(registry.app)
    world.administrator = await world.user("keeper")
    people = await cast(world)
    headers = {"Authorization": basic(people.owner.name, people.owner.key), "Host": "localhost"}
    async with httpx.AsyncClient(base_url=registry.client.base_url, headers=headers) as owner:
        found = await release(world, owner, f"{people.home}/app")
    return Stage(registry, world, people, found)


async def test_what_a_writer_reads_of_the_held_is_not_kept_for_others(stage: Stage) -> None:
    people = stage.people
    tags = f"/v2/{stage.found.name}/tags/list"
    referrers = f"/v2/{stage.found.name}/referrers/{stage.found.digest}"
    plain = stage.line(people.stranger, "/v2/")
    await stage.registry.heat(plain)
    before = len(stage.registry.hits)
    for way in ("tag", "digest", "blob"):
        for method in ("GET", "HEAD"):
            assert await stage.ask(people.owner, way, method) == 200
            assert await stage.ask(people.stranger, way, method) in {403, 404}
    for path in (tags, referrers):
        for who in (people.owner, people.stranger, people.owner):
            answers = [await stage.registry.ask(stage.line(who, path)) for _ in range(3)]
            assert (stage.found.tag in answers[-1].body.decode()) == (who is people.owner and path == tags)
    assert len(stage.registry.hits) == before


async def test_what_is_published_is_kept_for_all_until_its_state_or_notice_changes(stage: Stage) -> None:
    people, found = stage.people, stage.found
    await judge(stage.world, found.name, found.digest, "published", tag=found.tag)
    for way in ("tag", "blob"):
        await stage.registry.heat(stage.line(people.owner, found.paths()[way]))
        await stage.registry.heat(stage.line(people.stranger, found.paths()[way]))
    request = stage.line(people.stranger, found.paths()["tag"])
    await mark(stage.world, found.name, found.digest, "live", "Use another.")
    for _ in range(4):
        assert (await stage.registry.ask(request)).headers["warning"] == '299 - "Use another."'
    assert stage.registry.hits[-1] == f"GET {found.paths()['tag']}"
    await mark(stage.world, found.name, found.digest, "live")
    assert "warning" not in (await stage.registry.ask(request)).headers
    await judge(stage.world, found.name, found.digest, "rejected", "No.", found.tag)
    for way, status in (("tag", 403), ("digest", 403), ("blob", 404)):
        assert await stage.ask(people.stranger, way) == status


async def test_a_writer_who_becomes_a_reader_gets_nothing_held_from_memory(stage: Stage) -> None:
    writer = await stage.world.user()
    await stage.world.join(stage.people.namespace, writer, "write")
    for way in ("tag", "blob"):
        assert await stage.ask(writer, way) == 200
    await stage.world.join(stage.people.namespace, writer, "read")
    assert await stage.ask(writer, "tag") == 403
    assert await stage.ask(writer, "blob") == 404


async def test_the_tags_of_a_repository_without_secrets_are_kept(stage: Stage) -> None:
    path = f"/v2/{stage.found.name}/tags/list"
    await judge(stage.world, stage.found.name, stage.found.digest, "published", tag=stage.found.tag)
    for who in (stage.people.owner, stage.people.stranger):
        await stage.registry.heat(stage.line(who, path))
    await judge(stage.world, stage.found.name, stage.found.digest, "scanning", tag=stage.found.tag)
    assert b"1.0.0" not in (await stage.registry.ask(stage.line(stage.people.stranger, path))).body
    assert b"1.0.0" in (await stage.registry.ask(stage.line(stage.people.owner, path))).body


async def test_what_an_open_registry_kept_of_the_held_is_gone_when_it_closes(start: Start) -> None:
    registry = await start(LIMITS)
    world = World(registry.app)
    found = await release(world, registry.client, "orgs/team/app")
    for way in ("tag", "blob"):
        for _ in range(3):
            assert (await registry.ask(get(found.paths()[way]))).status == 200
    assert registry.hits == []
    await world.user("keeper", administrator=True)
    for way in ("tag", "blob"):
        assert (await registry.ask(get(found.paths()[way]))).status == 401


async def test_the_tags_that_move_with_a_publication_move_in_memory_too(start: Start) -> None:
    registry = await start(LIMITS)
    noise = tgz(entry("dist/index.js", b"1"), entry("noise", os.urandom(80 << 10)))
    code = BY_NAME["module-node"].layers[0].media_type
    first = Artifact(kind="module-node")
    second = replace(first, version="1.1.0", layers=(("hello.tgz", code, noise),))
    await publish(registry.client, first)
    latest = f"/v2/{first.name}/manifests/latest"
    assert (await registry.heat(get(latest))).headers["docker-content-digest"] == first.digest
    await publish(registry.client, second)
    assert (await registry.ask(get(latest))).headers["docker-content-digest"] == first.digest
    for _ in range(3):
        assert (await registry.ask(get(f"/v2/{first.name}/manifests/1.1.0"))).status == 200
    while await jobs.publish_next(registry.app.shelf()):
        pass
    assert (await registry.ask(get(latest))).headers["docker-content-digest"] == second.digest
    await registry.heat(get(latest))
