"""What an artifact names is looked for with the rights of who publishes it: no push tells what is hidden."""

import json
from dataclasses import replace
from typing import Any

import asyncpg
import httpx
import pytest

from tests.access.world import One, World
from tests.artifacts.publishing import Artifact, publish, push_parts, put

Statements = list[str]
OF_ITSELF = ("signing_keys", "'denied'", "last_used_at")  # what a process reads and writes from time to time


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Statements:
    """Every statement with parameters that is sent to the database, in order."""
    seen: Statements = []
    work = asyncpg.Connection._do_execute

    async def counted(connection: Any, query: str, *rest: Any, **more: Any) -> Any:
        if not any(word in query for word in OF_ITSELF):
            seen.append(query)
        return await work(connection, query, *rest, **more)

    monkeypatch.setattr(asyncpg.Connection, "_do_execute", counted)
    return seen


async def hidden(world: World, *, visibility: str) -> tuple[str, One]:
    """An artifact in a namespace that somebody else has; its name without `orgs/`."""
    owner = await world.user()
    _, home = await world.org(owner, visibility)
    async with owner.client() as client:
        await publish(client, Artifact(name=f"{home}/secret", more={"description": "canaryword"}))
    return home, owner


async def refused(client: httpx.AsyncClient, home: str, name: str) -> tuple[int, str, int]:
    """The answer to an artifact that depends on `name`, without that."""
    artifact = Artifact(name=f"{home}/mine", more={"dependencies": [{"name": name, "version": "^1.0.0"}]})
    await push_parts(client, artifact)
    answer = await put(client, artifact)
    text = json.dumps(answer.json())
    assert "canaryword" not in text
    return answer.status_code, text.replace(name, "*"), len(answer.headers)


async def test_a_hidden_dependency_is_refused_like_one_that_is_not_there(world: World, statements: Statements) -> None:
    home, _ = await hidden(world, visibility="private")
    stranger = await world.user()
    _, own = await world.org(stranger)
    async with stranger.client() as client:
        found = []
        for name in (f"{home}/secret", f"{home}/absent", f"{home[:-1]}x/secret"):
            for _ in range(3):
                await refused(client, own, name)
            artifact = Artifact(name=f"{own}/mine", more={"dependencies": [{"name": name, "version": "^1.0.0"}]})
            statements.clear()
            answer = await put(client, artifact)
            found.append((answer.status_code, answer.text.replace(name, "*"), list(statements)))
        assert found[0][0] == 422
        assert [one[:2] for one in found] == [found[0][:2]] * 3
        assert [len(one[2]) for one in found] == [len(found[0][2])] * 3


async def test_a_version_that_is_held_is_nothing_to_depend_on_for_anybody_else(world: World) -> None:
    home, _ = await hidden(world, visibility="public")
    name = f"{home}/secret"
    async with world.realm.changes.of(name):
        await world.fetch("UPDATE releases SET state = 'scanning', published_at = NULL")
        await world.fetch("UPDATE manifests SET state = 'held'")
        await world.fetch("UPDATE artifacts SET latest = NULL")
    stranger = await world.user()
    _, own = await world.org(stranger)
    async with stranger.client() as client:
        held = await refused(client, own, name)
        absent = await refused(client, own, f"{home}/absent")
        assert held[0] == 422
        assert held == absent


async def test_a_name_that_is_nearly_right_is_met_with_nothing_that_is_hidden(world: World) -> None:
    home, _ = await hidden(world, visibility="private")
    stranger = await world.user()
    _, own = await world.org(stranger)
    async with stranger.client() as client:
        answer = await refused(client, own, f"{home}/secret-")
        assert "secret" not in answer[1].replace("secret-", "")
        near = await refused(client, own, f"{home}/secretz")
        assert f"{home}/secret" not in near[1].replace(f"{home}/secretz", "")


async def test_the_same_bytes_elsewhere_are_no_artifact_there_without_being_pushed(world: World) -> None:
    home, owner = await hidden(world, visibility="private")
    stranger = await world.user()
    _, own = await world.org(stranger)
    copy = replace(Artifact(name=f"{own}/secret"), more={"description": "canaryword"})
    async with stranger.client() as client:
        answer = await put(client, copy)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "MANIFEST_BLOB_UNKNOWN")
    async with owner.client() as client:
        assert (await client.get(f"/v2/{home}/secret/manifests/1.0.0")).content == copy.raw
