"""People, namespaces and repositories of a test, by their names."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from registry.audit.model import By
from registry.auth.realm import Realm
from registry.core.slugs import split
from registry.namespaces import accounts, invitations, spaces, sql_members, sql_spaces
from registry.namespaces.accounts import NewAccount
from registry.namespaces.invitations import Asked
from registry.namespaces.model import ADMINISTRATOR, Namespace, Standing
from registry.namespaces.spaces import NewNamespace


class Town:
    """Makes what a test speaks of, and looks at what has become of it."""

    def __init__(self, realm: Realm) -> None:
        self.realm = realm
        self.ids: dict[str, int] = {}

    def by(self, name: str) -> By:
        """Whose action it is."""
        return By(self.ids[name], name)

    async def user(self, *names: str) -> None:
        """Accounts of these names, without passwords."""
        for name in names:
            self.ids[name] = await accounts.create_user(self.realm, By(None, "operator"), NewAccount(name=name))

    async def org(self, slug: str, owner: str, **roles: str) -> int:
        """An organisation, whose members are there without having been asked."""
        made = await spaces.create_org(self.realm, self.by(owner), NewNamespace(slug), self.ids[owner])
        for name, role in roles.items():
            await self.put(made.id, name, role)
        return made.id

    async def put(self, namespace: int, name: str, role: str) -> None:
        """A member, made by hand."""
        async with self.realm.db.connection() as connection:
            await sql_members.put(connection, namespace, self.ids[name], role, None)

    async def role(self, namespace: int, name: str) -> str | None:
        """The role of a member."""
        async with self.realm.db.connection() as connection:
            return await sql_members.role_of(connection, namespace, self.ids[name])

    async def standing(self, namespace: int, name: str) -> Standing:
        """As a door would hand it in."""
        async with self.realm.db.connection() as connection:
            return Standing(await sql_members.highest_role(connection, namespace, self.ids[name]))

    async def invite(self, namespace: int, inviter: str, name: str, role: str) -> int:
        """An invitation by a member."""
        standing = await self.standing(namespace, inviter)
        return await invitations.invite(self.realm, self.by(inviter), Asked(namespace, self.ids[name], role), standing)

    async def push(self, name: str) -> int:
        """A repository as a push makes it."""
        return int(await self.value("SELECT ensure_repository($1, NULL)", name))

    async def remove_repository(self, name: str) -> None:
        """As content does it: nobody finds it any more."""
        await self.value("UPDATE repositories SET state = 'deleting' WHERE name = $1 AND state = 'live'", name)

    async def found(self, name: str) -> Namespace | None:
        """The namespace that a repository's name leads to."""
        async with self.realm.db.connection() as connection:
            return await sql_spaces.by_slug(connection, *split(name))

    async def value(self, statement: str, *values: Any) -> Any:
        """The first value that a statement answers."""
        async with self.realm.db.connection() as connection:
            return await connection.fetchval(statement, *values)

    def watch(self, *slots: int) -> Callable[[], list[bool]]:
        """A look at which of these slots nothing was announced in since."""
        counters = self.realm.changes.counters
        assert counters is not None
        stamps = [counters.stamp((slot,)) for slot in slots]
        return lambda: [stamp is not None and counters.holds(stamp) for stamp in stamps]

    async def names(self) -> list[str]:
        """The live repositories, by name."""
        return list(
            await self.value("SELECT array_agg(name ORDER BY name) FROM repositories WHERE state = 'live'") or []
        )

    async def actions(self) -> list[str]:
        """What was recorded, in order."""
        return list(await self.value("SELECT array_agg(action ORDER BY id) FROM audit_events") or [])

    async def stuck(self, other: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Begin `other`; return when it waits for a lock, or has ended."""
        task = asyncio.ensure_future(other)
        statement = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        async with asyncio.timeout(30):
            while not task.done() and not await self.value(statement):  # noqa: ASYNC110 - let the other run
                await asyncio.sleep(0)
        return task


BOSS = ADMINISTRATOR
