"""Accounts and credentials for tests of who is who."""

import base64
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from registry.auth.realm import Realm
from registry.auth.secrets import hint, mint

NOW = datetime(2030, 1, 1, tzinfo=UTC)
HOME = "192.0.2.7"
KINDS = {"key": "key", "robot": "key", "session": "session", "refresh": "refresh", "renew": "renewal"}


def basic(name: str, password: str) -> list[bytes]:
    """The value of Authorization for a user name and a password."""
    return [b"Basic " + base64.b64encode(f"{name}:{password}".encode())]


def bearer(text: str) -> list[bytes]:
    """The value of Authorization for a token or a key."""
    return [f"Bearer {text}".encode()]


@dataclass
class Clock:
    """A clock that tests move."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


@dataclass
class People:
    """Puts accounts and credentials into the database, and tells the counters nothing."""

    realm: Realm

    async def run(self, statement: str, *values: Any) -> Any:
        async with self.realm.db.connection() as connection:
            return await connection.fetchval(statement, *values)

    async def account(self, kind: str = "user", **columns: Any) -> tuple[int, str]:
        """A new account: its id and name."""
        slug = f"a{uuid.uuid4().hex[:20]}"
        home = await self.run("INSERT INTO namespaces (kind, slug) VALUES ('user', $1) RETURNING id", slug)
        name = slug if kind == "user" else f"{slug}+ci"
        account = await self.run(
            "INSERT INTO accounts (kind, name, namespace) VALUES ($1, $2, $3) RETURNING id", kind, name, home
        )
        await self.change("accounts", account, **columns)
        return account, name

    async def secret(self, account: int, kind: str = "key", **columns: Any) -> tuple[int, str]:
        """A new key, session …: its row and its text."""
        text = mint(kind)
        pepper, digest = self.realm.secrets.hash(text)
        credential = await self.run(
            "INSERT INTO credentials (account, kind, hint, hash, pepper_id) VALUES ($1, $2, $3, $4, $5) RETURNING id",
            account,
            KINDS[kind],
            hint(text),
            digest,
            pepper,
        )
        await self.change("credentials", credential, **columns)
        return credential, text

    async def password(self, account: int, password: str) -> int:
        """A password: its row."""
        stored = await self.realm.passwords.hash(password)
        found: int = await self.run(
            "INSERT INTO credentials (account, kind, password) VALUES ($1, 'password', $2) RETURNING id",
            account,
            stored,
        )
        return found

    async def change(self, table: str, row: int, **columns: Any) -> None:
        """Set columns of a row."""
        for column, value in columns.items():
            await self.run(f"UPDATE {table} SET {column} = $2 WHERE id = $1", row, value)
