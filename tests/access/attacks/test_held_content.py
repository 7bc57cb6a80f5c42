"""What is held is asked for by every route: those who may not have it get no byte of it."""

from typing import Any

import asyncpg
import httpx
import pytest

from registry.namespaces import renaming
from registry.namespaces.spaces import NewNamespace
from tests.access.world import OPERATOR, World
from tests.artifacts.scene import Cast, Release, cast, judge, mark, release
from tests.pushing import digest, image, push_blob, push_manifest

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


async def recognised(client: httpx.AsyncClient, path: str) -> None:
    """Ask until who asks, and what it may do there, is remembered."""
    for _ in range(3):
        await client.get(path)


async def signed(world: World, people: Cast, state: str = "scanning") -> tuple[Release, str]:
    """A release, and a signature of it that was pushed by its digest."""
    async with people.owner.client() as owner:
        found = await release(world, owner, f"{people.home}/app", state=state)
        size = len((await owner.get(found.paths()["digest"])).content)
        await push_blob(owner, found.name, b"a signature")
        subject = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": found.digest, "size": size}
        raw = image(b"a signature", subject=subject, artifactType="application/vnd.dev.cosign.artifact.sig.v1+json")
        assert (await push_manifest(owner, found.name, raw, digest(raw))).status_code == 201
    return found, digest(raw)


def routes(found: Release, signature: str) -> list[tuple[str, str, dict[str, str]]]:
    """All that leads to the bytes, or tells of them."""
    base = f"/v2/{found.name}"
    paths = [
        f"{base}/manifests/{found.tag}",
        f"{base}/manifests/{found.digest}",
        f"{base}/manifests/{signature}",
        f"{base}/blobs/{found.blob}",
        f"{base}/blobs/{digest(b'a signature')}",
    ]
    ranged = {"Range": "bytes=0-3"}
    known = {"If-None-Match": f'"{found.digest}"'}
    return (
        [(method, path, {}) for path in paths for method in ("GET", "HEAD")]
        + [("GET", path, ranged) for path in paths]
        + [("GET", path, {"If-None-Match": "*"}) for path in paths]
        + [("GET", paths[0], known)]
    )


@pytest.mark.parametrize("state", ["scanning", "rejected"])
async def test_no_route_leads_to_what_is_held(world: World, state: str) -> None:
    people = await cast(world)
    found, signature = await signed(world, people, state)
    _, target = await world.org(people.stranger)
    clients = [*people.others(), await people.reader.with_token(f"repository:{found.name}:pull")]
    for client in clients:
        async with client:
            for method, path, headers in routes(found, signature):
                answer = await client.request(method, path, headers=headers)
                assert answer.status_code in {403, 404}, (method, path, headers)
                assert found.layer not in answer.content
                assert "docker-content-digest" not in answer.headers
                assert "etag" not in answer.headers
            listed = await client.get(f"/v2/{found.name}/referrers/{found.digest}")
            assert listed.json()["manifests"] == []
            assert (await client.get(f"/v2/{found.name}/tags/list")).json()["tags"] == []
    async with people.stranger.client() as client:
        for source in (f"&from={found.name}", ""):
            for blob in (found.blob, digest(b"a signature")):
                answer = await client.post(f"/v2/{target}/copy/blobs/uploads/?mount={blob}{source}")
                assert answer.status_code == 202
                assert (await client.get(f"/v2/{target}/copy/blobs/{blob}")).status_code == 404
        assert (await client.get("/v2/_catalog")).json()["repositories"] == [f"{target}/copy"]
        wide = await client.get("/token", params={"scope": f"repository:{found.name}:pull,push"})
    async with world.client(f"Bearer {wide.json()['token']}") as client:
        assert (await client.get(f"/v2/{found.name}/manifests/{found.tag}")).status_code == 403


async def test_a_former_name_leads_to_no_more_than_the_present_one(world: World) -> None:
    people = await cast(world)
    found, signature = await signed(world, people)
    await renaming.rename(world.realm, OPERATOR, people.namespace, NewNamespace("later-name"))
    _, target = await world.org(people.stranger)
    async with people.stranger.client() as client:
        for method, path, headers in routes(found, signature):
            answer = await client.request(method, path, headers=headers, follow_redirects=True)
            assert answer.status_code in {403, 404}, (method, path, headers)
        answer = await client.post(f"/v2/{target}/copy/blobs/uploads/?mount={found.blob}&from={found.name}")
        assert answer.status_code == 202
        assert (await client.get(f"/v2/{found.name}/tags/list")).json()["tags"] == []


async def test_the_held_and_the_absent_cost_the_same_statements_and_say_the_same(
    world: World, statements: Statements
) -> None:
    people = await cast(world)
    found, signature = await signed(world, people)
    await mark(world, found.name, signature, "live")
    absent = digest(b"never pushed")
    base = f"/v2/{found.name}"
    pairs = (
        ("HEAD", f"manifests/{found.tag}", "manifests/9.9.9"),
        ("HEAD", f"manifests/{found.digest}", f"manifests/{absent}"),
        ("HEAD", f"manifests/{signature}", f"manifests/{absent}"),
        ("GET", f"blobs/{found.blob}", f"blobs/{absent}"),
        ("HEAD", f"blobs/{found.blob}", f"blobs/{absent}"),
        ("GET", f"referrers/{found.digest}", f"referrers/{absent}"),
    )
    for client in people.others():
        async with client:
            await recognised(client, f"{base}/tags/list")
            for method, held, never in pairs:
                seen = []
                for path in (held, never):
                    statements.clear()
                    answer = await client.request(method, f"{base}/{path}")
                    text = answer.text.replace(path.rpartition("/")[2], "*")
                    names = sorted(set(answer.headers) - {"x-request-id"})
                    seen.append((answer.status_code, text, names, list(statements)))
                assert seen[0] == seen[1], (method, held)
    _, target = await world.org(people.stranger)
    async with people.stranger.client() as client:
        await recognised(client, f"{base}/tags/list")
        for _ in range(3):
            await client.post(f"/v2/{target}/copy/blobs/uploads/")
        seen = []
        for blob in (found.blob, absent):
            statements.clear()
            answer = await client.post(f"/v2/{target}/copy/blobs/uploads/?mount={blob}&from={found.name}")
            seen.append((answer.status_code, answer.text, sorted(answer.headers), list(statements)))
        assert seen[0] == seen[1]


async def test_a_read_is_one_statement_whatever_the_state(world: World, statements: Statements) -> None:
    people = await cast(world)
    async with people.owner.client() as owner:
        held = await release(world, owner, f"{people.home}/app")
        published = await release(world, owner, f"{people.home}/app", "1.1.0", "published")
        plain = await release(world, owner, f"{people.home}/plain", state="published")
    await world.fetch("UPDATE repositories SET gated = false WHERE name = $1", plain.name)

    async def count(client: httpx.AsyncClient, path: str, status: int) -> int:
        await recognised(client, path)
        statements.clear()
        assert (await client.get(path)).status_code == status
        return len(statements)

    async with people.owner.client() as owner, people.stranger.client() as stranger:
        for way in ("tag", "digest", "blob"):
            for client, found in ((owner, held), (owner, published), (stranger, published), (stranger, plain)):
                assert await count(client, found.paths()[way], 200) == 1
        assert await count(stranger, held.paths()["tag"], 403) == 1
        assert await count(stranger, f"/v2/{held.name}/referrers/{held.digest}", 200) == 1
        assert await count(stranger, f"/v2/{plain.name}/tags/list", 200) == 1
        assert await count(stranger, f"/v2/{held.name}/tags/list", 200) == 2


async def test_who_lost_the_right_to_push_loses_what_is_held_with_it(world: World) -> None:
    people = await cast(world)
    writer = await world.user()
    await world.join(people.namespace, writer, "write")
    found, signature = await signed(world, people)
    async with writer.client() as client, await writer.with_token(f"repository:{found.name}:pull,push") as tokened:
        for one in (client, tokened):
            assert (await one.get(found.paths()["tag"])).status_code == 200
        await world.join(people.namespace, writer, "read")
        for one in (client, tokened):
            for method, path, headers in routes(found, signature):
                assert (await one.request(method, path, headers=headers)).status_code in {403, 404}


async def test_a_release_that_is_put_into_quarantine_is_gone_for_everybody_in_the_next_request(world: World) -> None:
    people = await cast(world)
    found, signature = await signed(world, people, "published")
    async with people.stranger.client() as stranger, people.owner.client() as owner:
        for _ in range(3):
            assert (await stranger.get(found.paths()["tag"])).status_code == 200
        await judge(world, found.name, found.digest, "rejected", "Its publisher was compromised.", found.tag)
        for client in (stranger, owner):
            assert (await client.get(found.paths()["tag"])).status_code == 403
            assert (await client.get(f"/v2/{found.name}/manifests/{signature}")).status_code == 403
        assert (await stranger.get(found.paths()["blob"])).status_code == 404
