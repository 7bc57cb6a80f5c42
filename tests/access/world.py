"""A closed registry with people, robots and namespaces in it, for tests of who may do what."""

import base64
import itertools
from dataclasses import dataclass, field
from typing import Any

import httpx

from registry.audit.model import By
from registry.auth import keys
from registry.auth.keys import NewKey
from registry.auth.model import NO_LIMITS, Limits
from registry.auth.realm import Realm
from registry.infra.http.boundary import Boundary
from registry.namespaces import accounts, grants, members, spaces
from registry.namespaces.accounts import NewAccount, NewRobot
from registry.namespaces.grants import Target
from registry.namespaces.members import Change
from registry.namespaces.model import ADMINISTRATOR, Policies
from registry.namespaces.spaces import NewNamespace

OPERATOR = By(None, "operator")


def basic(name: str, secret: str) -> str:
    """The value of Authorization for a user name and a password or key."""
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()


@dataclass
class World:
    """Makes who and what a test needs; every name is new."""

    application: Any
    _numbers: Any = field(default_factory=itertools.count)
    administrator: Any = None

    @property
    def realm(self) -> Realm:
        found: Realm = self.application.access().realm
        return found

    async def user(self, name: str | None = None, *, password: str | None = None, administrator: bool = False) -> "One":
        """Somebody with an account, and a key of it."""
        name = name or f"person-{next(self._numbers)}"
        new = NewAccount(name=name, password=password, is_administrator=administrator)
        account = await accounts.create_user(self.realm, OPERATOR, new)
        return One(self, account, name, await self.key(account))

    async def key(self, account: int, limits: Limits = NO_LIMITS) -> str:
        """A key of an account."""
        return (await keys.create(self.realm, OPERATOR, NewKey(account, "test", limits)))[1]

    async def robot(self, namespace: int, role: str | None = None) -> "One":
        """A robot of a namespace, and a key of it."""
        new = NewRobot(namespace, f"ci{next(self._numbers)}", role)
        person = await accounts.create_robot(self.realm, OPERATOR, new, ADMINISTRATOR)
        return One(self, person.id, person.name, await self.key(person.id))

    async def org(self, owner: "One", visibility: str = "private", **policies: Any) -> tuple[int, str]:
        """An organisation: its id, and what the names of its repositories begin with."""
        slug = f"team-{next(self._numbers)}"
        made = await spaces.create_org(self.realm, OPERATOR, NewNamespace(slug), owner.account)
        await spaces.set_visibility(self.realm, OPERATOR, made.id, visibility)
        if policies:
            await spaces.set_policies(self.realm, OPERATOR, made.id, Policies.read(policies))
        return made.id, f"orgs/{slug}"

    async def join(self, namespace: int, one: "One", role: str) -> None:
        """Give a role in a namespace."""
        await members.set_role(self.realm, OPERATOR, Change(namespace, one.account, role), ADMINISTRATOR)

    async def grant(self, namespace: int, repository: int, one: "One", role: str) -> None:
        """Give a role in a repository."""
        target = Target(namespace, repository=repository, account=one.account)
        await grants.give(self.realm, OPERATOR, target, role, ADMINISTRATOR)

    async def fetch(self, statement: str, *values: Any) -> Any:
        """One value of the database."""
        async with self.realm.db.connection() as connection:
            return await connection.fetchval(statement, *values)

    def client(self, authorization: str | None = None, address: str = "127.0.0.1") -> httpx.AsyncClient:
        """A client that sends this, or nothing, from there."""
        transport = httpx.ASGITransport(Boundary(self.application), raise_app_exceptions=False, client=(address, 1))
        headers = {"Authorization": authorization} if authorization is not None else {}
        return httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers)


@dataclass
class One:
    """Somebody with a credential."""

    world: World
    account: int
    name: str
    key: str

    def client(self, address: str = "127.0.0.1") -> httpx.AsyncClient:
        """A client with Basic and the key."""
        return self.world.client(basic(self.name, self.key), address)

    async def token(self, *scopes: str) -> str:
        """A registry token."""
        async with self.client() as client:
            answer = await client.get("/token", params={"service": "gati-registry", "scope": list(scopes)})
        assert answer.status_code == 200, answer.text
        found: str = answer.json()["token"]
        return found

    async def with_token(self, *scopes: str) -> httpx.AsyncClient:
        """A client with a registry token."""
        return self.world.client(f"Bearer {await self.token(*scopes)}")
