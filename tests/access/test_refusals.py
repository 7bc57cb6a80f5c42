"""What callers are told, by the rules of docs/access.md: challenged, refused, or shown nothing."""

import pytest

from tests.access.world import World, basic
from tests.pushing import digest, push_blob, push_image

HIDDEN = ("manifests/latest", "tags/list", f"blobs/{digest(b'x')}")


async def test_the_ping_challenges_with_bearer_alone_and_lets_in_who_has_a_token(world: World) -> None:
    async with world.client() as client:
        answer = await client.get("/v2/")
        assert answer.status_code == 401
        assert answer.headers.get_list("www-authenticate") == [
            'Bearer realm="http://localhost/token",service="gati-registry"'
        ]
        token = (await client.get("/token", params={"service": "gati-registry"})).json()["token"]
    async with world.client(f"Bearer {token}") as client:
        assert (await client.get("/v2/")).status_code == 200


async def test_somebody_pushes_and_pulls_with_basic_and_with_a_token(world: World) -> None:
    one = await world.user()
    _, home = await world.org(one)
    async with one.client() as client:
        pushed = await push_image(client, f"{home}/app", b"layer")
    async with await one.with_token(f"repository:{home}/app:pull,push") as client:
        assert (await client.get(f"/v2/{home}/app/manifests/latest")).headers["docker-content-digest"] == pushed
        await push_image(client, f"{home}/app", b"other")


async def test_a_token_that_lists_less_is_challenged_for_more(world: World) -> None:
    one = await world.user()
    _, home = await world.org(one)
    async with await one.with_token(f"repository:{home}/app:pull") as client:
        answer = await client.post(f"/v2/{home}/app/blobs/uploads/")
    assert answer.status_code == 401
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
    assert f'scope="repository:{home}/app:pull,push"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize("visibility", ["private", "internal"])
async def test_an_anonymous_caller_cannot_tell_what_is_hidden_from_what_is_not(world: World, visibility: str) -> None:
    one = await world.user()
    _, home = await world.org(one, visibility)
    async with one.client() as client:
        await push_image(client, f"{home}/there", b"layer")
    async with world.client() as client:
        for path in HIDDEN:
            for method in ("GET", "HEAD"):
                there = await client.request(method, f"/v2/{home}/there/{path}")
                absent = await client.request(method, f"/v2/{home}/never/{path}")
                nowhere = await client.request(method, f"/v2/orgs/nobody-has-it/there/{path}")
                assert there.status_code == absent.status_code == nowhere.status_code == 401
                assert there.text.replace("there", "never") == absent.text
                assert _fields(there, "there") == _fields(absent, "never")


async def test_a_stranger_with_an_account_is_told_the_same_of_hidden_and_absent(world: World) -> None:
    one, stranger = await world.user(), await world.user()
    _, home = await world.org(one)
    async with one.client() as client:
        await push_image(client, f"{home}/there", b"layer")
    async with stranger.client() as client:
        for path in HIDDEN:
            there = await client.get(f"/v2/{home}/there/{path}")
            absent = await client.get(f"/v2/{home}/never/{path}")
            assert there.status_code == 404
            assert there.text.replace("there", "never") == absent.text
            assert stranger.name in there.json()["errors"][0]["message"]
            assert _fields(there, "there") == _fields(absent, "never")
        pushed = await client.post(f"/v2/{home}/there/blobs/uploads/")
        assert (pushed.status_code, pushed.json()["errors"][0]["code"]) == (404, "NAME_UNKNOWN")
        referrers = await client.get(f"/v2/{home}/there/referrers/{digest(b'x')}")
        assert (referrers.status_code, referrers.json()["manifests"]) == (200, [])


async def test_a_reader_who_pushes_is_told_which_role_is_missing(world: World) -> None:
    one, reader = await world.user(), await world.user()
    namespace, home = await world.org(one)
    await world.join(namespace, reader, "read")
    async with one.client() as client:
        await push_image(client, f"{home}/app", b"layer")
    async with reader.client() as client:
        assert (await client.get(f"/v2/{home}/app/manifests/latest")).status_code == 200
        answer = await client.post(f"/v2/{home}/app/blobs/uploads/")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (403, "DENIED")
    assert reader.name in answer.json()["errors"][0]["message"]
    assert "the role write" in answer.json()["errors"][0]["message"]


async def test_public_repositories_are_read_without_any_credential(world: World) -> None:
    one = await world.user()
    _, home = await world.org(one, "public")
    async with one.client() as client:
        await push_image(client, f"{home}/app", b"layer")
    async with world.client() as client:
        assert (await client.get(f"/v2/{home}/app/manifests/latest")).status_code == 200
        assert (await client.get(f"/v2/{home}/app/blobs/{digest(b'layer')}")).content == b"layer"
        assert (await client.post(f"/v2/{home}/app/blobs/uploads/")).status_code == 401


async def test_a_wrong_password_does_not_become_an_anonymous_pull(world: World) -> None:
    one = await world.user(password="correct horse battery")
    _, home = await world.org(one, "public")
    async with one.client() as client:
        await push_image(client, f"{home}/app", b"layer")
    async with world.client(basic(one.name, "wrong horse")) as client:
        for path in (f"/v2/{home}/app/manifests/latest", "/v2/", "/token"):
            answer = await client.get(path)
            assert answer.status_code == 401
            assert answer.json()["errors"][0]["message"] == "The user name or the password is wrong."


async def test_a_blob_is_mounted_only_from_where_the_caller_may_pull(world: World) -> None:
    one, other = await world.user(), await world.user()
    _, home = await world.org(one)
    _, away = await world.org(other)
    async with other.client() as client:
        blob = await push_blob(client, f"{away}/app", b"secret bytes")
    async with one.client() as client:
        for source in (f"&from={away}/app", "", "&from=orgs/nobody/app", "&from=%00"):
            answer = await client.post(f"/v2/{home}/app/blobs/uploads/?mount={blob}{source}")
            assert answer.status_code == 202
        assert (await client.head(f"/v2/{home}/app/blobs/{blob}")).status_code == 404
        own = await push_blob(client, f"{home}/first", b"own bytes")
        for source in (f"&from={home}/first", ""):
            answer = await client.post(f"/v2/{home}/second/blobs/uploads/?mount={own}{source}")
            assert answer.status_code == 201


async def test_the_catalog_lists_what_the_caller_may_see(world: World) -> None:
    one, stranger = await world.user(), await world.user()
    homes = {kind: (await world.org(one, kind))[1] for kind in ("private", "internal", "public")}
    async with one.client() as client:
        for home in homes.values():
            await push_image(client, f"{home}/app", b"layer")
        assert (await client.get("/v2/_catalog")).json()["repositories"] == sorted(f"{h}/app" for h in homes.values())
    async with stranger.client() as client:
        seen = (await client.get("/v2/_catalog")).json()["repositories"]
        assert seen == sorted(f"{homes[kind]}/app" for kind in ("internal", "public"))
    async with world.client() as client:
        assert 'scope="registry:catalog:*"' in (await client.get("/v2/_catalog")).headers["www-authenticate"]
        token = (await client.get("/token")).json()["token"]
    async with world.client(f"Bearer {token}") as client:
        assert (await client.get("/v2/_catalog")).json()["repositories"] == [f"{homes['public']}/app"]


def _fields(answer: object, name: str) -> dict[str, str]:
    headers = dict(answer.headers)  # type: ignore[attr-defined]
    headers.pop("x-request-id")
    return {key: value.replace(name, "*") for key, value in headers.items()}
