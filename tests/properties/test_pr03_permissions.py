"""The access matrix: every route, whoever calls with whatever, held against the rules written down a second time."""

from typing import Any
from unittest.mock import MagicMock

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.auth.model import Limits
from registry.core.errors import RegistryError
from registry.namespaces import spaces
from registry.namespaces.access import Right
from registry.namespaces.entry import Entry, Level
from registry.namespaces.spaces import NewNamespace
from registry.oci.routes import ROUTES
from registry.web.rows import rows
from tests.access import matrix_rest
from tests.access.conftest import world  # noqa: F401 - a fixture
from tests.access.matrix import NEEDS, RANKS, SUCCESS, Case, Home, Sent
from tests.access.matrix_scene import Asked, Scene, listed, make, requests, state
from tests.access.world import OPERATOR, World, basic
from tests.pushing import digest

VISIBILITIES = st.sampled_from(["private", "internal", "public"])
RARELY = st.sampled_from([False] * 7 + [True])
WHERE = st.sampled_from(["app", "other"])
GIVEN = st.sampled_from(["read", "write", "admin"])
ACTIONS = st.frozensets(st.sampled_from(["pull", "push", "delete"]))
PLACES = st.none() | st.none() | st.frozensets(st.sampled_from(["home", "away"]), min_size=1)
SETTINGS = settings(
    max_examples=120, report_multiple_bugs=False, deadline=None, suppress_health_check=list(HealthCheck)
)


@st.composite
def homes(draw: st.DrawFn, who: str, *, is_home: bool) -> Home:
    """A namespace, and what a caller of this kind can be in it."""
    is_known = who in {"user", "administrator"} or (who == "robot" and is_home)
    roles = RANKS[:3] if who == "robot" else RANKS
    role = draw(st.none() | st.sampled_from(roles)) if is_known else None
    ended = draw(RARELY) if role not in {None, "owner"} else False
    in_team = st.none() | st.tuples(st.sampled_from(["everywhere", "app", "other"]), GIVEN)
    return Home(
        visibility=draw(VISIBILITIES),
        own=draw(st.none() | VISIBILITIES),
        role=role,
        ended=ended,
        team=draw(in_team) if role is not None else None,
        grant=draw(st.none() | st.tuples(WHERE, GIVEN)) if is_known else None,
        delete=draw(st.sampled_from(["write", "admin", "owner", "nobody"])),
        is_fenced=draw(RARELY),
    )


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A caller, what it sends, and two namespaces."""
    who = draw(st.sampled_from(["nobody", "user", "user", "user", "user", "robot", "robot", "administrator"]))
    form = draw(st.sampled_from(["nothing", "token"] if who == "nobody" else ["basic", "key", "token", "token"]))
    is_known = who != "nobody"
    sent = Sent(
        who=who,
        form=form,
        scope=draw(st.none() | st.sampled_from(["read-only", "publish", "admin"])) if is_known else None,
        namespaces=draw(PLACES) if is_known else None,
        repositories=draw(PLACES) if is_known else None,
        is_fenced=draw(RARELY) if is_known else False,
        is_inside=draw(st.sampled_from([True, True, False])),
        asked=(draw(ACTIONS), draw(ACTIONS)),
        was_owner=draw(st.booleans()) if form == "token" and who == "user" else False,
        is_stale=draw(RARELY) if form == "token" else False,
    )
    return Case(draw(homes(who, is_home=True)), draw(homes(who, is_home=False)), sent)


def test_every_row_of_the_table_of_routes_is_in_the_matrix() -> None:
    """A new route needs its right written down here before it can be served."""
    assert {(route, method) for route, methods in ROUTES.items() for method in methods} == set(NEEDS) == set(SUCCESS)


def test_every_row_of_the_table_of_rest_is_in_the_matrix() -> None:
    """A new endpoint needs what it takes written down here, too, and an old one none other."""
    assert {(row.method, row.path): row.needs.value for row in rows(MagicMock())} == matrix_rest.NEEDS


# Feature: gati-registry, Property 3: Namespace permission enforcement
@pytest.mark.timeout(600)
@SETTINGS
@given(case=cases())
async def test_whoever_calls_gets_what_the_table_says_and_a_refusal_changes_nothing(
    world: World,  # noqa: F811
    case: Case,
) -> None:
    """All routes on a repository, on one that is not there, and in no namespace; mounts, the catalog, tokens."""
    scene = await make(world, case)
    places = [("home", "app"), ("home", "never"), ("nowhere", "app")]
    async with scene.client() as client:
        before = await state(world)
        for place, repository in places:
            await _refused(scene, client, place, repository)
        await _rest(scene, client)
        assert await state(world) == before
        await _tokens(scene, client)
        await _catalog(scene, client)
        await _mounts(scene, client)
        for place, repository in places[:2]:
            await _allowed(scene, client, place, repository)


async def _rest(scene: Scene, client: httpx.AsyncClient) -> None:
    """What /v1 refuses is refused; what it does not is let in, and not done here."""
    case, home = scene.case, scene.names["home"]
    for method, path in matrix_rest.ASKED:
        expected = matrix_rest.answer(case, method, path)
        whole = matrix_rest.path_of(path, home, scene.world.administrator.name)
        if expected == "yes":
            assert await _let_in(scene, method, path) is None, (method, path)
        else:
            answer = await client.request(method, whole, json={})
            assert answer.status_code == expected, (method, path, answer.text)


async def _let_in(scene: Scene, method: str, path: str) -> RegistryError | None:
    home, access = scene.names["home"], scene.world.application.access()
    headers = [(b"host", b"localhost")]
    if scene.authorization is not None:
        headers.append((b"authorization", scene.authorization.encode()))
    needs = matrix_rest.NEEDS[method, path]
    entry = Entry(
        path,
        Level(needs) if needs in tuple(Level) else Right(needs),
        {"ns": home.replace("/", "~")}
        | ({"repo": f"{home}/app"} if "{repo}" in path else {})
        | ({"name": "app"} if "{name}" in path else {}),
    )
    try:
        await access.rest.admit_rest({"headers": headers, "client": (scene.address, 1), "method": method}, entry)
    except RegistryError as error:
        return error
    return None


def _expected(case: Case, place: str, repository: str, asked: Asked) -> int | str:
    needed = NEEDS[asked.route, asked.method]
    if needed is None:
        return case.answer_without_name()
    found = case.answer(place, repository, needed)
    return "empty" if found == 404 and asked.route == "referrers" else found


async def _send(client: httpx.AsyncClient, asked: Asked) -> httpx.Response:
    return await client.request(asked.method, asked.path, content=asked.body or None, headers=asked.headers)


async def _refused(scene: Scene, client: httpx.AsyncClient, place: str, repository: str) -> None:
    """All that is to be refused, is."""
    name = scene.name(place, repository)
    for asked in requests(name, scene.session):
        expected = _expected(scene.case, place, repository, asked)
        if expected == "yes":
            continue
        answer = await _send(client, asked)
        assert answer.status_code == (200 if expected == "empty" else expected), (asked, expected, answer.text)
        assert answer.status_code != 403 or asked.method != "HEAD"
        assert ("www-authenticate" in answer.headers) == (expected == 401)
        if expected == "empty" and asked.method == "GET":
            assert answer.json()["manifests"] == []


async def _allowed(scene: Scene, client: httpx.AsyncClient, place: str, repository: str) -> None:
    """All that is to be had, is."""
    name, is_there = scene.name(place, repository), repository == "app"
    for asked in requests(name, scene.session):
        if _expected(scene.case, place, repository, asked) != "yes" or (asked.route == "session" and not is_there):
            continue
        answer = await _send(client, await _own(scene, client, asked))
        if is_there:
            assert answer.status_code == SUCCESS[asked.route, asked.method], (asked, answer.text)
        else:
            assert answer.status_code in {200, 202, 400, 404}, (asked, answer.text)
            assert "may not see it" not in answer.text


async def _own(scene: Scene, client: httpx.AsyncClient, asked: Asked) -> Asked:
    """The request, to an upload of the caller where it is about one."""
    if asked.route != "session":
        return asked
    opened = await client.post(f"/v2/{scene.name('home', 'app')}/blobs/uploads/")
    assert opened.status_code == 202
    path = asked.path.replace(scene.session, opened.headers["docker-upload-uuid"])
    return Asked(asked.route, asked.method, path, asked.body, asked.headers)


async def _mounts(scene: Scene, client: httpx.AsyncClient) -> None:
    """A blob is mounted exactly where it could be read; all else opens an upload."""
    if scene.case.answer("home", "app", "push") != "yes":
        return
    readable = scene.case.answer("away", "app", "pull") == "yes"
    target, source = scene.name("home", "app"), scene.name("away", "app")
    one, other = (digest(blob) for blob in scene.mounted)
    for query, is_mounted in [
        (f"mount={one}&from={scene.name('nowhere', 'app')}", False),
        (f"mount={one}&from={scene.name('away', 'never')}", False),
        (f"mount={one}&from={source}", readable),
        (f"mount={other}", readable),
    ]:
        answer = await client.post(f"/v2/{target}/blobs/uploads/?{query}")
        assert answer.status_code == (201 if is_mounted else 202), (query, answer.text)


async def _catalog(scene: Scene, client: httpx.AsyncClient) -> None:
    if scene.case.answer_without_name() != "yes":
        return
    found = set((await client.get("/v2/_catalog")).json()["repositories"])
    for place, repository in (("home", "app"), ("home", "other"), ("away", "app"), ("away", "other")):
        is_seen = "pull" in scene.case.rights(place, repository)
        assert (scene.name(place, repository) in found) == is_seen, (place, repository)


async def _tokens(scene: Scene, client: httpx.AsyncClient) -> None:
    """A token lists what is held of what was asked for, and is never made from another token."""
    asked = [("home", "app"), ("home", "never"), ("away", "app"), ("away", "other"), ("nowhere", "app")]
    scopes = [f"repository:{scene.name(place, repository)}:*" for place, repository in asked]
    answer = await client.get("/token", params={"service": "gati-registry", "scope": scopes})
    if scene.case.is_bad or scene.case.sent.form == "token":
        assert answer.status_code == 401
        return
    assert answer.status_code == 200
    assert listed(answer.json()["token"]) == _listed(scene, asked)


def _listed(scene: Scene, asked: list[tuple[str, str]]) -> dict[str, Any]:
    found = {}
    for place, repository in asked:
        held = set() if place == "nowhere" else scene.case.rights(place, repository) & {"pull", "push", "delete"}
        if held:
            found[scene.name(place, repository)] = held
    return found


async def test_a_role_in_a_repository_is_none_in_the_namespace_of_the_same_name(world: World) -> None:  # noqa: F811
    """Names of plain repositories may have one segment: then both are called the same."""
    one, keeper = await world.user(), world.administrator
    made = await spaces.create_plain(world.realm, OPERATOR, NewNamespace("alpine"), keeper.account)
    async with keeper.client() as client:
        assert (await client.post("/v2/alpine/blobs/uploads/")).status_code == 202
    found = await world.fetch("SELECT id FROM repositories WHERE name = 'alpine'")
    await world.grant(made.id, found, one, "admin")
    limits = Limits(repositories=frozenset({found}))
    narrow = basic(keeper.name, await world.key(keeper.account, limits))
    guard = world.application.access().guard
    for sender in (basic(one.name, one.key), narrow):
        caller = await guard.caller({"headers": [(b"authorization", sender.encode())], "client": ("127.0.0.1", 1)})
        assert (await guard.look(caller, "alpine", of_repository=False)).held == frozenset()
        assert Right.MANAGE in (await guard.look(caller, "alpine")).held
