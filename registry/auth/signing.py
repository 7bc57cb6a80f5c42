"""Keys that sign registry tokens: in the database, sealed with the file of secrets, and known to every process.

A new key verifies at once, but signs only when every process has had the time to read it. The key before it verifies
until the last of its tokens can no longer be good.
"""

import asyncio
import hashlib
import math
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from registry.audit import record
from registry.audit.model import By, Event
from registry.auth import sql
from registry.auth.realm import Realm
from registry.auth.secrets import derive
from registry.auth.tokens import LIFETIME, Expected, SigningKey, public_jwk
from registry.core.errors import Unavailable
from registry.infra.http.counters import GLOBAL, Stamp

USE: Final = "registry"
KNOWN_EVERYWHERE: Final = 60.0
_READ_AGAIN: Final = 30.0
_LOOK_AGAIN: Final = 1.0
_OPERATOR: Final = By(None, "registry")
_LAST_TOKEN: Final = timedelta(seconds=LIFETIME + Expected((), "").leeway + Expected((), "").late)


async def ensure(realm: Realm, seed: str | None = None) -> None:
    """Make the first key when there is none: from `seed` (JWT_SECRET), else at random."""
    async with realm.db.connection() as connection:
        if await sql.keys(connection, USE):
            return
    private = Ed25519PrivateKey.generate()
    if seed is not None:
        private = Ed25519PrivateKey.from_private_bytes(derive(seed.encode(), b"gati signing key"))
    async with realm.changes.around((GLOBAL,)), realm.db.transaction() as connection:
        await sql.lock_keys(connection)
        if not await sql.keys(connection, USE):
            await _insert(realm, connection, private, realm.clock())
            await record.record(connection, _OPERATOR, Event("signing-key.created", _kid(private)))


async def rotate(realm: Realm, by: By) -> str:
    """Make a key that takes over the signing in a minute, and answer its name; nobody is logged out."""
    private, now = Ed25519PrivateKey.generate(), realm.clock()
    begins = now + timedelta(seconds=KNOWN_EVERYWHERE)
    async with realm.changes.around((GLOBAL,)), realm.db.transaction() as connection:
        await sql.lock_keys(connection)
        await sql.delete_keys(connection, USE, now)
        await sql.retire_keys(connection, USE, begins + _LAST_TOKEN)
        await _insert(realm, connection, private, begins)
        await record.record(connection, by, Event("signing-key.rotated", _kid(private)))
    return _kid(private)


async def _insert(realm: Realm, connection: Any, private: Ed25519PrivateKey, begins: datetime) -> None:
    kid = _kid(private)
    sealed = realm.secrets.seal(private.private_bytes_raw(), kid.encode())
    key = sql.StoredKey(kid, sealed, public_jwk(private.public_key(), kid), begins, None)
    await sql.insert_key(connection, USE, key)


def _kid(private: Ed25519PrivateKey) -> str:
    digest = hashlib.sha256(private.public_key().public_bytes_raw()).digest()
    return urlsafe_b64encode(digest[:12]).decode()


@dataclass(frozen=True, slots=True)
class _Key:
    signing: SigningKey
    public: Ed25519PublicKey
    begins: float
    ends: float | None


class KeyRing:
    """The registry's signing keys as one process knows them. Times are seconds since the epoch.

    They are read again when a signing key was made on this host, after half a minute, and, at most once a second, when
    a token names one that is not known.
    """

    def __init__(self, realm: Realm) -> None:
        self._realm = realm
        self._keys: list[_Key] = []
        self._stamp: Stamp | None = None
        self._read_at = -math.inf
        self._reading = asyncio.Lock()

    async def verifying(self, now: float) -> dict[str, Ed25519PublicKey]:
        """The public keys that are good now, by name."""
        return {key.signing.kid: key.public for key in await self._current(now) if key.ends is None or now < key.ends}

    async def signing(self, now: float) -> SigningKey:
        """The key to sign with now.

        Raises:
            Unavailable: there is none yet.
        """
        begun = [key for key in await self._current(now) if key.begins <= now] or self._keys
        if not begun:
            raise Unavailable("The registry has no signing key yet: try again shortly.")
        return begun[-1].signing

    async def jwks(self, now: float) -> dict[str, Any]:
        """The public keys as a JWK Set (RFC 7517, section 5)."""
        return {"keys": [public_jwk(public, kid) for kid, public in (await self.verifying(now)).items()]}

    async def look_again(self, now: float) -> None:
        """Read the keys again for one that is not known, unless that was done less than a second ago."""
        async with self._reading:
            if not 0 <= now - self._read_at < _LOOK_AGAIN:
                await self._read(now)

    async def _current(self, now: float) -> list[_Key]:
        if not self._is_fresh(now):
            async with self._reading:
                if not self._is_fresh(now):
                    await self._read(now)
        return self._keys

    def _is_fresh(self, now: float) -> bool:
        counters = self._realm.changes.counters
        if counters is not None and (self._stamp is None or not counters.holds(self._stamp)):
            return False
        return 0 <= now - self._read_at < _READ_AGAIN

    async def _read(self, now: float) -> None:
        counters = self._realm.changes.counters
        stamp = counters.stamp((GLOBAL,)) if counters is not None else None
        async with self._realm.db.connection() as connection:
            rows = await sql.keys(connection, USE)
        self._keys = [self._open(row) for row in rows]
        self._stamp, self._read_at = stamp, now

    def _open(self, row: sql.StoredKey) -> _Key:
        private = Ed25519PrivateKey.from_private_bytes(self._realm.secrets.unseal(row.sealed, row.kid.encode()))
        ends = row.verifies_until.timestamp() if row.verifies_until is not None else None
        return _Key(SigningKey(row.kid, private), private.public_key(), row.signs_from.timestamp(), ends)
