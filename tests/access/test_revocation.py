"""Whatever is taken away is gone with the next request, on every process, however hot its answer was."""

import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import pytest

from registry import guard
from registry.auth import accounts as people
from registry.auth import identify, keys
from registry.auth.password_changes import set_password
from registry.content import repositories as content
from registry.infra.http.counters import slot
from registry.namespaces import grants, members, removal, renaming, repositories, spaces, teams, transferring
from registry.namespaces.grants import Target
from registry.namespaces.model import ADMINISTRATOR, Policies
from registry.namespaces.spaces import NewNamespace
from registry.namespaces.transferring import Transfer
from registry.oci import routes
from tests.access.matrix_scene import NETWORK
from tests.access.world import OPERATOR, One, World, basic
from tests.fast_lane.conftest import Registry, Start, get, start  # noqa: F401 - a fixture
from tests.pushing import push_image

PASSWORD: Final = "correct horse battery staple"


@dataclass
class Hot:
    """An organisation with a repository whose manifest two processes have in memory for a caller."""

    world: World
    workers: list[Registry]
    one: One
    namespace: int
    home: str
    repository: int
    sender: str | None = None

    @property
    def name(self) -> str:
        return f"{self.home}/app"

    async def heat(self) -> None:
        for worker in self.workers:
            await worker.heat(self._request())

    async def ask(self) -> list[int]:
        """What both processes answer next."""
        return [(await worker.ask(self._request())).status for worker in self.workers]

    async def push(self) -> list[int]:
        """What both processes answer to a push."""
        request = get(f"/v2/{self.name}/blobs/uploads/", self._field(), "Content-Length: 0", method="POST")
        return [(await worker.ask(request)).status for worker in self.workers]

    def _field(self) -> str:
        return f"Authorization: {self.sender}"

    def _request(self) -> bytes:
        fields = [self._field()] if self.sender is not None else []
        return get(f"/v2/{self.name}/manifests/latest", *fields)


Step = Callable[[Hot], Awaitable[Any]]


def _member(role: str = "read") -> Step:
    return lambda hot: hot.world.join(hot.namespace, hot.one, role)


def _visible(visibility: str) -> Step:
    return lambda hot: spaces.set_visibility(hot.world.realm, OPERATOR, hot.namespace, visibility)


def _shown(visibility: str | None) -> Step:
    return lambda hot: repositories.set_visibility(hot.world.realm, OPERATOR, hot.namespace, hot.repository, visibility)


async def _granted(hot: Hot) -> None:
    await hot.world.grant(hot.namespace, hot.repository, hot.one, "read")


async def _taken(hot: Hot) -> None:
    target = Target(hot.namespace, repository=hot.repository, account=hot.one.account)
    await grants.take(hot.world.realm, OPERATOR, target, ADMINISTRATOR)


async def _team(hot: Hot) -> None:
    await _member()(hot)
    await teams.create(hot.world.realm, OPERATOR, hot.namespace, "crew")
    await teams.add(hot.world.realm, OPERATOR, hot.namespace, "crew", hot.one.account)
    await grants.give(hot.world.realm, OPERATOR, Target(hot.namespace, team="crew"), "write", ADMINISTRATOR)


async def _left(hot: Hot) -> None:
    await teams.remove(hot.world.realm, OPERATOR, hot.namespace, "crew", hot.one.account)


async def _removed(hot: Hot) -> None:
    await members.remove(hot.world.realm, OPERATOR, hot.namespace, hot.one.account, ADMINISTRATOR)


async def _revoked(hot: Hot) -> None:
    statement = "SELECT max(id) FROM credentials WHERE account = $1 AND kind = 'key'"
    key = await hot.world.fetch(statement, hot.one.account)
    await keys.revoke(hot.world.realm, OPERATOR, hot.one.account, key)


async def _suspended(hot: Hot) -> None:
    await people.suspend(hot.world.realm, OPERATOR, hot.one.account)


async def _new_password(hot: Hot) -> None:
    await set_password(hot.world.realm, OPERATOR, hot.one.account, PASSWORD + " again")


async def _fenced(hot: Hot) -> None:
    policies = Policies.read({"addresses": [NETWORK]})
    await spaces.set_policies(hot.world.realm, OPERATOR, hot.namespace, policies)


async def _promoted(hot: Hot) -> None:
    await people.set_administrator(hot.world.realm, OPERATOR, hot.one.account, is_administrator=True)


async def _demoted(hot: Hot) -> None:
    await people.set_administrator(hot.world.realm, OPERATOR, hot.one.account, is_administrator=False)


def _passed(*, keep: bool) -> Step:
    async def change(hot: Hot) -> None:
        asked = Transfer(hot.namespace, hot.world.administrator.account, "read", keep)
        await transferring.transfer(hot.world.realm, OPERATOR, asked)

    return change


async def _renamed(hot: Hot) -> None:
    await renaming.rename(hot.world.realm, OPERATOR, hot.namespace, NewNamespace(f"later-{hot.namespace}"))


async def _moved(hot: Hot) -> None:
    await renaming.rename_repository(hot.world.realm, OPERATOR, hot.namespace, hot.repository, f"{hot.home}/later")


async def _remove(hot: Hot, name: str) -> None:
    await content.delete(hot.world.application.shelf(), name, OPERATOR)


async def _deleted(hot: Hot) -> None:
    await removal.delete(hot.world.realm, OPERATOR, hot.namespace, lambda name: _remove(hot, name))


async def _gone(hot: Hot) -> None:
    await _remove(hot, hot.name)


async def _untagged(hot: Hot) -> None:
    async with hot.world.administrator.client() as client:
        assert (await client.delete(f"/v2/{hot.name}/manifests/latest")).status_code == 202


@dataclass(frozen=True)
class Row:
    """How the caller came to its right, what it sends, what is changed then, and what it is told by both."""

    before: Step
    form: str
    change: Step
    status: int
    is_push: bool = False


TABLE: Final = {
    "key revoked": Row(_member(), "basic", _revoked, 401),
    "key revoked, by a token": Row(_member(), "token", _revoked, 401),
    "account suspended": Row(_member(), "basic", _suspended, 401),
    "account suspended, by a token": Row(_member(), "token", _suspended, 401),
    "password changed": Row(_member(), "password", _new_password, 401),
    "member removed": Row(_member(), "basic", _removed, 404),
    "member removed, by a token": Row(_member(), "token", _removed, 404),
    "grant taken": Row(_granted, "basic", _taken, 404),
    "team left": Row(_team, "basic", _left, 403, is_push=True),
    "role lowered": Row(_member("write"), "token", _member("read"), 403, is_push=True),
    "namespace made private": Row(_visible("public"), "basic", _visible("private"), 404),
    "namespace made private, to nobody": Row(_visible("public"), "nothing", _visible("private"), 401),
    "namespace made private, by a token of nobody": Row(_visible("public"), "anonymous", _visible("private"), 401),
    "repository made private": Row(_shown("internal"), "basic", _shown("private"), 404),
    "repository made private, to nobody": Row(_shown("public"), "nothing", _shown(None), 401),
    "addresses limited": Row(_member(), "basic", _fenced, 404),
    "addresses limited, to nobody": Row(_visible("public"), "nothing", _fenced, 401),
    "administrator no more": Row(_promoted, "basic", _demoted, 404),
    "transferred": Row(_member(), "basic", _passed(keep=False), 404),
    "transferred, by a token": Row(_member(), "token", _passed(keep=True), 401),
    "namespace renamed": Row(_member(), "basic", _renamed, 200),
    "repository renamed": Row(_member(), "token", _moved, 200),
    "namespace deleted": Row(_member(), "basic", _deleted, 404),
    "namespace deleted, by a token": Row(_member(), "token", _deleted, 404),
    "tag deleted": Row(_member(), "basic", _untagged, 404),
    "repository deleted": Row(_member(), "basic", _gone, 404),
}


@pytest.fixture
async def workers(start: Start) -> tuple[World, list[Registry]]:  # noqa: F811
    """Two processes of a closed registry, as far as they can tell: one database, one file of counters."""
    limits = {"RATE_LIMIT_TRANSFER": "0", "RATE_LIMIT_AUTH": "0"}
    found = [await start({"ACCESS": "closed"} | limits) for _ in range(2)]
    world = World(found[0].app, itertools.count())
    world.administrator = await world.user("keeper")
    return world, found


async def answers(world: World, workers: list[Registry], row: Row) -> list[int]:
    """What both are told after the change; before it both had the answer in memory, or let the push begin."""
    namespace, home = await world.org(world.administrator)
    async with world.administrator.client() as client:
        await push_image(client, f"{home}/app", b"layer")
    found = await world.fetch("SELECT id FROM repositories WHERE name = $1", f"{home}/app")
    one = await world.user(password=PASSWORD if row.form == "password" else None)
    hot = Hot(world, workers, one, namespace, home, found)
    await row.before(hot)
    hot.sender = await _sender(hot, row.form)
    if row.is_push:
        assert await hot.push() == await hot.push() == [202, 202]
    else:
        await hot.heat()
    await row.change(hot)
    return await (hot.push() if row.is_push else hot.ask())


async def _sender(hot: Hot, form: str) -> str | None:
    if form == "nothing":
        return None
    if form == "token":
        return f"Bearer {await hot.one.token(f'repository:{hot.name}:pull,push')}"
    if form == "anonymous":
        async with hot.world.client() as client:
            answer = await client.get("/token", params={"scope": f"repository:{hot.name}:pull"})
        return f"Bearer {answer.json()['token']}"
    return basic(hot.one.name, PASSWORD if form == "password" else hot.one.key)


@pytest.mark.parametrize("name", TABLE)
async def test_the_next_request_is_told_so(workers: tuple[World, list[Registry]], name: str) -> None:
    world, found = workers
    assert await answers(world, found, TABLE[name]) == [TABLE[name].status] * 2


async def test_an_answer_to_some_addresses_alone_is_never_kept(workers: tuple[World, list[Registry]]) -> None:
    """Neither where the namespace lets in some networks alone, nor where the key does."""
    world, (worker, _) = workers
    owner = await world.user()
    _, home = await world.org(owner, addresses=["127.0.0.0/8"])
    async with owner.client() as client:
        await push_image(client, f"{home}/app", b"layer")
    field = f"Authorization: {basic(owner.name, owner.key)}"
    for _ in range(4):
        assert (await worker.ask(get(f"/v2/{home}/app/manifests/latest", field))).status == 200
    assert worker.hits == []


SLOTS: Final = {
    "of the account": (((guard, "account_slot"), (identify, "account_slot")), lambda _: slot("nobody")),
    "of the namespace": (((guard, "namespace_slot"),), lambda _: slot("nobody")),
    "of all": (((guard, "GLOBAL"), (identify, "GLOBAL")), slot("nobody")),
    "of the repository": (((routes, "slot"),), lambda _: slot("nobody")),
}
NOTICED: Final = {
    "of the account": ("key revoked", "account suspended", "password changed", "administrator no more"),
    "of the namespace": ("namespace made private", "addresses limited, to nobody"),
    "of all": ("transferred", "transferred, by a token", "namespace renamed", "namespace deleted"),
    "of the repository": ("tag deleted",),
}


@pytest.mark.parametrize("name", NOTICED)
async def test_a_slot_that_is_left_out_is_noticed(
    workers: tuple[World, list[Registry]], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """What is remembered without it outlives the change on one process or the other."""
    world, found = workers
    places, other = SLOTS[name]
    for owner, attribute in places:
        monkeypatch.setattr(owner, attribute, other)
    told = [await answers(world, found, TABLE[row]) != [TABLE[row].status] * 2 for row in NOTICED[name]]
    assert any(told)
