"""What is said of a release that is not published is asked for by every route of /v1: others learn nothing of it."""

import json
from typing import Final

import httpx
import pytest

from registry.namespaces.access import Right
from registry.web.artifact_places import ARTIFACTS
from registry.web.rows import rows
from tests.access.world import World
from tests.artifacts.scene import Cast, cast
from tests.web.artifact_rows import Made, release
from tests.web.test_rows import SITE

CANARY: Final = "canaryword"
ROWS: Final = [row for row in rows(SITE) if row.method == "GET" and row.path.startswith(f"{ARTIFACTS}/")]
READS: Final = sorted(row.path for row in ROWS if row.needs in {Right.VIEW, Right.PULL})
WRITES: Final = sorted(row.path for row in ROWS if row.path not in READS)
FORGOTTEN: Final = ("requestId", "timestamp")


async def made(world: World, people: Cast, *releases: Made) -> list[str]:
    """Releases in the database; their digests."""
    async with world.realm.db.connection() as connection:
        return [await release(connection, one) for one in releases]


def told(name: str, state: str, version: str = "1.0.0") -> Made:
    """A release of which everything has a word that nothing else has."""
    columns = {"description": CANARY, "keywords": [CANARY], "readme": CANARY, "capabilities": [f"{CANARY}:read"]}
    more = {"description": CANARY, "keywords": [CANARY]}
    return Made(name, version, state=state, tags=(f"next-{version}",), more=more, columns=columns)


def paths(name: str, *versions: str, routes: list[str] = READS) -> list[str]:
    """Every path of /v1 about an artifact, with each of these ways to name a version."""
    _, slug, own = name.split("/")
    found = [path.replace("{ns}", f"orgs~{slug}").replace("{name}", own) for path in routes]
    return [
        path.replace("{version}", version).replace("{id}", "1")
        for path in found
        for version in (versions if "{version}" in path else versions[:1])
    ]


def same(answer: httpx.Response, *words: str) -> str:
    """The body without what differs from request to request, and without these words."""
    body = {key: value for key, value in answer.json().items() if key not in FORGOTTEN}
    text = json.dumps(body)
    for word in words:
        text = text.replace(word, "*")
    return text


@pytest.mark.parametrize("state", ["awaiting-signature", "rejected", "expired"])
async def test_no_route_tells_of_a_release_that_was_never_published(world: World, state: str) -> None:
    people = await cast(world)
    name, absent = f"{people.home}/secret-thing", f"{people.home}/absent-thing"
    (found,) = await made(world, people, told(name, state))
    for client in [*people.others(), world.client()]:
        async with client:
            for path, never in zip(
                paths(name, "1.0.0", "next-1.0.0", found), paths(absent, "1.0.0", "next-1.0.0", found), strict=True
            ):
                answer = await client.get(path)
                assert CANARY not in answer.text, path
                assert CANARY not in str(answer.headers), path
                gone = await client.get(never)
                assert answer.status_code == gone.status_code, path
                assert same(answer, "secret-thing") == same(gone, "absent-thing"), path
            for path in paths(name, "1.0.0", routes=WRITES):
                assert (await client.get(path)).status_code in {401, 403, 404}
            for query in (CANARY, "secret-thing", f"{name}"):
                answer = await client.get("/v1/search", params={"query": query})
                assert answer.json()["total"] == 0
                assert "secret-thing" not in json.dumps(answer.json()["results"])
                assert CANARY not in json.dumps(answer.json().get("facets", {}))
            answer = await client.post(f"{ARTIFACTS}/batch", json={"names": [name, f"@{name.removeprefix('orgs/')}"]})
            assert answer.json()["items"] == []
            assert (
                "secret-thing" not in (await client.get(f"/v1/namespaces/orgs~{name.split('/')[1]}/repositories")).text
            )


async def test_a_version_that_is_not_published_is_not_there_beside_one_that_is(world: World) -> None:
    people = await cast(world)
    name = f"{people.home}/thing"
    plain = Made(name, "1.0.0", tags=("stable",), layers=(b"the first",))
    _, hidden = await made(world, people, plain, told(name, "scanning", "2.0.0"))
    async with people.stranger.client() as client, people.owner.client() as owner:
        for path in paths(name, "2.0.0", "next-2.0.0", hidden, "stable", "1.0.0"):
            answer = await client.get(path)
            assert CANARY not in answer.text, path
            assert hidden in path or hidden not in answer.text, path
        versions = (await client.get(f"{ARTIFACTS}/orgs~{name.split('/')[1]}/thing/versions")).json()["items"]
        assert [one["version"] for one in versions] == ["1.0.0"]
        asked = {"names": [name]}
        lists = [(await one.post(f"{ARTIFACTS}/batch", json=asked)).json()["items"] for one in (client, owner)]
        for items in lists:
            assert [one["version"] for one in items[0]["versions"]] == ["1.0.0"]
        seen = (await owner.get(f"{ARTIFACTS}/orgs~{name.split('/')[1]}/thing/versions")).json()["items"]
        assert [one["version"] for one in seen] == ["2.0.0", "1.0.0"]


async def test_who_depends_on_something_is_not_told_before_it_is_published(world: World) -> None:
    people = await cast(world)
    needed, name = f"{people.home}/needed", f"{people.home}/needs"
    await made(world, people, Made(needed), Made(name, state="scanning", needs=((needed, "^1.0.0"),)))
    async with people.stranger.client() as client:
        answer = await client.get(f"{ARTIFACTS}/orgs~{needed.split('/')[1]}/needed/dependents")
        assert answer.json()["items"] == []
