"""Two processes on one database and store: what one withdraws, the other grants no more, remembered or not."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from registry.auth import accounts as people
from registry.auth import keys, signing
from registry.auth.realm import account_slot, namespace_slot
from registry.config import load
from registry.namespaces import members, spaces, teams
from registry.namespaces import repositories as in_namespace
from registry.namespaces.grants import Target, give, take
from registry.namespaces.model import ADMINISTRATOR, Policies
from tests.access.world import OPERATOR, One, World, basic
from tests.conftest import running
from tests.fast_lane.conftest import Registry, Start, get, start
from tests.pushing import digest, push_image

__all__ = ["start"]  # a fixture of the server's tests

ROOT = Path(__file__).parents[3]
SETTINGS = {"ACCESS": "closed", "SINGLE_HOST": "true", "RATE_LIMIT_TRANSFER": "0", "RATE_LIMIT_AUTH": "0"}
Change = Callable[["Scene"], Awaitable[object]]


class Scene:
    """Somebody who reads a private repository as a member, and what ends that."""

    def __init__(self, world: World, one: One, namespace: int, name: str) -> None:
        self.world = world
        self.one = one
        self.namespace = namespace
        self.name = name
        self.credential = 0
        self.repository = 0


async def scene(world: World, *, is_member: bool = True) -> Scene:
    owner, one = await world.user(), await world.user()
    namespace, home = await world.org(owner)
    async with owner.client() as client:
        await push_image(client, f"{home}/app", b"layer")
    found = Scene(world, one, namespace, f"{home}/app")
    if is_member:
        await world.join(namespace, one, "read")
    statement = "SELECT max(id) FROM credentials WHERE account = $1"
    found.credential = await world.fetch(statement, one.account)
    found.repository = await world.fetch("SELECT id FROM repositories WHERE name = $1", found.name)
    return found


async def removed(at: Scene) -> None:
    await members.remove(at.world.realm, OPERATOR, at.namespace, at.one.account, ADMINISTRATOR)


async def revoked(at: Scene) -> None:
    await keys.revoke(at.world.realm, OPERATOR, at.one.account, at.credential)


async def suspended(at: Scene) -> None:
    await people.suspend(at.world.realm, OPERATOR, at.one.account)


async def fenced(at: Scene) -> None:
    await spaces.set_policies(at.world.realm, OPERATOR, at.namespace, Policies.read({"addresses": ["203.0.113.0/24"]}))


CHANGES = [(removed, 404), (revoked, 401), (suspended, 401), (fenced, 404)]


@pytest.mark.parametrize(("change", "status"), CHANGES)
async def test_what_memory_answers_in_one_process_ends_with_a_change_in_another(
    start: Start,
    change: Change,
    status: int,
) -> None:
    here, there = await start(SETTINGS), await start(SETTINGS)
    world = World(here.app)
    world.administrator = await world.user("keeper")
    at = await scene(world)
    token = await at.one.token(f"repository:{at.name}:pull")
    asked = [
        get(f"/v2/{at.name}/{path}", f"Authorization: {authorization}", method=method)
        for path in ("manifests/latest", "tags/list")
        for authorization in (basic(at.one.name, at.one.key), f"Bearer {token}")
        for method in ("GET", "HEAD")
    ]
    for registry in (here, there):
        for request in asked:
            await registry.heat(request)
    await change(at)
    for registry in (there, here):
        before = len(registry.hits)
        for request in asked:
            assert (await registry.ask(request)).status == status
        assert len(registry.hits) == before


async def heated(registry: Registry, *requests: bytes) -> None:
    for request in requests:
        await registry.heat(request)


async def test_what_became_private_is_answered_by_no_memory(start: Start) -> None:
    here, there = await start(SETTINGS), await start(SETTINGS)
    world = World(here.app)
    world.administrator = await world.user("keeper")
    at = await scene(world)
    asked = [get(f"/v2/{at.name}/{path}") for path in ("manifests/latest", "tags/list")]

    async def hide_namespace() -> None:
        await spaces.set_visibility(world.realm, OPERATOR, at.namespace, "private")

    async def hide_repository() -> None:
        await in_namespace.set_visibility(world.realm, OPERATOR, at.namespace, at.repository, "private")

    for hides in (hide_namespace, hide_repository):
        await in_namespace.set_visibility(world.realm, OPERATOR, at.namespace, at.repository, None)
        await spaces.set_visibility(world.realm, OPERATOR, at.namespace, "public")
        for registry in (here, there):
            await heated(registry, *asked)
        await hides()
        for registry in (there, here):
            for request in asked:
                assert (await registry.ask(request)).status == 401


async def test_a_grant_and_a_team_end_in_every_process_and_a_new_key_signs_in_every_one(
    environ: dict[str, str], emptied: None
) -> None:
    async with running(load(environ | SETTINGS)) as here, running(load(environ | SETTINGS)) as there:
        world, other = World(here), World(there)
        world.administrator = await world.user("keeper")
        at = await scene(world, is_member=False)
        path = f"/v2/{at.name}/manifests/latest"
        realm = world.realm
        mine = Target(at.namespace, repository=at.repository, account=at.one.account)
        async with (
            world.client(basic(at.one.name, at.one.key)) as near,
            other.client(basic(at.one.name, at.one.key)) as far,
        ):

            async def found() -> list[int]:
                return [(await client.get(path)).status_code for client in (near, far, near, far)]

            assert await found() == [404] * 4
            await give(realm, OPERATOR, mine, "read", ADMINISTRATOR)
            assert await found() == [200] * 4
            await take(realm, OPERATOR, mine, ADMINISTRATOR)
            assert await found() == [404] * 4
            await world.join(at.namespace, at.one, "read")
            await teams.create(realm, OPERATOR, at.namespace, "builders")
            await teams.add(realm, OPERATOR, at.namespace, "builders", at.one.account)
            await give(realm, OPERATOR, Target(at.namespace, team="builders"), "write", ADMINISTRATOR)
            uploads = f"/v2/{at.name}/blobs/uploads/"
            assert [(await client.post(uploads)).status_code for client in (near, far)] == [202, 202]
            await teams.remove(realm, OPERATOR, at.namespace, "builders", at.one.account)
            assert [(await client.post(uploads)).status_code for client in (near, far)] == [403, 403]
            await removed(at)
            assert await found() == [404] * 4
            token = (await near.get("/token")).json()["token"]
            await signing.rotate(other.realm, OPERATOR)
            async with other.client(f"Bearer {token}") as held:
                assert (await held.get("/v2/")).status_code == 200
            async with world.client() as nobody, other.client() as stranger:
                sets = [(await client.get("/.well-known/jwks.json")).json() for client in (nobody, stranger)]
            assert sets[0] == sets[1]
            assert len(sets[0]["keys"]) == 2


async def test_several_hosts_remember_no_right(environ: dict[str, str], emptied: None) -> None:
    settings = environ | SETTINGS | {"SINGLE_HOST": "false"}
    async with running(load(settings)) as here, running(load(settings)) as there:
        world, other = World(here), World(there)
        world.administrator = await world.user("keeper")
        for change, status in CHANGES:
            at = await scene(world)
            token = await at.one.token(f"repository:{at.name}:pull")
            for authorization in (f"Bearer {token}", basic(at.one.name, at.one.key)):
                async with world.client(authorization) as near, other.client(authorization) as far:
                    for client in (near, far, near, far):
                        assert (await client.get(f"/v2/{at.name}/manifests/latest")).status_code == 200
            await change(at)
            for authorization in (f"Bearer {token}", basic(at.one.name, at.one.key)):
                async with world.client(authorization) as near, other.client(authorization) as far:
                    for client in (near, far):
                        for path in ("manifests/latest", f"blobs/{digest(b'layer')}"):
                            assert (await client.get(f"/v2/{at.name}/{path}")).status_code == status


WRITER = """
import asyncio, sys
from pathlib import Path
from registry.infra.changes import Changes
from registry.infra.db.pool import open_database
from registry.infra.http.counters import Counters

async def main():
    counters = Counters(Path(sys.argv[1]))
    db = await open_database({"dsn": sys.argv[2]}, 1, 1, counters.token)
    async with Changes(db, counters).around(tuple(int(slot) for slot in sys.argv[4:])), db.connection() as connection:
        await connection.execute(sys.argv[3])
        print("changed", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_process_killed_in_the_middle_of_a_change_leaves_nobody_a_right_that_it_took(
    start: Start,
    environ: dict[str, str],
) -> None:
    registry = await start(SETTINGS)
    world = World(registry.app)
    world.administrator = await world.user("keeper")
    for row, slots_of in (
        ("DELETE FROM members WHERE account = {account} AND namespace = {namespace}", "member"),
        ("UPDATE credentials SET revoked_at = clock_timestamp() WHERE account = {account}", "key"),
        ("UPDATE accounts SET state = 'suspended' WHERE id = {account}", "account"),
    ):
        at = await scene(world)
        request = get(f"/v2/{at.name}/manifests/latest", f"Authorization: {basic(at.one.name, at.one.key)}")
        await registry.heat(request)
        slots = [account_slot(at.one.account), namespace_slot(at.namespace)]
        counters = world.realm.changes.counters
        assert counters is not None
        statement = row.format(account=at.one.account, namespace=at.namespace)
        words = [str(counters.path), environ["DATABASE_URL"], statement, *map(str, slots)]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            WRITER,
            *words,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        assert await process.stdout.readline() == b"changed\n"
        expected = 404 if slots_of == "member" else 401
        for _ in range(3):
            assert (await registry.ask(request)).status == expected
        process.kill()
        await process.wait()
        hits = len(registry.hits)
        for _ in range(3):
            assert (await registry.ask(request)).status == expected
        assert counters.stamp(tuple(slots)) is None
        other = await scene(world)
        asked = get(f"/v2/{other.name}/manifests/latest", f"Authorization: {basic(other.one.name, other.one.key)}")
        assert (await registry.ask(asked)).status == 200
        while counters.stamp(tuple(slots)) is None:
            await world.realm.changes.recover()
        assert (await registry.ask(request)).status == expected
        assert len(registry.hits) == hits
        await registry.heat(asked)
