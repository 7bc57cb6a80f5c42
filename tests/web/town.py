"""A registry with people in it, behind the REST door of /v1, as clients see it."""

import base64
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
from starlette.types import ASGIApp

from registry.app import Application
from registry.audit.model import By
from registry.auth.realm import Realm
from registry.config import load
from registry.infra.http.boundary import Boundary
from registry.namespaces import spaces
from registry.namespaces.accounts import NewAccount, create_user
from registry.namespaces.spaces import NewNamespace
from tests.conftest import running

PASSWORD = "canary-Correct-horse-1"
OPERATOR = By(None, "operator")
HOME = "192.0.2.7"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an account; `token` is that of a session."""

    id: int
    name: str
    token: str

    @property
    def basic(self) -> str:
        """The credential as Basic."""
        return "Basic " + base64.b64encode(f"{self.name}:{PASSWORD}".encode()).decode()


@dataclass
class Town:
    """A running registry."""

    app: Application
    door: ASGIApp

    @property
    def realm(self) -> Realm:
        """What actions need."""
        return self.app.access().realm

    async def call(
        self, method: str, path: str, body: Any = None, *, key: str | Person | None = None, address: str = HOME
    ) -> httpx.Response:
        """The answer to a request with this token, key or person's session."""
        transport = httpx.ASGITransport(Boundary(self.door), raise_app_exceptions=False, client=(address, 1))
        text = key.token if isinstance(key, Person) else key
        headers = {} if text is None else {"Authorization": text if " " in text else f"Bearer {text}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            if body is None:
                return await client.request(method, path, headers=headers)
            return await client.request(method, path, json=body, headers=headers)

    async def person(self, name: str | None = None, **more: Any) -> Person:
        """Somebody new, who is logged in."""
        slug = name or f"p{uuid.uuid4().hex[:20]}"
        made = await create_user(self.realm, OPERATOR, NewAccount(name=slug, password=PASSWORD, **more))
        answer = await self.call("POST", "/v1/auth/login", {"username": slug, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        return Person(made, slug, answer.json()["value"])

    async def org(self, owner: Person, slug: str | None = None) -> str:
        """The name of a new private organisation."""
        new = NewNamespace(slug or f"o{uuid.uuid4().hex[:20]}")
        return (await spaces.create_org(self.realm, OPERATOR, new, owner.id)).name

    async def key(self, owner: str | Person, **more: Any) -> dict[str, Any]:
        """A new key of somebody."""
        answer = await self.call("POST", "/v1/api-keys", {"name": "k", "scopes": ["publish"]} | more, key=owner)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def run(self, statement: str, *values: Any) -> Any:
        """One value of the database."""
        async with self.realm.db.connection() as connection:
            return await connection.fetchval(statement, *values)

    async def is_good(self, secret: str) -> bool:
        """Whether the door still lets a secret in."""
        return (await self.call("GET", "/v1/me", key=secret)).status_code == 200


async def forget_everybody(database_url: str) -> None:
    """There never was an account."""
    connection = await asyncpg.connect(database_url)
    tables = "accounts, namespaces, repositories, signing_keys, audit_events, audit_seals"
    await connection.execute(f"TRUNCATE {tables} CASCADE")
    await connection.execute("UPDATE instance SET has_accounts = false")
    await connection.close()


@asynccontextmanager
async def town_of(environ: dict[str, str], **settings: str) -> AsyncIterator[Town]:
    """A registry without accounts."""
    found = load(environ | settings)
    await forget_everybody(environ["DATABASE_URL"])
    try:
        async with running(found) as app:
            yield Town(app, app)
    finally:
        await forget_everybody(environ["DATABASE_URL"])
