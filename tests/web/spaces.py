"""An organisation with somebody in every role, as clients of /v1 see it."""

import asyncio
import uuid
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

import httpx

from registry.auth import keys
from registry.auth.keys import NewKey
from registry.infra.http.boundary import Boundary
from registry.namespaces import members
from registry.namespaces.accounts import NewAccount, create_user
from registry.namespaces.members import Change
from registry.namespaces.model import ADMINISTRATOR
from tests.web.town import OPERATOR, Person, Town


@dataclass(frozen=True, slots=True)
class Org:
    """A private organisation `orgs/<slug>`; `stranger` has no role in it."""

    town: Town
    slug: str
    id: int
    owner: Person
    admin: Person
    writer: Person
    reader: Person
    stranger: Person

    @property
    def path(self) -> str:
        """Where it is under /v1."""
        return f"/v1/namespaces/{self.slug}"

    async def call(self, method: str, path: str, body: Any = None, *, by: Person | None = None) -> httpx.Response:
        """The answer to the owner, or to somebody else."""
        return await self.town.call(method, self.path + path, body, key=by or self.owner)

    async def change(self, method: str, path: str, body: Any, etag: str) -> httpx.Response:
        """The answer to the owner, who has seen what has this ETag."""
        transport = httpx.ASGITransport(Boundary(self.town.door), raise_app_exceptions=False)
        headers = {"Authorization": f"Bearer {self.owner.token}", "If-Match": etag}
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as client:
            return await client.request(method, self.path + path, json=body)

    async def at_once(self, *changes: Coroutine[Any, Any, httpx.Response]) -> list[httpx.Response]:
        """The answers to changes that have all seen the same."""
        statement = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        async with self.town.realm.db.transaction() as connection, asyncio.timeout(30):
            await connection.execute("SELECT 1 FROM namespaces WHERE id = $1 FOR UPDATE", self.id)
            tasks = [asyncio.ensure_future(change) for change in changes]
            while await self.town.run(statement) < len(tasks):  # noqa: ASYNC110 - let the others run
                await asyncio.sleep(0)
        return list(await asyncio.gather(*tasks))

    async def repository(self, name: str, visibility: str | None = None) -> str:
        """The whole name of a new repository; its id is as good as any."""
        whole = f"orgs/{self.slug}/{name}"
        await self.town.run(
            "INSERT INTO repositories (name, namespace, visibility) VALUES ($1, $2, $3)", whole, self.id, visibility
        )
        return whole

    async def audited(self) -> list[str]:
        """What was done in it, in order."""
        statement = "SELECT array_agg(action ORDER BY id) FROM audit_events WHERE namespace = $1"
        found: list[str] = await self.town.run(statement, self.id)
        return found


async def somebody(town: Town) -> Person:
    """Somebody new with a key for everything."""
    name = f"p{uuid.uuid4().hex[:20]}"
    made = await create_user(town.realm, OPERATOR, NewAccount(name=name))
    _, secret = await keys.create(town.realm, OPERATOR, NewKey(made, "all"))
    return Person(made, name, secret)


async def org_of(town: Town, **persons: Person) -> Org:
    """A new one; of these persons, or of new ones."""
    cast = {
        role: persons[role] if role in persons else await somebody(town)
        for role in ("owner", "admin", "writer", "reader", "stranger")
    }
    slug = f"o{uuid.uuid4().hex[:20]}"
    made = await town.call("POST", "/v1/orgs", {"slug": slug}, key=cast["owner"])
    assert made.status_code == 201, made.text
    found = Org(town, slug, made.json()["id"], **cast)
    for role, person in (("admin", found.admin), ("write", found.writer), ("read", found.reader)):
        await members.set_role(town.realm, OPERATOR, Change(found.id, person.id, role), ADMINISTRATOR)
    return found
