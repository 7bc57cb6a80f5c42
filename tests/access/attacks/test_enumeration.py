"""What is hidden and what is not there look alike: same words, same length, same work."""

from typing import Any

import asyncpg
import jwt
import pytest

from registry.namespaces import spaces
from tests.access.world import OPERATOR, World, basic
from tests.pushing import digest, push_image

PASSWORD = "correct horse battery"
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


def claims(token: str) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return found


async def hidden(world: World) -> tuple[str, str, str]:
    """A hidden repository, one that there is not beside it, and one where no namespace is; names of one length."""
    one = await world.user()
    _, home = await world.org(one)
    async with one.client() as client:
        await push_image(client, f"{home}/there", b"layer")
    return f"{home}/there", f"{home}/never", f"{home[:-1]}x/there"


async def test_a_token_for_the_hidden_is_as_long_as_one_for_the_absent_and_names_neither(world: World) -> None:
    names = await hidden(world)
    stranger = await world.user()
    for client in (stranger.client(), world.client()):
        async with client:
            found = []
            for name in names:
                scopes = [f"repository:{name}:pull,push,delete", f"repository:{name}:*"]
                answer = await client.get("/token", params={"scope": scopes})
                told = claims(answer.json()["token"])
                assert told["access"] == []
                fixed = {key: value for key, value in told.items() if key not in {"iat", "nbf", "exp", "jti"}}
                headers = sorted(set(answer.headers) - {"x-request-id"})
                found.append((answer.status_code, len(answer.json()["token"]), fixed, sorted(answer.json()), headers))
            assert found[0] == found[1] == found[2]


async def test_the_hidden_and_the_absent_cost_the_same_statements(world: World, statements: Statements) -> None:
    there, never, nowhere = await hidden(world)
    stranger = await world.user()
    robot = await world.robot((await world.org(stranger))[0])
    blob = digest(b"layer")
    for client in (stranger.client(), robot.client(), world.client()):
        async with client:
            for _ in range(3):
                await client.get(f"/v2/{never}/tags/list")
            for method, path in (
                ("GET", "manifests/latest"),
                ("HEAD", "manifests/latest"),
                ("HEAD", f"blobs/{blob}"),
                ("GET", "tags/list"),
                ("GET", f"referrers/{blob}"),
                ("POST", "blobs/uploads/"),
                ("DELETE", "manifests/latest"),
            ):
                found = []
                for name in (there, never, nowhere):
                    statements.clear()
                    answer = await client.request(method, f"/v2/{name}/{path}")
                    text = answer.text.replace(name, "*")
                    found.append((answer.status_code, text, answer.headers.get("content-length"), list(statements)))
                assert [one[0] for one in found] == [found[0][0]] * 3
                assert [one[1] for one in found] == [found[0][1]] * 3
                assert [one[2] for one in found] == [found[0][2]] * 3
                assert [one[3] for one in found] == [found[0][3]] * 3
            for name in (there, never, nowhere):
                statements.clear()
                await client.get("/token", params={"scope": f"repository:{name}:pull"})
                found.append((0, "", "", list(statements)))
            assert found[-1] == found[-2] == found[-3]


async def test_a_mount_does_not_tell_what_is_hidden(world: World, statements: Statements) -> None:
    there, never, nowhere = await hidden(world)
    stranger = await world.user()
    _, home = await world.org(stranger)
    async with stranger.client() as client:
        await push_image(client, f"{home}/copy", b"other")
        found = []
        for name in (there, never, nowhere):
            statements.clear()
            answer = await client.post(f"/v2/{home}/copy/blobs/uploads/?mount={digest(b'layer')}&from={name}")
            found.append((answer.status_code, answer.text, sorted(answer.headers), list(statements)))
        assert found[0] == found[1] == found[2]
        assert found[0][0] == 202


async def test_an_unknown_name_costs_what_a_known_one_costs(world: World, statements: Statements) -> None:
    one = await world.user(password=PASSWORD)
    keyed = await world.user()
    suspended = await world.user(password=PASSWORD)
    robot = await world.robot((await world.org(one))[0])
    names = (one.name, keyed.name, suspended.name, robot.name, "nobody-has-it", "no@example.org")
    ways: list[list[Any]] = [[] for _ in range(4)]
    async with world.client() as client:
        for name in names:
            for number, way in enumerate(ways):
                statements.clear()
                match number:
                    case 0:
                        answer = await client.get("/v2/", headers={"Authorization": basic(name, "wrong horse")})
                    case 1:
                        answer = await client.get("/token", headers={"Authorization": basic(name, "wrong horse")})
                    case 2:
                        form = {"grant_type": "password", "username": name, "password": "wrong horse"}
                        answer = await client.post("/token", data=form)
                    case _:
                        body = {"username": name, "password": "wrong horse"}
                        answer = await client.post("/v1/auth/login", json=body)
                told = answer.json()
                message = told["message"] if "message" in told else told["errors"][0]["message"]
                way.append((answer.status_code, message, sorted(answer.headers), len(statements)))
    for way in ways:
        assert way[0][0] == 401
        assert [one_of[:3] for one_of in way] == [way[0][:3]] * len(names)
        assert [one_of[3] for one_of in way] == [way[0][3]] * len(names)


async def test_the_catalog_its_length_and_its_pages_tell_nothing_of_the_hidden(world: World) -> None:
    there, *_ = await hidden(world)
    one, stranger = await world.user(), await world.user()
    namespace, home = await world.org(one, "public")
    async with one.client() as client:
        for number in range(3):
            await push_image(client, f"{home}/app{number}", b"layer")
    async with stranger.client() as client:
        seen: list[str] = []
        path: str | None = "/v2/_catalog?n=1"
        while path is not None:
            answer = await client.get(path)
            seen += answer.json()["repositories"]
            assert len(answer.json()["repositories"]) == 1 or "link" not in answer.headers
            path = answer.links["next"]["url"] if "next" in answer.links else None
        assert seen == [f"{home}/app{number}" for number in range(3)]
        await spaces.set_visibility(world.realm, OPERATOR, namespace, "private")
        assert (await client.get("/v2/_catalog")).json() == {"repositories": []}
        for last in (there, there[:-1], home, ""):
            answer = await client.get("/v2/_catalog", params={"n": 1, "last": last})
            assert answer.json() == {"repositories": []}
            assert "link" not in answer.headers
