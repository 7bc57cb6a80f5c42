"""What was given for a namespace is void when another has its name, or another has the namespace."""

import jwt

from registry.content import repositories
from registry.namespaces import removal, renaming, spaces, transferring
from registry.namespaces import repositories as in_namespace
from registry.namespaces.spaces import NewNamespace
from registry.namespaces.transferring import Transfer
from tests.access.world import OPERATOR, One, World
from tests.pushing import digest, push_blob, push_image

READS = ("manifests/latest", "tags/list", f"blobs/{digest(b'layer')}", f"referrers/{digest(b'layer')}")


async def filled(world: World, visibility: str = "private") -> tuple[One, int, str]:
    """An owner, a namespace with the repository `app`."""
    one = await world.user()
    namespace, home = await world.org(one, visibility)
    async with one.client() as client:
        await push_image(client, f"{home}/app", b"layer")
    return one, namespace, home


async def delete(world: World, namespace: int) -> None:
    """The namespace is gone, with all in it."""

    async def remove(name: str) -> None:
        await repositories.delete(world.application.shelf(), name, OPERATOR)

    await removal.delete(world.realm, OPERATOR, namespace, remove)


async def remade(world: World, namespace: int, slug: str, owner: One) -> int:
    """A namespace of a name that was somebody else's: an operator took the tombstone away in the database."""
    await world.fetch("DELETE FROM slugs WHERE slug = $1", slug)
    async with world.realm.changes.around((0,)):
        found = (await spaces.create_org(world.realm, OPERATOR, NewNamespace(slug), owner.account)).id
    assert found != namespace
    return found


async def test_a_deleted_namespace_is_gone_for_its_tokens_and_its_name_for_everybody(world: World) -> None:
    one, namespace, home = await filled(world)
    async with await one.with_token(f"repository:{home}/app:pull,push,delete") as held, one.client() as client:
        assert (await held.get(f"/v2/{home}/app/manifests/latest")).status_code == 200
        place = (await held.post(f"/v2/{home}/app/blobs/uploads/")).headers["location"]
        await delete(world, namespace)
        for path in READS[:-1]:
            assert (await held.get(f"/v2/{home}/app/{path}")).status_code == 404
        assert (await held.post(f"/v2/{home}/app/blobs/uploads/")).status_code == 404
        assert (await held.patch(place, content=b"more")).status_code == 404
        assert (await client.post(f"/v2/{home}/app/blobs/uploads/")).status_code == 404
        token = (await client.get("/token", params={"scope": f"repository:{home}/app:pull"})).json()["token"]
    assert jwt.decode(token, options={"verify_signature": False})["access"] == []


async def test_a_token_for_a_namespace_is_none_for_the_next_one_of_its_name_nor_its_source_of_a_mount(
    world: World,
) -> None:
    one, namespace, home = await filled(world, "public")
    _, target = await world.org(one)
    scopes = (f"repository:{home}/app:pull,push", f"repository:{target}/copy:pull,push")
    async with await one.with_token(*scopes) as held:
        await delete(world, namespace)
        later = await world.user()
        made = await remade(world, namespace, home.removeprefix("orgs/"), later)
        await world.join(made, one, "write")
        async with later.client() as client:
            await push_image(client, f"{home}/app", b"layer", b"secret of the later one")
        for path in READS:
            assert (await held.get(f"/v2/{home}/app/{path}")).status_code == 401
        assert (await held.post(f"/v2/{home}/app/blobs/uploads/")).status_code == 401
        for source in (f"&from={home}/app", ""):
            secret = digest(b"secret of the later one")
            answer = await held.post(f"/v2/{target}/copy/blobs/uploads/?mount={secret}{source}")
            assert answer.status_code == 202
        assert (await held.head(f"/v2/{target}/copy/blobs/{secret}")).status_code == 404
    async with await one.with_token(*scopes) as fresh:
        answer = await fresh.post(f"/v2/{target}/copy/blobs/uploads/?mount={secret}&from={home}/app")
        assert answer.status_code == 201


async def test_after_a_transfer_old_tokens_list_nothing_here_though_their_owner_may_stay(world: World) -> None:
    one, namespace, home = await filled(world)
    _, target = await world.org(one)
    other = await world.user()
    scopes = (f"repository:{home}/app:pull,push,delete", f"repository:{target}/copy:pull,push")
    async with await one.with_token(*scopes) as held, one.client() as client:
        assert (await held.get(f"/v2/{home}/app/manifests/latest")).status_code == 200
        asked = Transfer(namespace, other.account, former_owners="write")
        await transferring.transfer(world.realm, OPERATOR, asked)
        for path in READS:
            assert (await held.get(f"/v2/{home}/app/{path}")).status_code == 401
        assert (await held.post(f"/v2/{home}/app/blobs/uploads/")).status_code == 401
        layer = digest(b"layer")
        answer = await held.post(f"/v2/{target}/copy/blobs/uploads/?mount={layer}&from={home}/app")
        assert answer.status_code == 202
        assert (await client.get(f"/v2/{home}/app/manifests/latest")).status_code == 200
    async with await one.with_token(f"repository:{home}/app:pull,push,delete") as fresh:
        assert (await fresh.get(f"/v2/{home}/app/manifests/latest")).status_code == 200


async def test_after_a_transfer_the_former_owner_his_team_and_grants_have_nothing(world: World) -> None:
    one, namespace, home = await filled(world)
    guest, other = await world.user(), await world.user()
    repository = await world.fetch("SELECT id FROM repositories WHERE name = $1", f"{home}/app")
    await world.grant(namespace, repository, guest, "write")
    path = f"/v2/{home}/app/manifests/latest"
    async with guest.client() as its, one.client() as client:
        assert (await its.get(path)).status_code == (await client.get(path)).status_code == 200
        await transferring.transfer(world.realm, OPERATOR, Transfer(namespace, other.account))
        assert (await its.get(path)).status_code == (await client.get(path)).status_code == 404
    async with other.client() as client:
        assert (await client.get(path)).status_code == 200


async def test_a_former_name_leads_to_what_was_renamed_for_those_alone_who_may_see_that(world: World) -> None:
    one, namespace, home = await filled(world)
    stranger = await world.user()
    async with await one.with_token(f"repository:{home}/app:pull") as held:
        await renaming.rename(world.realm, OPERATOR, namespace, NewNamespace("renamed-since"))
        answer = await held.get(f"/v2/{home}/app/manifests/latest")
        assert answer.status_code == 200
        assert answer.headers["warning"] == f'299 - "{home}/app is now orgs/renamed-since/app"'
        assert (await held.get("/v2/orgs/renamed-since/app/manifests/latest")).status_code == 401
    async with stranger.client() as client, world.client() as nobody:
        for name in (f"{home}/app", "orgs/renamed-since/app", f"{home}/never"):
            answer = await client.get(f"/v2/{name}/manifests/latest")
            assert answer.status_code == 404
            assert "warning" not in answer.headers
            assert name == "orgs/renamed-since/app" or "renamed-since" not in answer.text
            answer = await nobody.get(f"/v2/{name}/manifests/latest")
            assert answer.status_code == 401
            assert "renamed-since" not in answer.headers["www-authenticate"] or "renamed-since" in name
            query = {"scope": f"repository:{name}:pull"}
            token = (await client.get("/token", params=query)).json()["token"]
            assert jwt.decode(token, options={"verify_signature": False})["access"] == []


async def test_a_former_name_cannot_be_taken_to_catch_pushes(world: World) -> None:
    one, namespace, home = await filled(world)
    await renaming.rename(world.realm, OPERATOR, namespace, NewNamespace("moved-away"))
    thief = await world.user()
    slug = home.removeprefix("orgs/")
    async with thief.client() as client:
        assert (await client.post(f"/v2/{home}/app/blobs/uploads/")).status_code == 404
        assert (await client.post(f"/v2/users/{slug}/app/blobs/uploads/")).status_code == 404
        assert (await client.post(f"/v2/{slug}/app/blobs/uploads/")).status_code == 404
        assert (await client.post(f"/v2/orgs/{slug}x/app/blobs/uploads/")).status_code == 404
    async with one.client() as client:
        await push_blob(client, f"{home}/app", b"pushed to the former name")
        blob = digest(b"pushed to the former name")
        assert (await client.head(f"/v2/orgs/moved-away/app/blobs/{blob}")).status_code == 200


async def test_a_token_outlives_no_change_of_visibility(world: World) -> None:
    one, namespace, home = await filled(world, "public")
    stranger, robot = await world.user(), await world.robot((await world.org(one))[0])
    paths = [f"/v2/{home}/app/{path}" for path in READS]
    async with world.client() as nobody:
        query = {"scope": f"repository:{home}/app:pull"}
        token = (await nobody.get("/token", params=query)).json()["token"]
        async with (
            world.client(f"Bearer {token}") as anonymous,
            await stranger.with_token(f"repository:{home}/app:pull") as other,
            await robot.with_token(f"repository:{home}/app:pull") as machine,
        ):
            everybody = (nobody, anonymous, other, machine)
            for _ in range(2):
                assert [(await one_of.get(paths[0])).status_code for one_of in everybody] == [200] * 4
            await spaces.set_visibility(world.realm, OPERATOR, namespace, "internal")
            assert [(await one_of.get(paths[0])).status_code for one_of in everybody] == [401, 401, 200, 404]
            await spaces.set_visibility(world.realm, OPERATOR, namespace, "private")
            for path in paths[:3]:
                assert [(await one_of.get(path)).status_code for one_of in everybody] == [401, 401, 404, 404]
            answer = await other.get(paths[3])
            assert (answer.status_code, answer.json()["manifests"]) == (200, [])
            await spaces.set_visibility(world.realm, OPERATOR, namespace, "public")
            assert [(await one_of.get(paths[0])).status_code for one_of in everybody] == [200] * 4
            repository = await world.fetch("SELECT id FROM repositories WHERE name = $1", f"{home}/app")
            await in_namespace.set_visibility(world.realm, OPERATOR, namespace, repository, "private")
            for path in paths[:3]:
                assert [(await one_of.get(path)).status_code for one_of in everybody] == [401, 401, 404, 404]


async def test_a_blob_of_what_became_private_is_not_mounted_any_more(world: World) -> None:
    _, namespace, home = await filled(world, "public")
    stranger = await world.user()
    _, away = await world.org(stranger)
    layer = digest(b"layer")
    scopes = (f"repository:{home}/app:pull", f"repository:{away}/copy:pull,push")
    async with await stranger.with_token(*scopes) as client, stranger.client() as basic:
        await spaces.set_visibility(world.realm, OPERATOR, namespace, "private")
        for one_of in (client, basic):
            for source in (f"&from={home}/app", ""):
                answer = await one_of.post(f"/v2/{away}/copy/blobs/uploads/?mount={layer}{source}")
                assert answer.status_code == 202
            assert (await one_of.head(f"/v2/{away}/copy/blobs/{layer}")).status_code == 404
