"""Rights that change between the requests of a push: its caller's end it at once, nobody else's disturb it."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import httpx
import jwt
import pytest

from registry.auth import accounts, keys
from registry.auth.tokens import TYPE
from registry.namespaces import members, spaces
from registry.namespaces.model import ADMINISTRATOR, Policies
from tests.access.world import OPERATOR, One, World, basic
from tests.auth.forging import forge
from tests.pushing import EMPTY, digest, image, push_blob, push_manifest

Change = Callable[["Push"], Awaitable[object]]
LAYER = b"one" + b"two"


@dataclass
class Push:
    """A member who pushes into `name`, by the steps of a client."""

    world: World
    owner: One
    pusher: One
    namespace: int
    name: str
    place: str = ""

    async def post(self, client: httpx.AsyncClient) -> httpx.Response:
        answer = await client.post(f"/v2/{self.name}/blobs/uploads/")
        self.place = answer.headers.get("location", "")
        return answer

    async def patch(self, client: httpx.AsyncClient) -> httpx.Response:
        return await client.patch(self.place, content=b"one")

    async def put(self, client: httpx.AsyncClient) -> httpx.Response:
        return await client.put(self.place, params={"digest": digest(LAYER)}, content=b"two")

    async def manifest(self, client: httpx.AsyncClient) -> httpx.Response:
        return await push_manifest(client, self.name, image(LAYER))

    @property
    def steps(self) -> list[tuple[Callable[[httpx.AsyncClient], Awaitable[httpx.Response]], int]]:
        """Each request with the status of its success."""
        return [(self.post, 202), (self.patch, 202), (self.put, 201), (self.manifest, 201)]


async def begin(world: World) -> Push:
    owner, pusher = await world.user(), await world.user()
    namespace, home = await world.org(owner)
    await world.join(namespace, pusher, "write")
    async with owner.client() as client:
        await push_blob(client, f"{home}/app", EMPTY)
    return Push(world, owner, pusher, namespace, f"{home}/app")


async def clients(push: Push) -> list[httpx.AsyncClient]:
    """The pusher with the key, and with a token."""
    token = await push.pusher.token(f"repository:{push.name}:pull,push")
    return [push.pusher.client(), push.world.client(f"Bearer {token}")]


async def removed(push: Push) -> None:
    realm = push.world.realm
    await members.remove(realm, OPERATOR, push.namespace, push.pusher.account, ADMINISTRATOR)


async def demoted(push: Push) -> None:
    await push.world.join(push.namespace, push.pusher, "read")


async def suspended(push: Push) -> None:
    await accounts.suspend(push.world.realm, OPERATOR, push.pusher.account)


async def key_of(push: Push) -> int:
    statement = "SELECT max(id) FROM credentials WHERE account = $1 AND kind = 'key'"
    return int(await push.world.fetch(statement, push.pusher.account))


async def revoked(push: Push) -> None:
    await keys.revoke(push.world.realm, OPERATOR, push.pusher.account, await key_of(push))


async def fenced(push: Push) -> None:
    policies = Policies.read({"addresses": ["203.0.113.0/24"]})
    await spaces.set_policies(push.world.realm, OPERATOR, push.namespace, policies)


@pytest.mark.parametrize("after", range(4))
@pytest.mark.parametrize(
    ("change", "status"), [(removed, 404), (demoted, 403), (suspended, 401), (revoked, 401), (fenced, 404)]
)
async def test_who_may_push_no_more_is_refused_the_next_request_of_the_push(
    world: World, change: Change, status: int, after: int
) -> None:
    for number in range(2):
        push = await begin(world)
        client = (await clients(push))[number]
        async with client:
            for step, expected in push.steps[:after]:
                assert (await step(client)).status_code == expected
            await change(push)
            for step, _ in push.steps[after:]:
                if push.place or step in (push.post, push.manifest):
                    assert (await step(client)).status_code == status
        if after < 3:
            async with push.owner.client() as look:
                assert (await look.head(f"/v2/{push.name}/blobs/{digest(LAYER)}")).status_code == 404
        async with push.owner.client() as look:
            assert (await look.get(f"/v2/{push.name}/manifests/latest")).status_code == 404


async def somebody_removed(push: Push) -> None:
    other = await push.world.user()
    await push.world.join(push.namespace, other, "write")
    await members.remove(push.world.realm, OPERATOR, push.namespace, other.account, ADMINISTRATOR)


async def shown(push: Push) -> None:
    await spaces.set_visibility(push.world.realm, OPERATOR, push.namespace, "public")
    await spaces.set_visibility(push.world.realm, OPERATOR, push.namespace, "private")


async def rotated(push: Push) -> None:
    overlap = timedelta(days=1)
    await keys.rotate(push.world.realm, OPERATOR, push.pusher.account, await key_of(push), overlap)


async def rotated_without_overlap(push: Push) -> None:
    await keys.rotate(push.world.realm, OPERATOR, push.pusher.account, await key_of(push), timedelta())


async def other_key_revoked(push: Push) -> None:
    await push.world.key(push.pusher.account)
    await keys.revoke(push.world.realm, OPERATOR, push.pusher.account, await key_of(push))


async def promoted(push: Push) -> None:
    await push.world.join(push.namespace, push.pusher, "admin")


@pytest.mark.parametrize("after", range(1, 4))
@pytest.mark.parametrize("change", [somebody_removed, shown, rotated, other_key_revoked, promoted])
async def test_what_happens_to_others_or_only_to_the_key_does_not_break_a_push(
    world: World, change: Change, after: int
) -> None:
    for number in range(2):
        push = await begin(world)
        client = (await clients(push))[number]
        async with client:
            for at, (step, expected) in enumerate(push.steps):
                if at == after:
                    await change(push)
                assert (await step(client)).status_code == expected


@pytest.mark.parametrize("number", range(2))
async def test_a_key_that_was_rotated_away_ends_its_uploads_and_begins_nothing(world: World, number: int) -> None:
    push = await begin(world)
    client = (await clients(push))[number]
    async with client:
        assert (await push.post(client)).status_code == 202
        await rotated_without_overlap(push)
        assert (await push.patch(client)).status_code == 202
        assert (await push.put(client)).status_code == 201
        for answer in (
            await client.post(f"/v2/{push.name}/blobs/uploads/"),
            await push.manifest(client),
            await client.get(f"/v2/{push.name}/tags/list"),
            await client.head(f"/v2/{push.name}/blobs/{digest(LAYER)}"),
            await client.get("/token", params={"scope": f"repository:{push.name}:pull,push"}),
            await client.get("/v1/me"),
        ):
            assert answer.status_code == 401


async def expired(push: Push, who: One, seconds: float) -> httpx.AsyncClient:
    """A client with a token that ended so long ago, beyond the difference that clocks may have."""
    key = await push.world.application.access().keys.signing(time.time())
    token = await who.token(f"repository:{push.name}:pull,push,delete")
    claims = jwt.decode(token, options={"verify_signature": False})
    end = int(time.time() - 30 - seconds)
    claims |= {"exp": end, "iat": end - 300, "nbf": end - 300}
    return push.world.client(f"Bearer {forge({'alg': 'EdDSA', 'typ': TYPE, 'kid': key.kid}, claims, key.private)}")


async def test_an_upload_of_ones_own_goes_on_for_an_hour_with_an_expired_token_and_nothing_else_does(
    world: World,
) -> None:
    push = await begin(world)
    async with push.pusher.client() as client:
        assert (await push.post(client)).status_code == 202
    async with await expired(push, push.pusher, 5) as late:
        assert (await late.get(push.place)).status_code == 204
        assert (await push.patch(late)).status_code == 202
        for answer in (
            await late.post(f"/v2/{push.name}/blobs/uploads/"),
            await late.post(f"/v2/{push.name}/blobs/uploads/?mount={digest(EMPTY)}"),
            await late.head(f"/v2/{push.name}/blobs/{digest(EMPTY)}"),
            await push.manifest(late),
            await late.delete(f"/v2/{push.name}/manifests/latest"),
            await late.get(f"/v2/{push.name}/tags/list"),
            await late.get("/v2/"),
            await late.get("/v2/_catalog"),
            await late.get("/token"),
            await late.get("/v1/me"),
        ):
            assert answer.status_code == 401
    async with await expired(push, push.pusher, 3540) as late:
        assert (await push.put(late)).status_code == 201
    async with push.pusher.client() as client:
        assert (await push.post(client)).status_code == 202
    async with await expired(push, push.pusher, 3610) as too_late:
        assert (await push.patch(too_late)).status_code == 401


async def test_an_expired_token_opens_no_upload_of_somebody_else(world: World) -> None:
    push = await begin(world)
    other = await world.user()
    await world.join(push.namespace, other, "write")
    async with push.pusher.client() as client:
        assert (await push.post(client)).status_code == 202
        async with await expired(push, other, 5) as late, other.client() as its:
            for thief in (late, its):
                assert (await thief.get(push.place)).status_code == 404
                assert (await push.patch(thief)).status_code == 404
                assert (await push.put(thief)).status_code == 404
                assert (await thief.delete(push.place)).status_code == 404
        assert (await push.patch(client)).status_code == 202
        assert (await push.put(client)).status_code == 201


@pytest.mark.parametrize(("change", "status"), [(removed, 404), (demoted, 403), (suspended, 401), (revoked, 401)])
async def test_an_expired_token_is_forgiven_to_who_may_still_push_alone(
    world: World, change: Change, status: int
) -> None:
    push = await begin(world)
    async with push.pusher.client() as client:
        assert (await push.post(client)).status_code == 202
    async with await expired(push, push.pusher, 5) as late:
        assert (await push.patch(late)).status_code == 202
        await change(push)
        assert (await push.put(late)).status_code == status


async def test_an_upload_is_of_its_owner_whatever_key_comes_and_of_its_repository_alone(world: World) -> None:
    push = await begin(world)
    second = await world.key(push.pusher.account)
    robot = await world.robot(push.namespace, "write")
    async with push.pusher.client() as client:
        assert (await push.post(client)).status_code == 202
    elsewhere = push.place.replace("/app/", "/other/")
    async with push.owner.client() as owner, robot.client() as machine, world.client() as nobody:
        await push_blob(owner, push.name.replace("/app", "/other"), b"there")
        for thief, status in ((owner, 404), (machine, 404), (nobody, 401)):
            assert (await push.patch(thief)).status_code == status
            assert (await push.put(thief)).status_code == status
            assert (await thief.get(push.place)).status_code == status
            assert (await thief.delete(push.place)).status_code == status
    async with world.client(basic(push.pusher.name, second)) as client:
        assert (await client.patch(elsewhere, content=b"one")).status_code == 404
        assert (await push.patch(client)).status_code == 202
        assert (await push.put(client)).status_code == 201
