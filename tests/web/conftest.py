"""A REST door with a few rows of its own, behind a gate of its own."""

from collections.abc import AsyncIterator, Callable, MutableMapping
from typing import Annotated, Any

import httpx
import msgspec
import pytest
from msgspec import Meta

from registry.audit.model import By
from registry.auth.model import ANONYMOUS, Actor
from registry.core.errors import Denied, Unauthorized
from registry.infra.http.boundary import Boundary
from registry.namespaces.access import Right
from registry.namespaces.entry import Admitted, Entry, Level
from registry.web.bodies import Answer, Body, Id, Listing, Page
from registry.web.openapi import with_document
from registry.web.rest import Behind, Call, Reply, RestDoor, Row
from tests.web.spaces import Org, org_of
from tests.web.town import Person, Town, town_of


class NewThing(Body, frozen=True, kw_only=True):
    """A thing to be made."""

    name: Annotated[str, Meta(min_length=1, max_length=10, description="Its name.")]
    size: Id = 1
    parts: list[int] = msgspec.field(default_factory=list)
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    full_title: str | None = None


class Thing(Answer, frozen=True, kw_only=True):
    """A thing."""

    name: str
    size: int
    full_title: str | msgspec.UnsetType | None = msgspec.UNSET


class ThingsQuery(Page, frozen=True, kw_only=True):
    """Which things."""

    kind: list[str] = msgspec.field(default_factory=list)
    is_old: bool | None = None


class Nothing(Body, frozen=True, kw_only=True):
    """A body that may be left out."""

    note: str = ""


async def make(call: Call) -> Reply:
    """Make a thing."""
    return Reply(Thing(name=call.body.name, size=call.body.size, full_title=call.body.full_title))


async def show(call: Call) -> Reply:
    """Show a thing."""
    return Reply(Thing(name=call.params["id"], size=1), version="7")


async def change(call: Call) -> Reply:
    """Change a thing."""
    call.require_match("7")
    return Reply(Thing(name="x", size=1), version="8")


async def remove(call: Call) -> Reply:
    """Refuse what only the owner of a thing may do."""
    raise Denied(f"{call.by.name} is not its owner.")


async def things(call: Call) -> Reply:
    """List things."""
    query: ThingsQuery = call.query
    found = [Thing(name=f"{query.kind}{query.is_old}{query.after}", size=query.limit)]
    return Reply(Listing(items=found, next="a&b"), next="a&b")


async def poke(_: Call) -> Reply:
    """Do something and say nothing."""
    return Reply()


async def repository(call: Call) -> Reply:
    """Show a repository."""
    return Reply(Thing(name=call.params["repo"], size=1))


_THINGS = "/v1/namespaces/{ns}/things"
ROWS = with_document(
    (
        Row("POST", _THINGS, make, Right.MANAGE, "Make a thing", body=NewThing, answer=Thing, status=201, codes=(409,)),
        Row("GET", _THINGS, things, Right.VIEW, "List things", query=ThingsQuery, answer=Listing[Thing]),
        Row("GET", f"{_THINGS}/{{id}}", show, Right.VIEW, "Show a thing", answer=Thing),
        Row("PATCH", f"{_THINGS}/{{id}}", change, Right.MANAGE, "Change a thing", body=Nothing, answer=Thing),
        Row("DELETE", f"{_THINGS}/{{id}}", remove, Right.OWN, "Remove a thing", status=204),
        Row("POST", f"{_THINGS}/poke", poke, Level.SIGNED_IN, "Poke", body=Nothing, status=204),
        Row("GET", "/v1/repositories/{repo}", repository, Right.VIEW, "Show a repository", answer=Thing),
    )
)


class Gate:
    """Lets everybody in who sends something, and notes for what."""

    def __init__(self) -> None:
        self.asked: list[Entry] = []

    async def admit_rest(self, scope: MutableMapping[str, Any], entry: Entry) -> Admitted:
        """The caller."""
        self.asked.append(entry)
        if entry.needs is Level.ANYONE:
            return Admitted(ANONYMOUS, By(None, "anonymous"))
        if not any(name == b"authorization" for name, _ in scope["headers"]):
            raise Unauthorized("Log in first.")
        return Admitted(Actor("u:7", 7, "alice", "user"), By(7, "alice"), namespace=3)


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def refused() -> list[tuple[str, str, str, int | None]]:
    """What the door noted as refused."""
    return []


@pytest.fixture
def door(gate: Gate, refused: list[tuple[str, str, str, int | None]]) -> RestDoor:
    def note(by: By, action: str, target: str, namespace: int | None) -> None:
        refused.append((by.name, action, target, namespace))

    realm: Callable[[], Any] = object
    return RestDoor(ROWS, Behind(realm, lambda: gate, note, 5.0))


@pytest.fixture
async def site(door: RestDoor) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the door that is logged in."""
    transport = httpx.ASGITransport(Boundary(door), raise_app_exceptions=False)
    headers = {"Authorization": "Bearer x"}
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as found:
        yield found


@pytest.fixture
async def town(environ: dict[str, str]) -> AsyncIterator[Town]:
    """A closed registry with an administrator, `boss`."""
    async with town_of(environ, ACCESS="closed", SIGN_UP="off") as found:
        await found.person("boss")
        yield found


@pytest.fixture
async def boss(town: Town) -> Person:
    """Another administrator of it."""
    return await town.person(is_administrator=True)


@pytest.fixture
async def org(town: Town) -> Org:
    """A private organisation in it, with somebody in every role."""
    return await org_of(town)
