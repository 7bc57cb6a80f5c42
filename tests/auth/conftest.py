"""A realm on an empty directory, with people to identify."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from registry.auth import signing, sql
from registry.auth.identify import Identifier
from registry.auth.passwords import Passwords
from registry.auth.realm import Realm
from registry.auth.secrets import Secrets
from registry.auth.signing import KeyRing
from registry.infra.changes import Changes
from registry.infra.db.pool import open_database
from registry.infra.http.counters import Counters
from tests.auth.callers import EXPECTED, recorded
from tests.auth.desk import Desk
from tests.auth.people import Clock, People


@pytest.fixture
def clock() -> Clock:
    """A clock that stands."""
    return Clock()


@pytest.fixture
async def realm(database_url: str, tmp_path: Path, clock: Clock) -> AsyncIterator[Realm]:
    """A realm with shared counters and one signing key."""
    counters = Counters(tmp_path / "counters")
    db = await open_database({"dsn": database_url}, 1, 6, counters.token)
    async with db.connection() as connection:
        await connection.execute("TRUNCATE signing_keys")
    passwords = Passwords()
    found = Realm(db, Changes(db, counters), Secrets.load(tmp_path / "secrets.json"), passwords, None, clock)
    await signing.ensure(found)
    yield found
    async with db.connection() as connection:
        await connection.execute("TRUNCATE signing_keys")
    passwords.close()
    await found.changes.close()
    await db.close()


@pytest.fixture
def people(realm: Realm) -> People:
    """What makes accounts in the realm."""
    return People(realm)


@pytest.fixture
def desk(realm: Realm) -> Desk:
    """What registers people in the realm."""
    return Desk(realm)


@pytest.fixture
def ring(realm: Realm) -> KeyRing:
    return KeyRing(realm)


@pytest.fixture
def identifier(realm: Realm, ring: KeyRing) -> Identifier:
    return Identifier(realm, ring, EXPECTED)


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the statements that look a credential up."""
    seen: list[str] = []
    for name in ("by_id", "by_hash", "by_name", "by_email"):
        recorded(monkeypatch, sql, name, seen)
    return seen
