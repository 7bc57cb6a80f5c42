"""Who a caller is, from its Authorization field: one statement when it is not known, none when it is.

What is remembered holds while the shared counters of the account stand still; failures are never remembered. Without
counters, as with several hosts, only the check of a token's signature is.
"""

import hashlib
import ipaddress
import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, Generic, TypeVar

from registry.auth import sql
from registry.auth.model import ANONYMOUS, NO_LIMITS, Actor, Limits
from registry.auth.presented import WRONG, Presented, present
from registry.auth.realm import Realm, account_slot
from registry.auth.secrets import parse
from registry.auth.signing import KeyRing
from registry.auth.sql import Known
from registry.auth.tokens import Expected, Token, UnknownKey, verify
from registry.core.errors import CredentialExpired, CredentialRevoked, InvalidCredentials, InvalidToken
from registry.core.hosts import is_within
from registry.infra.http.counters import GLOBAL, Stamp

KEPT: Final = 10_000
LONGEST: Final = 300.0
LATE: Final = 3600.0
_SECRETS: Final = {"key": "key", "robot": "key", "session": "session"}
_TOKENS: Final = frozenset({"password", "key", "session", "refresh"})
_NAME: Final = 320
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Identified:
    """A caller, as known until the wall-clock time `until` and while `stamp` holds; without one, just now."""

    actor: Actor
    until: float
    stamp: Stamp | None


class Memory(Generic[V]):
    """The values of the keys that were asked for last: between half of `most` and all of it."""

    def __init__(self, most: int) -> None:
        self._half = max(1, most // 2)
        self._young: dict[bytes, V] = {}
        self._old: dict[bytes, V] = {}

    def get(self, key: bytes) -> V | None:
        """The value of a key."""
        found = self._young.get(key)
        if found is None and (found := self._old.get(key)) is not None:
            self.put(key, found)
        return found

    def put(self, key: bytes, value: V) -> None:
        """Keep a value; the half that was asked for least lately goes when there are too many."""
        if len(self._young) >= self._half:
            self._old, self._young = self._young, {}
        self._young[key] = value

    def __len__(self) -> int:
        return len(self._young.keys() | self._old.keys())


class Identifier:
    """Tells callers by their credentials, for one process. `now` is seconds since the epoch, `address` the caller's."""

    def __init__(self, realm: Realm, ring: KeyRing, expected: Expected) -> None:
        self._realm = realm
        self._ring = ring
        self._expected = expected
        self._counters = realm.changes.counters
        self._key = secrets.token_bytes(32)
        self._callers: Memory[Identified] = Memory(KEPT)
        self._accounts: Memory[int] = Memory(KEPT)
        self._tokens: Memory[Token] = Memory(KEPT)
        self._uses: dict[int, tuple[float, str]] = {}

    def recall(self, values: Sequence[bytes], now: float) -> Identified | None:
        """The caller with these values of Authorization, when it is known and nothing of it has changed."""
        if not values:
            return self._anonymous()
        found = self._callers.get(self._digest(values[0])) if len(values) == 1 else None
        if found is None or found.until <= now or found.stamp is None or self._counters is None:
            return None
        return found if self._counters.holds(found.stamp) else None

    async def identify(self, values: Sequence[bytes], address: str, now: float) -> Identified:
        """The caller with these values of Authorization; without one it is anonymous.

        Raises:
            BadRequest: there are several values.
            InvalidCredentials: the credential is not good, no longer good, or not from this address.
            TooManyRequests: too many passwords are being checked.
        """
        found = self.recall(values, now)
        if found is not None:
            return found
        presented = present(values)
        if presented is None:
            return self._anonymous()
        digest = self._digest(values[0])
        match presented.form:
            case "token":
                found = await self._by_token(presented.text, digest, address, now)
            case "secret":
                found = await self._by_secret(presented, digest, address, now)
            case _:
                found = await self._by_password(presented, address, now)
        if found.stamp is not None:
            self._callers.put(digest, found)
        return found

    async def refresh_holder(self, secret: str, address: str, now: float) -> Identified:
        """The caller with this refresh token, which is good for nothing but new registry tokens.

        Raises:
            InvalidCredentials: it is not good, no longer good, or not from this address.
        """
        if parse(secret) != "refresh":
            raise InvalidCredentials("The refresh token is none that this registry made: log in again.")
        known = await self._find(Presented("secret", secret, None, "refresh"))
        return self._judge(known, "refresh", address, now)

    async def flush_last_use(self) -> None:
        """Write when and from where credentials were used since the last time; what cannot be written waits."""
        uses, self._uses = self._uses, {}
        if not uses:
            return
        rows = [(key, datetime.fromtimestamp(at, UTC), _inet(address)) for key, (at, address) in sorted(uses.items())]
        try:
            await self._realm.db.retry(lambda connection: sql.record_use(connection, rows), single=True)
        except BaseException:
            self._uses = uses | self._uses
            raise

    async def _by_token(self, text: str, digest: bytes, address: str, now: float) -> Identified:
        token = self._tokens.get(digest)
        if token is None or now >= token.expires:
            token = await self._verified(text, now)
            if not token.late:
                self._tokens.put(digest, token)
        if token.account is None or token.credential is None:
            return self._of_nobody(token, now)
        stamp = self._stamp(token.account)
        async with self._realm.db.connection() as connection:
            known = await sql.by_id(connection, token.credential)
        if known is None or known.account != token.account or _principal(known) != token.principal:
            raise InvalidToken("The token is for an account that is not here: log in again.")
        if known.credential_kind not in _TOKENS:
            raise InvalidToken("The token was made with a credential that makes none: log in again.")
        found = self._judge(known, known.credential_kind, address, now)
        actor = replace(found.actor, ceiling=token.ceiling, late=found.actor.late or token.late)
        return self._lasting(Identified(actor, min(found.until, token.expires), None), stamp)

    async def _verified(self, text: str, now: float) -> Token:
        try:
            return verify(text, await self._ring.verifying(now), self._expected, now)
        except UnknownKey:
            await self._ring.look_again(now)
        return verify(text, await self._ring.verifying(now), self._expected, now)

    def _of_nobody(self, token: Token, now: float) -> Identified:
        if token.late:
            raise CredentialExpired("The token has expired: ask /token for another one.")
        actor = replace(ANONYMOUS, ceiling=token.ceiling)
        stamp = self._counters.stamp((GLOBAL,)) if self._counters is not None else None
        return Identified(actor, min(token.expires, now + LONGEST), stamp)

    async def _by_secret(self, presented: Presented, digest: bytes, address: str, now: float) -> Identified:
        kind = _SECRETS.get(presented.kind)
        if kind is None:
            raise InvalidCredentials(f"A secret of the kind {presented.kind} is not one to log in with: send a key.")
        account = self._accounts.get(digest)
        stamp = self._stamp(account) if account is not None else None
        known = await self._find(presented)
        if presented.name is not None and known.name.lower() != presented.name.lower():
            raise InvalidCredentials("The user name is not the one of this key or session.")
        found = self._judge(known, kind, address, now)
        self._accounts.put(digest, known.account)
        return self._lasting(found, stamp if account == known.account else None)

    async def _find(self, presented: Presented) -> Known:
        hashes = self._realm.secrets.candidates(presented.text)
        async with self._realm.db.connection() as connection:
            known = await sql.by_hash(connection, hashes)
        if known is None:
            raise InvalidCredentials("The key or session is not one of this registry, or was deleted: log in again.")
        return known

    async def _by_password(self, presented: Presented, address: str, now: float) -> Identified:
        claimed = await self._claimed(presented.name or "")
        stored = claimed.password if claimed is not None else None
        is_right = await self._realm.passwords.verify(stored, presented.text)
        if claimed is None or not is_right:
            raise InvalidCredentials(WRONG)
        stamp = self._stamp(claimed.account)
        async with self._realm.db.connection() as connection:
            known = await sql.by_id(connection, claimed.credential)  # hashing took long enough for it to change
        if known is None:
            raise InvalidCredentials(WRONG)
        return self._lasting(self._judge(known, "password", address, now), stamp)

    async def _claimed(self, name: str) -> Known | None:
        if len(name) > _NAME or "\0" in name:
            return None
        async with self._realm.db.connection() as connection:
            if "@" in name:
                return await sql.by_email(connection, name)
            return await sql.by_name(connection, name.lower())

    def _judge(self, known: Known, kind: str, address: str, now: float) -> Identified:
        """The caller that a row of this kind is, without a stamp."""
        if known.credential_kind != kind:
            raise InvalidCredentials("The credential is not one to be used in this way: log in again.")
        if known.revoked_at is not None:
            raise CredentialRevoked(f"This {_noun(kind)} of {known.name} was revoked: log in again.")
        if known.state != "active":
            raise CredentialRevoked(f"The account {known.name} is {known.state}: ask an administrator of the registry.")
        expires = known.expires_at.timestamp() if known.expires_at is not None else math.inf
        is_late = expires <= now
        if is_late and not (known.is_replaced and now < expires + LATE):
            raise CredentialExpired(f"This {_noun(kind)} of {known.name} has expired: log in again.")
        if known.addresses is not None and not is_within(address, known.addresses):
            where = address or "an unknown address"
            raise InvalidCredentials(f"This {_noun(kind)} of {known.name} may not be used from {where}.")
        self._uses[known.credential] = (now, address)
        return Identified(_actor(known, is_late=is_late), min(expires, now + LONGEST), None)

    def _lasting(self, found: Identified, stamp: Stamp | None) -> Identified:
        """With the stamp that it holds by; one that is late, or good from some addresses, is told anew each time."""
        is_lasting = not found.actor.late and found.actor.limits.addresses is None
        return replace(found, stamp=stamp) if is_lasting else found

    def _stamp(self, account: int) -> Stamp | None:
        return self._counters.stamp((GLOBAL, account_slot(account))) if self._counters is not None else None

    def _anonymous(self) -> Identified:
        stamp = self._counters.stamp((GLOBAL,)) if self._counters is not None else None
        return Identified(ANONYMOUS, math.inf, stamp)

    def _digest(self, value: bytes) -> bytes:
        return hashlib.blake2b(value, digest_size=16, key=self._key).digest()


def _actor(known: Known, *, is_late: bool) -> Actor:
    return Actor(
        principal=_principal(known),
        account=known.account,
        name=known.name,
        kind=known.kind,
        credential=known.credential,
        is_administrator=known.is_administrator,
        limits=_limits(known),
        late=is_late,
        must_change_password=known.must_change_password,
        key_made_at=known.key_made_at.timestamp() if known.key_made_at is not None else None,
    )


def _limits(known: Known) -> Limits:
    if known.scope is None and known.namespaces is None and known.repositories is None and known.addresses is None:
        return NO_LIMITS
    return Limits(
        scope=known.scope,
        namespaces=frozenset(known.namespaces) if known.namespaces is not None else None,
        repositories=frozenset(known.repositories) if known.repositories is not None else None,
        addresses=tuple(known.addresses) if known.addresses is not None else None,
    )


def _principal(known: Known) -> str:
    return f"{'u' if known.kind == 'user' else 'r'}:{known.account}"


def _noun(kind: str) -> str:
    return {"refresh": "refresh token"}.get(kind, kind)


def _inet(address: str) -> str | None:
    """An address as PostgreSQL keeps it; None for what is none."""
    try:
        return str(ipaddress.ip_address(address.partition("%")[0]))
    except ValueError:
        return None
