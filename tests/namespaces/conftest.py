"""A realm without anybody in it, and afterwards again."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from registry.auth.passwords import Passwords
from registry.auth.realm import Realm
from registry.auth.secrets import Secrets
from registry.infra.changes import Changes
from registry.infra.db.pool import Database, open_database
from registry.infra.http.counters import Counters
from tests.namespaces.town import Town

_TABLES = "namespaces, accounts, repositories, blobs, review, outbox, audit_events, audit_seals"


async def _empty(db: Database) -> None:
    async with db.connection() as connection:
        await connection.execute(f"TRUNCATE {_TABLES} RESTART IDENTITY CASCADE")
        await connection.execute("UPDATE instance SET has_accounts = false")


@pytest.fixture
async def realm(database_url: str, tmp_path: Path) -> AsyncIterator[Realm]:
    """A realm with shared counters and a clock that a test may set."""
    counters = Counters(tmp_path / "counters")
    db = await open_database({"dsn": database_url}, 1, 8, counters.token)
    await _empty(db)
    passwords = Passwords()
    secrets = Secrets.load(tmp_path / "secrets.json")
    yield Realm(db, Changes(db, counters), secrets, passwords, None, lambda: datetime.now(UTC))
    passwords.close()
    await _empty(db)
    await db.close()
    counters.close()


@pytest.fixture
async def town(realm: Realm) -> Any:
    """The people of a registry, whose first one, `adam`, administers it."""
    found = Town(realm)
    await found.user("adam")
    return found
