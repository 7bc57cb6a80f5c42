"""People who were registered in the ordinary way, and what can be seen of what they have."""

import json
import logging
import uuid
from dataclasses import dataclass, replace
from typing import Any

import pytest

from registry.audit.model import By
from registry.auth import accounts, sql_accounts, sql_credentials
from registry.auth.accounts import NewUser
from registry.auth.realm import Realm, account_slot
from registry.auth.sql_accounts import Account
from registry.infra.http.counters import Stamp
from tests.auth.people import HOME

PASSWORD = "canary-Correct-horse-1"
ANOTHER = "canary-Battery-staple-2"
SOMEBODY = By(None, "somebody", None, HOME, "r1")


@dataclass
class Desk:
    """Registers people in a realm, and looks at what became of them."""

    realm: Realm

    async def run(self, statement: str, *values: Any) -> Any:
        """One value of the database."""
        async with self.realm.db.connection() as connection:
            return await connection.fetchval(statement, *values)

    async def person(self, **given: Any) -> int:
        """A new person with `PASSWORD`, in a namespace of their own."""
        slug = f"p{uuid.uuid4().hex[:20]}"
        hashed = given.pop("password_hash", None) or await self.realm.passwords.hash(PASSWORD)
        async with self.realm.db.transaction() as connection:
            home = await connection.fetchval(
                "INSERT INTO namespaces (kind, slug) VALUES ('user', $1) RETURNING id", slug
            )
            new = replace(NewUser(slug, None, hashed, home), **given)
            return await accounts.add_user(connection, self.realm, SOMEBODY, new)

    async def robot(self) -> int:
        """A new robot, in a namespace of its own."""
        slug = f"o{uuid.uuid4().hex[:20]}"
        async with self.realm.db.transaction() as connection:
            home = await connection.fetchval(
                "INSERT INTO namespaces (kind, slug) VALUES ('org', $1) RETURNING id", slug
            )
            return await accounts.add_robot(connection, self.realm, SOMEBODY, f"{slug}+ci", home)

    async def see(self, account: int) -> Account:
        """The account."""
        return await accounts.find(self.realm, account)

    async def by(self, account: int, credential: int | None = None) -> By:
        """The account as one who acts."""
        return By(account, (await self.see(account)).name, credential, HOME, "r1")

    async def is_good(self, secret: str) -> bool:
        """Whether a secret, a password's id apart, lets its account in now."""
        async with self.realm.db.connection() as connection:
            found = await sql_credentials.by_hash(connection, self.realm.secrets.candidates(secret))
            if found is None or not found.is_live(self.realm.clock()) or found.replaced_by is not None:
                return False
            owner = await sql_accounts.select(connection, found.account)
        return owner is not None and owner.state == "active"

    async def has_password(self, account: int, password: str) -> bool:
        """Whether this is the password of the account."""
        async with self.realm.db.connection() as connection:
            stored = await sql_credentials.password_of(connection, account)
        return await self.realm.passwords.verify(stored[1] if stored else None, password)

    async def actions(self, target: int | str) -> list[str]:
        """What the audit log says was done to an account."""
        name = target if isinstance(target, str) else (await self.see(target)).name
        async with self.realm.db.connection() as connection:
            rows = await connection.fetch("SELECT action FROM audit_events WHERE target = $1 ORDER BY id", name)
        return [row["action"] for row in rows]

    def stamp(self, account: int) -> Stamp:
        """What remembered answers about an account hold by."""
        counters = self.realm.changes.counters
        assert counters is not None
        stamp = counters.stamp((account_slot(account),))
        assert stamp is not None
        return stamp

    def holds(self, stamp: Stamp) -> bool:
        """Whether answers that were remembered then are still given."""
        counters = self.realm.changes.counters
        assert counters is not None
        return counters.holds(stamp)

    async def audit(self) -> str:
        """Every audit row, as text."""
        async with self.realm.db.connection() as connection:
            rows = await connection.fetch("SELECT to_jsonb(a)::text FROM audit_events a")
        return json.dumps([row[0] for row in rows])


async def nothing_tells(desk: Desk, capsys: pytest.CaptureFixture[str], caplog: Any, *secrets: str) -> None:
    """Neither the audit log nor what was logged or printed, but by the mail server, has one of the secrets."""
    out = capsys.readouterr()
    logged = "\n".join(logging.Formatter().format(found) for found in caplog.records if found.name != "mail.log")
    for place in (await desk.audit(), out.out, out.err, logged):
        for secret in secrets:
            assert secret not in place
