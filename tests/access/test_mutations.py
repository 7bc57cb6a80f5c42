"""What decides is needed: with one cell of the table flipped, or one check left out, somebody is answered wrongly."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, Final

import pytest

from registry import guard as guard_module
from registry import issuer as issuer_module
from registry.auth import identify
from registry.auth.model import Limits
from registry.auth.password_changes import set_password
from registry.core.errors import RegistryError
from registry.guard import Guard
from registry.infra.http.counters import GLOBAL
from registry.namespaces import access, rights
from registry.namespaces.access import TABLE, Cell, Column, Right
from registry.namespaces.admission import Asked
from registry.namespaces.entry import Entry, Level
from registry.namespaces.model import Policies
from registry.namespaces.rights import Verdict
from tests.access.matrix_scene import INSIDE, NETWORK, OUTSIDE
from tests.access.world import OPERATOR, World, basic

#         pull push delete view manage own administer, by what the caller is
EXPECTED: Final = {
    "private": """
        anonymous      401 401 401 401 401 401 403
        stranger       404 404 404 404 404 404 403
        robot          404 404 404 404 404 404 403
        read           200 403 403 200 403 403 403
        write          200 200 403 200 403 403 403
        admin          200 200 200 200 200 403 403
        owner          200 200 200 200 200 200 403
        administrator  200 200 200 200 200 200 200
    """,
    "internal": """
        anonymous      401 401 401 401 401 401 403
        stranger       200 403 403 200 403 403 403
        robot          404 404 404 404 404 404 403
        read           200 403 403 200 403 403 403
        write          200 200 200 200 403 403 403
        admin          200 200 200 200 200 403 403
        owner          200 200 200 200 200 200 403
        administrator  200 200 200 200 200 200 200
    """,
    "public": """
        anonymous      200 401 401 200 401 401 403
        stranger       200 403 403 200 403 403 403
        robot          200 403 403 200 403 403 403
        read           200 403 403 200 403 403 403
        write          200 200 403 200 403 403 403
        admin          200 200 403 200 200 403 403
        owner          200 200 403 200 200 200 403
        administrator  200 200 200 200 200 200 200
    """,
}
DELETERS: Final = {"private": "admin", "internal": "write", "public": "nobody"}
OTHERS: Final = {
    Cell.YES: (Cell.NO,),
    Cell.NO: (Cell.YES,),
    Cell.PUBLIC: (Cell.NO, Cell.INTERNAL, Cell.YES),
    Cell.INTERNAL: (Cell.NO, Cell.PUBLIC, Cell.YES),
    Cell.POLICY: (Cell.NO, Cell.YES),
}
FLIPS: Final = [
    (right, column, other) for right, row in TABLE.items() for column, cell in row.items() for other in OTHERS[cell]
]


@dataclass
class Town:
    """Everybody of the table, in three namespaces; `senders` are values of Authorization."""

    world: World
    homes: dict[str, str] = field(default_factory=dict)
    ids: dict[str, int] = field(default_factory=dict)
    senders: dict[tuple[str, str], str | None] = field(default_factory=dict)

    @property
    def guard(self) -> Guard:
        found: Guard = self.world.application.access().guard
        return found

    def forget(self) -> None:
        """Nothing is remembered of what was decided."""
        self.guard._looks.clear()

    async def ask(self, sender: str | None, name: str, right: Right, address: str = INSIDE) -> int:
        """The status that a request for a repository is decided with."""
        actions = {Right.PULL: "pull", Right.PUSH: "pull,push", Right.DELETE: "pull,push,delete"}[right]
        return await status(self.guard.admit(scope(sender, address), Asked("manifests", name, actions)))

    async def ask_rest(self, sender: str | None, home: str, needs: Right | Level) -> int:
        """The status that a request for a namespace is decided with."""
        entry = Entry("/v1/namespaces/{ns}", needs, {"ns": home.replace("/", "~")})
        return await status(self.world.application.access().rest.admit_rest(scope(sender), entry))


def scope(sender: str | None, address: str = INSIDE) -> dict[str, Any]:
    """A request as a door sees it."""
    headers = [(b"host", b"localhost")] + ([(b"authorization", sender.encode())] if sender is not None else [])
    return {"headers": headers, "client": (address, 1), "method": "GET", "scheme": "http"}


async def status(decision: Awaitable[Any]) -> int:
    """200, or that of the refusal."""
    try:
        await decision
    except RegistryError as error:
        return error.status
    return 200


@pytest.fixture
async def town(world: World) -> Town:
    """Three namespaces of each visibility, each with its policy of deleting, and whoever stands in the table."""
    found = Town(world)
    stranger, boss = await world.user(), await world.user(administrator=True)
    for visibility, deleters in DELETERS.items():
        namespace, home = await world.org(world.administrator, visibility, delete=deleters)
        async with world.administrator.client() as client:
            assert (await client.post(f"/v2/{home}/app/blobs/uploads/")).status_code == 202
        found.homes[visibility], found.ids[visibility] = home, namespace
        robot = await world.robot(namespace)
        found.senders[visibility, "anonymous"] = None
        for column, one in (("stranger", stranger), ("administrator", boss), ("robot", robot)):
            found.senders[visibility, column] = f"Bearer {one.key}"
        for role in ("read", "write", "admin", "owner"):
            member = await world.user()
            await world.join(namespace, member, role)
            found.senders[visibility, role] = f"Bearer {member.key}"
    return found


async def wrong(town: Town, *, only: tuple[Right, Column] | None = None) -> list[str]:
    """Where the answers are not those of the table; `only`: of one right and column, else all."""
    town.forget()
    found = []
    for visibility, text in EXPECTED.items():
        for line in text.strip().splitlines():
            column, *statuses = line.split()
            for right, expected in zip(Right, statuses, strict=True):
                if only in {None, (right, column)} and await _answer(town, visibility, column, right) != int(expected):
                    found.append(f"{visibility} {column} {right}")
    return found


async def _answer(town: Town, visibility: str, column: str, right: Right) -> int:
    sender, home = town.senders[visibility, column], town.homes[visibility]
    if right in {Right.PULL, Right.PUSH, Right.DELETE}:
        return await town.ask(sender, f"{home}/app", right)
    if right is not Right.ADMINISTER:
        return await town.ask_rest(sender, home, right)
    caller = await town.guard.caller(scope(sender))
    look = await town.guard.look(caller, home, of_repository=False)
    return 200 if right in look.held else 403


async def test_every_flip_of_a_cell_is_noticed(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it stands the table is answered by; with any cell another, somebody's answer differs."""
    assert await wrong(town) == []
    unnoticed = []
    for right, column, other in FLIPS:
        with monkeypatch.context() as patched:
            patched.setitem(access.TABLE[right], column, other)
            if not await wrong(town, only=(right, column)):
                unnoticed.append(f"{right} of {column} as {other}")
    assert unnoticed == []
    assert len(FLIPS) > 56


Check = Callable[[Town], Awaitable[int]]


async def _narrow_token(town: Town) -> int:
    return await town.ask(f"Bearer {await _token(town, 'pull')}", f"{town.homes['private']}/app", Right.PUSH)


async def _old_token(town: Town) -> int:
    sender = f"Bearer {await _token(town, 'pull,push')}"
    realm, home = town.world.realm, town.ids["private"]
    async with realm.changes.around((GLOBAL,)), realm.db.transaction() as connection:
        await connection.execute("UPDATE namespaces SET generation = generation + 1 WHERE id = $1", home)
    return await town.ask(sender, f"{town.homes['private']}/app", Right.PULL)


async def _late_token(town: Town) -> int:
    sender = f"Bearer {await _token(town, 'pull')}"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(guard_module, "time", SimpleNamespace(time=lambda: time.time() + 400))
        return await town.ask(sender, f"{town.homes['private']}/app", Right.PULL)


async def _token(town: Town, actions: str) -> str:
    one = town.world.administrator
    found: str = await one.token(f"repository:{town.homes['private']}/app:{actions}")
    return found


async def _token_for_token(town: Town) -> int:
    async with town.world.client(f"Bearer {await _token(town, 'pull')}") as client:
        return (await client.get("/token")).status_code


async def _token_at_rest(town: Town) -> int:
    return await town.ask_rest(f"Bearer {await _token(town, 'pull')}", town.homes["private"], Level.SIGNED_IN)


async def _with(town: Town, limits: Limits, right: Right, address: str = INSIDE) -> int:
    key = await town.world.key(town.world.administrator.account, limits)
    return await town.ask(f"Bearer {key}", f"{town.homes['private']}/app", right, address)


async def _read_only(town: Town) -> int:
    return await _with(town, Limits("read-only"), Right.PUSH)


async def _for_another(town: Town) -> int:
    return await _with(town, Limits(namespaces=frozenset({town.ids["public"]})), Right.PULL)


async def _from_elsewhere(town: Town) -> int:
    return await _with(town, Limits(addresses=(NETWORK,)), Right.PULL, OUTSIDE)


async def _fenced(town: Town) -> int:
    owner = await town.world.user()
    _, home = await town.world.org(owner, addresses=[NETWORK])
    async with owner.client(INSIDE) as client:
        assert (await client.post(f"/v2/{home}/app/blobs/uploads/")).status_code == 202
    return await town.ask(basic(owner.name, owner.key), f"{home}/app", Right.PULL, OUTSIDE)


async def _hidden(town: Town) -> int:
    return await town.ask(town.senders["private", "stranger"], f"{town.homes['private']}/app", Right.PULL)


async def _absent(town: Town) -> int:
    return await town.ask(town.senders["public", "stranger"], f"{town.homes['public']}/never", Right.PULL)


async def _first_password(town: Town) -> int:
    one = await town.world.user()
    await set_password(town.world.realm, OPERATOR, one.account, "correct horse battery")
    return await town.ask(basic(one.name, "correct horse battery"), f"{town.homes['public']}/app", Right.PULL)


def _ignores_generation(actor: Any, asked: str, place: Any, needed: Right) -> bool:
    grant = (actor.ceiling or {}).get(asked)
    return actor.ceiling is None or (grant is not None and needed.value in grant.actions and place is not None)


_DECIDE, _CALLER, _RIGHTS, _KNOWN = rights.decide, Guard.caller, rights.rights, Guard._known


def _shows(*given: Any) -> Verdict:
    verdict = _DECIDE(*given)
    return Verdict.FORBIDDEN if verdict is Verdict.HIDDEN else verdict


async def _forgives(self: Guard, request: Any, **_: bool) -> Any:
    return await _CALLER(self, request, may_be_late=True)


def _absent_is_there(actor: Any, place: Any, *given: Any, **more: Any) -> Any:
    return _RIGHTS(actor, replace(place, repository=place.repository or -1), *given, **more)


async def _without_ceiling(self: Guard, request: Any) -> Any:
    sent, found = await _KNOWN(self, request)
    return sent, replace(found, actor=replace(found.actor, ceiling=None, must_change_password=False))


async def _any_caller(self: Any, request: Any, **more: bool) -> Any:
    return await self._guard.caller(request, **more)


GUARDS: Final[dict[str, tuple[Check, int, Any, str, Any]]] = {
    "a token limits": (_narrow_token, 401, rights, "is_listed", lambda *_: True),
    "a token is for one generation": (_old_token, 401, rights, "is_listed", _ignores_generation),
    "a late token is for uploads": (_late_token, 401, Guard, "caller", _forgives),
    "a token is not exchanged": (_token_for_token, 401, issuer_module.Issuer, "caller", _any_caller),
    "a token is for /v2": (_token_at_rest, 401, Guard, "_known", _without_ceiling),
    "a scope limits": (_read_only, 403, rights, "SCOPES", dict.fromkeys(access.SCOPES, frozenset(Right))),
    "a key is for some": (_for_another, 404, rights, "_within_limits", lambda *_, **__: frozenset(Right)),
    "a key is for a network": (_from_elsewhere, 401, identify, "is_within", lambda *_: True),
    "a namespace is for a network": (_fenced, 404, Policies, "admits", lambda *_: True),
    "what is hidden is not there": (_hidden, 404, guard_module, "decide", _shows),
    "what is not there is hidden": (_absent, 404, guard_module, "rights", _absent_is_there),
    "a first password is changed first": (_first_password, 401, Guard, "_known", _without_ceiling),
}


@pytest.mark.parametrize("name", GUARDS)
async def test_every_check_that_is_left_out_is_noticed(town: Town, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    check, expected, owner, attribute, other = GUARDS[name]
    assert await check(town) == expected
    monkeypatch.setattr(owner, attribute, other)
    town.forget()
    assert await check(town) != expected
