"""Keys and invitations after what they came from has ended: what was given is never more than what is there now."""

import pytest

from registry.audit.model import By
from registry.auth import accounts as people
from registry.auth.model import Limits
from registry.core.errors import Conflict
from registry.namespaces import accounts, invitations, members, teams, transferring
from registry.namespaces.grants import Target, give
from registry.namespaces.invitations import Asked
from registry.namespaces.model import ADMINISTRATOR, Standing
from registry.namespaces.transferring import Transfer
from tests.access.world import OPERATOR, One, World, basic
from tests.pushing import push_image


async def org(world: World, one: One, role: str) -> tuple[One, int, str]:
    """An organisation in which somebody has a role: its owner, its id, the path of an image in it."""
    owner = await world.user()
    namespace, home = await world.org(owner)
    async with owner.client() as client:
        await push_image(client, f"{home}/app", b"layer")
    await world.join(namespace, one, role)
    return owner, namespace, f"/v2/{home}/app/manifests/latest"


async def statuses(world: World, one: One, secret: str, path: str) -> tuple[int, int]:
    """Whether a key still reads and pushes."""
    async with world.client(basic(one.name, secret)) as client:
        read = await client.get(path)
        push = await client.post(f"{path.rpartition('/manifests')[0]}/blobs/uploads/")
    return read.status_code, push.status_code


async def test_a_key_limited_to_an_organisation_opens_nothing_once_its_owner_left(world: World) -> None:
    one = await world.user()
    owner, namespace, path = await org(world, one, "admin")
    secrets = [
        await world.key(one.account),
        await world.key(one.account, Limits("admin", namespaces=frozenset({namespace}))),
        await world.key(one.account, Limits("publish", namespaces=frozenset({namespace}))),
    ]
    for secret in secrets:
        assert await statuses(world, one, secret, path) == (200, 202)
    await teams.create(world.realm, OPERATOR, namespace, "builders")
    await teams.add(world.realm, OPERATOR, namespace, "builders", one.account)
    await give(world.realm, OPERATOR, Target(namespace, team="builders"), "admin", ADMINISTRATOR)
    await members.leave(world.realm, By(one.account, one.name), namespace)
    for secret in secrets:
        assert await statuses(world, one, secret, path) == (404, 404)
    await world.join(namespace, one, "read")
    for secret in secrets:
        assert await statuses(world, one, secret, path) == (200, 403)
    assert await statuses(world, owner, owner.key, path) == (200, 202)


async def test_a_key_does_less_with_each_lower_role_of_its_owner(world: World) -> None:
    one = await world.user()
    _, namespace, path = await org(world, one, "owner")
    slug = path.split("/")[3]
    for role, manages, pushes in (("owner", 200, 202), ("admin", 200, 202), ("write", 403, 202), ("read", 403, 403)):
        await world.join(namespace, one, role)
        async with one.client() as client:
            assert (await client.get(f"/v1/namespaces/{slug}/members")).status_code == manages
        assert await statuses(world, one, one.key, path) == (200, pushes)


async def test_an_administrator_who_is_none_any_more_has_what_his_roles_give(world: World) -> None:
    boss = await world.user(administrator=True)
    stranger = await world.user()
    owner, _, path = await org(world, stranger, "read")
    name = path.removeprefix("/v2/").removesuffix("/manifests/latest")
    async with await boss.with_token(f"repository:{name}:pull,push") as held, boss.client() as client:
        assert (await held.get(path)).status_code == (await client.get("/v1/admin/users")).status_code == 200
        await people.set_administrator(world.realm, OPERATOR, boss.account, is_administrator=False)
        assert (await held.get(path)).status_code == 404
        assert (await client.get(path)).status_code == 404
        assert (await client.get("/v1/admin/users")).status_code == 403
        assert (await client.post("/v1/namespaces", json={"slug": "mine-now"})).status_code == 403
    assert await statuses(world, owner, owner.key, path) == (200, 202)


async def test_everything_of_a_suspended_account_is_refused_everywhere_and_good_again_when_it_is_resumed(
    world: World,
) -> None:
    one = await world.user(password="correct horse battery")
    _, _, path = await org(world, one, "write")
    name = path.removeprefix("/v2/").removesuffix("/manifests/latest")
    async with world.client() as client:
        login = {"username": one.name, "password": "correct horse battery"}
        pair = (await client.post("/v1/auth/login", json=login)).json()
    async with one.client() as client:
        refresh = (await client.get("/token", params={"offline_token": "true"})).json()["refresh_token"]
    token = await one.token(f"repository:{name}:pull")
    offered = [f"Bearer {pair['value']}", f"Bearer {token}", basic(one.name, one.key), f"Bearer {one.key}"]
    offered.append(basic(one.name, "correct horse battery"))

    async def found() -> set[int]:
        statuses = set()
        for authorization in offered:
            async with world.client(authorization) as client:
                statuses.add((await client.get(path)).status_code)
        async with world.client() as client:
            form = {"grant_type": "refresh_token", "refresh_token": refresh}
            statuses.add((await client.post("/token", data=form)).status_code)
        return statuses

    assert await found() == {200}
    await people.suspend(world.realm, OPERATOR, one.account)
    assert await found() == {401}
    async with world.client() as client:
        answer = await client.post("/v1/auth/refresh", json={"refreshToken": pair["refreshToken"]})
        assert answer.status_code == 401
        assert (await client.post("/v1/auth/login", json=login)).status_code == 403
    await people.resume(world.realm, OPERATOR, one.account)
    assert await found() == {200}


async def test_the_key_of_a_deleted_robot_opens_nothing_nor_does_that_of_its_namesake_open_more(world: World) -> None:
    one = await world.user()
    _, namespace, path = await org(world, one, "admin")
    robot = await world.robot(namespace, "write")
    name = path.removeprefix("/v2/").removesuffix("/manifests/latest")
    async with await robot.with_token(f"repository:{name}:pull,push") as held:
        assert (await held.get(path)).status_code == 200
        assert await statuses(world, robot, robot.key, path) == (200, 202)
        await accounts.delete_robot(world.realm, OPERATOR, namespace, robot.account, ADMINISTRATOR)
        assert (await held.get(path)).status_code == 401
        assert await statuses(world, robot, robot.key, path) == (401, 401)
        again = accounts.NewRobot(namespace, robot.name.rpartition("+")[2])
        try:
            twin = await accounts.create_robot(world.realm, OPERATOR, again, ADMINISTRATOR)
        except Conflict:
            return
        assert (await held.get(path)).status_code == 401
        assert await statuses(world, robot, robot.key, path) == (401, 401)
        later = One(world, twin.id, twin.name, await world.key(twin.id))
        assert await statuses(world, later, later.key, path) == (404, 404)


@pytest.mark.parametrize(
    "wider",
    [
        {"scopes": ["admin"]},
        {"scopes": ["publish"], "namespaces": None},
        {"scopes": ["publish"], "addresses": None},
        {"scopes": ["publish"], "addresses": ["0.0.0.0/0"]},
        {"scopes": ["publish"], "expiresInDays": 3652},
    ],
    ids=str,
)
async def test_a_key_neither_makes_rotates_nor_revokes_what_is_wider_than_itself(
    world: World, wider: dict[str, object]
) -> None:
    one = await world.user()
    namespace, home = await world.org(one)
    limits = Limits("admin", namespaces=frozenset({namespace}), addresses=("127.0.0.0/8",))
    narrow = await world.key(one.account, limits)
    statement = "SELECT max(id) FROM credentials WHERE account = $1"
    mine = await world.fetch(statement, one.account)
    whole = await world.key(one.account)
    other = await world.fetch(statement, one.account)
    inside = {"name": "k", "namespaces": [home], "addresses": ["127.0.0.1/32"]}
    body = {key: value for key, value in (inside | wider).items() if value is not None}
    async with world.client(basic(one.name, narrow)) as client:
        answer = await client.post("/v1/api-keys", json=body)
        if wider == {"scopes": ["admin"]}:
            assert answer.status_code == 201
        else:
            assert answer.status_code == 403
        assert (await client.post(f"/v1/api-keys/{other}/rotate", json={})).status_code == 403
        assert (await client.delete(f"/v1/api-keys/{other}")).status_code == 403
        for method, path, sent in (
            ("POST", "/v1/orgs", {"slug": "of-a-narrow-key"}),
            ("PATCH", "/v1/me", {"displayName": "x"}),
            ("DELETE", "/v1/me", {}),
        ):
            assert (await client.request(method, path, json=sent)).status_code == 403
        assert (await client.delete(f"/v1/api-keys/{mine}")).status_code == 204
        assert (await client.get("/v1/me")).status_code == 401
    async with world.client(basic(one.name, whole)) as client:
        assert (await client.get("/v1/me")).status_code == 200


async def test_a_key_made_with_a_key_goes_with_it_and_so_does_its_token(world: World) -> None:
    one = await world.user()
    namespace, home = await world.org(one)
    async with one.client() as client:
        await push_image(client, f"{home}/app", b"layer")
        child = (await client.post("/v1/api-keys", json={"name": "k", "scopes": ["admin"]})).json()
    async with world.client(basic(one.name, child["key"])) as client:
        grandchild = (await client.post("/v1/api-keys", json={"name": "k", "scopes": ["read-only"]})).json()["key"]
    later = One(world, one.account, one.name, grandchild)
    async with await later.with_token(f"repository:{home}/app:pull,push") as held, later.client() as reader:
        path = f"/v2/{home}/app/manifests/latest"
        assert (await held.get(path)).status_code == (await reader.get(path)).status_code == 200
        assert (await reader.post(f"/v2/{home}/app/blobs/uploads/")).status_code == 403
        assert (await held.post(f"/v2/{home}/app/blobs/uploads/")).status_code == 403
        async with one.client() as client:
            assert (await client.delete(f"/v1/api-keys/{child['id']}")).status_code == 204
        assert (await held.get(path)).status_code == (await reader.get(path)).status_code == 401
    assert namespace


@pytest.mark.parametrize("change", ["transferred", "demoted", "removed", "suspended"])
async def test_an_invitation_that_nobody_could_make_any_more_makes_no_member(world: World, change: str) -> None:
    inviter, guest = await world.user(), await world.user()
    owner, namespace, path = await org(world, inviter, "admin")
    by = By(inviter.account, inviter.name)
    asked = await invitations.invite(world.realm, by, Asked(namespace, guest.account, "write"), Standing("admin"))
    match change:
        case "transferred":
            later = await world.user()
            moved = Transfer(namespace, later.account, former_owners="admin", keep_members=True)
            await transferring.transfer(world.realm, OPERATOR, moved)
        case "demoted":
            await world.join(namespace, inviter, "write")
        case "removed":
            await members.remove(world.realm, OPERATOR, namespace, inviter.account, ADMINISTRATOR)
        case _:
            await people.suspend(world.realm, OPERATOR, inviter.account)
    async with guest.client() as client:
        answer = await client.post(f"/v1/me/invitations/{asked}/accept")
        assert answer.status_code == (404 if change in {"transferred", "removed"} else 409)
        assert (await client.get(path)).status_code == 404
        assert (await client.get("/v1/me/invitations")).status_code == 200
    assert owner.account


async def test_what_belongs_to_somebody_else_is_absent_whatever_its_number(world: World) -> None:
    one, thief = await world.user(password="correct horse battery"), await world.user()
    _, namespace, _ = await org(world, one, "admin")
    by = By(one.account, one.name)
    guest = await world.user()
    asked = await invitations.invite(world.realm, by, Asked(namespace, guest.account, "read"), Standing("admin"))
    async with world.client() as client:
        await client.post("/v1/auth/login", json={"username": one.name, "password": "correct horse battery"})
    rows = "SELECT array_agg(id) FROM credentials WHERE account = $1"
    numbers = [*(await world.fetch(rows, one.account)), 0, -1, 2**63 - 1, 2**63, 10**40, "x", "%31", "1%00", "1e3"]
    async with thief.client() as client:
        for method, path, absent in (
            ("DELETE", "/v1/api-keys/{}", "/v1/api-keys/999999"),
            ("POST", "/v1/api-keys/{}/rotate", "/v1/api-keys/999999/rotate"),
            ("DELETE", "/v1/me/sessions/{}", "/v1/me/sessions/999999"),
            ("POST", "/v1/me/invitations/{}/accept", "/v1/me/invitations/999999/accept"),
            ("DELETE", "/v1/me/invitations/{}", "/v1/me/invitations/999999"),
        ):
            body: dict[str, str] | None = {} if "rotate" in path else None
            nothing = (await client.request(method, absent, json=body)).json()
            for number in (*numbers, asked):
                answer = await client.request(method, path.format(number), json=body)
                assert answer.status_code == 404, (method, path, number)
                assert number == "1%00" or answer.json()["message"] == nothing["message"]
    async with guest.client() as client:
        assert (await client.post(f"/v1/me/invitations/{asked}/accept")).status_code == 204
