"""Makes a case of the access matrix true in a running registry, and asks it."""

import base64
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import httpx

from registry.auth.model import Limits
from registry.auth.realm import account_slot, namespace_slot
from registry.infra.http.counters import GLOBAL
from registry.namespaces import grants, members, repositories, spaces, teams
from registry.namespaces.grants import Target
from registry.namespaces.model import ADMINISTRATOR, Policies
from tests.access.matrix import NEEDS, Case, Home
from tests.access.world import OPERATOR, One, World, basic
from tests.pushing import EMPTY, OCI_MANIFEST, digest, image

INSIDE: Final = "10.1.2.3"
OUTSIDE: Final = "192.0.2.7"
NETWORK: Final = "10.0.0.0/8"
LAYER: Final = b"a layer"
LOOSE: Final = b"a blob that nothing names"
CHUNK: Final = b"chunk"
_TABLES: Final = (
    *("instance", "repositories", "repository_aliases", "blobs", "blob_links", "manifests", "refs", "tags", "uploads"),
    *("review", "doomed", "outbox", "namespaces", "slugs", "accounts", "credentials", "signing_keys", "members"),
    *("teams", "team_members", "grants", "invitations", "holdings", "usage", "audit_seals"),
)
_STATE: Final = " UNION ALL ".join(
    f"SELECT '{table}', count(*), "
    f"sum(hashtextextended((to_jsonb(t) - 'last_used_at' - 'last_used_from')::text, 0)) FROM {table} t"
    for table in _TABLES
)
_DONE: Final = "SELECT count(*) FROM audit_events WHERE outcome = 'done'"


@dataclass(frozen=True)
class Asked:
    """A request, as the matrix names it."""

    route: str
    method: str
    path: str
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Scene:
    """A case that is true: ids and names of both namespaces, and how its caller sends."""

    world: World
    case: Case
    ids: dict[str, int]
    names: dict[str, str]
    authorization: str | None = None
    credential: str | None = None
    account: int | None = None
    session: str = ""

    @property
    def address(self) -> str:
        return INSIDE if self.case.sent.is_inside else OUTSIDE

    def client(self) -> httpx.AsyncClient:
        """What the caller sends with."""
        return self.world.client(self.authorization, self.address)

    @property
    def mounted(self) -> tuple[bytes, bytes]:
        """Two blobs that are in the other namespace alone."""
        return b"one of %d" % self.ids["away"], b"another of %d" % self.ids["away"]

    def name(self, place: str, repository: str) -> str:
        """The whole name of a repository."""
        return f"{self.names[place]}/{repository}"


async def make(world: World, case: Case) -> Scene:
    """Both namespaces with what is in them, and the caller with its credential."""
    ids, names = {}, {}
    for place, home in (("home", case.home), ("away", case.away)):
        ids[place], names[place] = await world.org(world.administrator)
        await spaces.set_visibility(world.realm, OPERATOR, ids[place], home.visibility)
    names["nowhere"] = f"orgs/nobody-{ids['home']}"
    scene = Scene(world, case, ids, names)
    await _fill(scene)
    for place, home in (("home", case.home), ("away", case.away)):
        found = await _repository(scene, place, "app")
        await repositories.set_visibility(world.realm, OPERATOR, ids[place], found, home.own)
        fence = {"addresses": [NETWORK]} if home.is_fenced else {}
        policies = Policies.read({"delete": home.delete, **fence})
        await spaces.set_policies(world.realm, OPERATOR, ids[place], policies)
    one = await _caller(scene)
    await _present(scene, one)
    return scene


async def _fill(scene: Scene) -> None:
    home, away = scene.name("home", "app"), scene.name("away", "app")
    async with scene.world.administrator.client() as client:
        for name, content in [
            *((home, blob) for blob in (EMPTY, LAYER, LOOSE)),
            *((away, blob) for blob in (EMPTY, *scene.mounted)),
        ]:
            answer = await client.post(f"/v2/{name}/blobs/uploads/?digest={digest(content)}", content=content)
            assert answer.status_code == 201, answer.text
        for name, layer in ((home, LAYER), (away, scene.mounted[0])):
            answer = await client.put(
                f"/v2/{name}/manifests/latest", content=image(layer), headers={"Content-Type": OCI_MANIFEST}
            )
            assert answer.status_code == 201, answer.text
        for name in (scene.name("home", "other"), scene.name("away", "other"), home):
            opened = await client.post(f"/v2/{name}/blobs/uploads/")
            assert opened.status_code == 202, opened.text
        scene.session = opened.headers["docker-upload-uuid"]


async def _repository(scene: Scene, place: str, repository: str) -> int:
    statement = "SELECT id FROM repositories WHERE name = $1 AND state = 'live'"
    return int(await scene.world.fetch(statement, scene.name(place, repository)))


async def _caller(scene: Scene) -> One | None:
    world, sent = scene.world, scene.case.sent
    if sent.who == "nobody":
        return None
    if sent.who == "robot":
        one = await world.robot(scene.ids["home"])
    else:
        one = await world.user(administrator=sent.who == "administrator")
    scene.account = one.account
    return one


async def _present(scene: Scene, one: One | None) -> None:
    """The credential of the caller, made when the case says, and its roles."""
    sent = scene.case.sent
    if one is not None:
        scene.credential = await scene.world.key(one.account, await _limits(scene))
    if sent.was_owner and one is not None:
        for place in ("home", "away"):
            await scene.world.join(scene.ids[place], one, "owner")
        await _authorize(scene, one)
        for place in ("home", "away"):
            await members.remove(scene.world.realm, OPERATOR, scene.ids[place], one.account, ADMINISTRATOR)
    if one is not None:
        for place, home in (("home", scene.case.home), ("away", scene.case.away)):
            await _settle(scene, place, home, one)
    if not sent.was_owner or one is None:
        await _authorize(scene, one)
    if sent.is_stale:
        await change_hands(scene, "home")


async def _settle(scene: Scene, place: str, home: Home, one: One) -> None:
    """What the caller is in a namespace."""
    world, namespace = scene.world, scene.ids[place]
    if home.role is not None:
        await world.join(namespace, one, home.role)
    if home.team is not None:
        where, role = home.team
        await teams.create(world.realm, OPERATOR, namespace, "crew")
        await teams.add(world.realm, OPERATOR, namespace, "crew", one.account)
        found = None if where == "everywhere" else await _repository(scene, place, where)
        await grants.give(world.realm, OPERATOR, Target(namespace, repository=found, team="crew"), role, ADMINISTRATOR)
    if home.grant is not None:
        where, role = home.grant
        await world.grant(namespace, await _repository(scene, place, where), one, role)
    if home.ended:
        await change(
            scene,
            place,
            "UPDATE members SET expires_at = $3 WHERE namespace = $1 AND account = $2",
            one.account,
            datetime(2020, 1, 1, tzinfo=UTC),
        )


async def change(scene: Scene, place: str, statement: str, *values: Any) -> None:
    """What takes time, or no action does by itself."""
    realm, own = scene.world.realm, account_slot(scene.account) if scene.account is not None else GLOBAL
    async with (
        realm.changes.around((namespace_slot(scene.ids[place]), own)),
        realm.db.transaction() as connection,
    ):
        await connection.execute(statement, scene.ids[place], *values)


async def change_hands(scene: Scene, place: str) -> None:
    """The generation of a namespace rises, as when it is transferred."""
    await change(scene, place, "UPDATE namespaces SET generation = generation + 1 WHERE id = $1")


async def _limits(scene: Scene) -> Limits:
    sent = scene.case.sent
    namespaces = None if sent.namespaces is None else frozenset(scene.ids[place] for place in sent.namespaces)
    found = None
    if sent.repositories is not None:
        found = frozenset([await _repository(scene, place, "app") for place in sorted(sent.repositories)])
    return Limits(sent.scope, namespaces, found, (NETWORK,) if sent.is_fenced else None)


async def _authorize(scene: Scene, one: One | None) -> None:
    sent = scene.case.sent
    if sent.form == "nothing" or (one is None and sent.form != "token"):
        return
    if sent.form == "token":
        scene.authorization = f"Bearer {await _token(scene, one)}"
    elif sent.form == "key":
        scene.authorization = f"Bearer {scene.credential}"
    elif one is not None and scene.credential is not None:
        scene.authorization = basic(one.name, scene.credential)


async def _token(scene: Scene, one: One | None) -> str:
    """A registry token; it is made inside the network."""
    scopes = [
        f"repository:{scene.name(place, 'app')}:{','.join(sorted(actions))}"
        for place, actions in zip(("home", "away"), scene.case.sent.asked, strict=True)
    ]
    sender = basic(one.name, scene.credential) if one is not None and scene.credential is not None else None
    async with scene.world.client(sender, INSIDE) as client:
        answer = await client.get("/token", params={"service": "gati-registry", "scope": scopes})
    assert answer.status_code == 200, answer.text
    found: str = answer.json()["token"]
    return found


def claims(token: str) -> dict[str, Any]:
    """What a token says."""
    part = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def listed(token: str) -> dict[str, set[str]]:
    """What a token lists, by name of the repository."""
    entries = claims(token).get("access", [])
    return {entry["name"]: set(entry["actions"]) for entry in entries if entry["type"] == "repository"}


def requests(name: str, session: str) -> list[Asked]:
    """One request of each row of the table, to a repository; those that destroy come last."""
    base, named = f"/v2/{name}", {"Content-Type": OCI_MANIFEST}
    at = {
        "version": "/v2/",
        "catalog": "/v2/_catalog",
        "tags": f"{base}/tags/list",
        "referrers": f"{base}/referrers/{digest(image(LAYER))}",
        "manifests": f"{base}/manifests/latest",
        "blobs": f"{base}/blobs/{digest(LAYER)}",
        "uploads": f"{base}/blobs/uploads/",
        "session": f"{base}/blobs/uploads/{session}",
    }
    special = {
        ("manifests", "PUT"): Asked("manifests", "PUT", f"{base}/manifests/again", image(LAYER), named),
        ("blobs", "DELETE"): Asked("blobs", "DELETE", f"{base}/blobs/{digest(LOOSE)}"),
        ("session", "PATCH"): Asked("session", "PATCH", at["session"], CHUNK),
        ("session", "PUT"): Asked("session", "PUT", f"{at['session']}?digest={digest(CHUNK)}", CHUNK),
    }
    rows = sorted(NEEDS, key=lambda row: ("GET", "HEAD", "PUT", "PATCH", "POST", "DELETE").index(row[1]))
    return [special.get((route, method), Asked(route, method, at[route])) for route, method in rows]


async def state(world: World) -> Any:
    """What is in the database, but for when credentials were used and what was refused."""
    async with world.realm.db.connection() as connection:
        rows = await connection.fetch(_STATE)
        return [tuple(row) for row in rows], await connection.fetchval(_DONE)
