"""API keys of people and robots: shown once, limited, rotated without downtime, revoked at once."""

from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from registry.audit.model import By, Event
from registry.audit.record import record
from registry.auth import accounts, sql_accounts, sql_credentials
from registry.auth.accounts import changing
from registry.auth.model import NO_LIMITS, Limits
from registry.auth.narrowing import checked, earlier, is_narrower, narrower
from registry.auth.realm import Realm, account_slot
from registry.auth.secrets import hint, mint
from registry.auth.sql_accounts import Account
from registry.auth.sql_credentials import Credential, NewCredential
from registry.core.errors import Conflict, CredentialRevoked, Denied, NotFound, Unprocessable

MOST: Final = 100
PAGE: Final = 100
LIFE: Final = timedelta(days=90)
LONGEST: Final = timedelta(days=3653)
OVERLAP: Final = timedelta(days=30)
_NAME: Final = 100
_WITH_LIMITS: Final = ("key", "refresh")


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key to be. Without `expires_at` a person's ends after 90 days, and a robot's never."""

    account: int
    name: str
    limits: Limits = NO_LIMITS
    expires_at: datetime | None = None


async def create(realm: Realm, by: By, new: NewKey) -> tuple[Credential, str]:
    """A key and its secret, which is kept nowhere. One made with a key is no wider, and is revoked with it.

    Raises:
        Conflict: the account is suspended or has 100 keys.
        Denied: the key would be wider than the one that it is made with.
        NotFound: there is no such account.
        Unprocessable: a name, limit or time that cannot be.
    """
    limits, name, now = checked(new.limits), label(new.name), realm.clock()
    if new.expires_at is not None and not now < new.expires_at <= now + LONGEST:
        raise Unprocessable("A key ends in the future, and within ten years.")
    async with realm.db.transaction() as connection:
        account = accounts.there(await sql_accounts.lock(connection, new.account))
        await _check_room(connection, realm, account)
        maker = await _maker(connection, realm, by)
        default = now + LIFE if account.kind == "user" else None
        if maker is not None:
            narrower(maker.limits, limits)
        ends = earlier(maker.expires_at if maker else None, new.expires_at, default)
        asked = replace(new, name=name, limits=limits, expires_at=ends)
        key, secret = await _keep(connection, realm, by, account, asked, maker.id if maker else None)
        await record(connection, by, Event("key.created", account.name, detail=_shown(key)))
    return key, secret


async def rotate(realm: Realm, by: By, account: int, key: int, overlap: timedelta) -> tuple[Credential, str]:
    """A new key like one of this account, and its secret; the old one ends after `overlap`, at most 30 days.

    The new one lives as long as the old one was made to. Keys that were made with the old one go with the new one.

    Raises:
        Conflict: it was rotated before.
        Denied: it may do more, or is to live longer, than the key that the caller came with.
        NotFound: the account has no such live key.
        Unprocessable: such an overlap cannot be.
    """
    if not timedelta() <= overlap <= OVERLAP:
        raise Unprocessable(f"The old key can stay good for 0 to {OVERLAP.days} days.")
    now = realm.clock()
    async with changing(realm, account) as connection:
        owner = accounts.there(await sql_accounts.lock(connection, account))
        maker = await _maker(connection, realm, by)
        old = await _live(connection, account, key, now, ("key",))
        if old.replaced_by is not None:
            raise Conflict("This key was rotated already: rotate the one that it was rotated to.")
        if maker is not None:
            narrower(maker.limits, old.limits)
        life = now + (old.expires_at - old.created_at) if old.expires_at is not None else None
        ends = earlier(maker.expires_at if maker else None, None, life)
        like = NewKey(account, old.name, old.limits, ends)
        parent = old.parent if maker is None or maker.id == old.id else maker.id
        made, secret = await _keep(connection, realm, by, owner, like, parent)
        await sql_credentials.replace(connection, old.id, made.id, now + overlap)
        await sql_credentials.end_refresh(connection, old.id, now + overlap)
        await sql_credentials.move_keys(connection, old.id, made.id)
        await record(connection, by, Event("key.rotated", owner.name, detail=_shown(made) | {"former": old.id}))
    return made, secret


async def revoke(realm: Realm, by: By, account: int, key: int) -> None:
    """End a key or a refresh token of this account at once, everywhere, with all that was made with it.

    Raises:
        Denied: it may do more than the key that the caller came with.
        NotFound: the account has no such live key.
    """
    now = realm.clock()
    async with AsyncExitStack() as announced, realm.db.transaction() as connection:
        owner = accounts.there(await sql_accounts.lock(connection, account))
        maker = await _maker(connection, realm, by)
        found = await _live(connection, account, key, now, _WITH_LIMITS)
        if maker is not None and not is_narrower(maker.limits, found.limits):
            raise Denied("The key in use may do less than that one: log in, or use a key without limits.")
        ended = {account}
        while more := await sql_credentials.revoke_with_descendants(connection, key, now):
            ended |= more  # until none is left that was made before its maker was revoked
        slots = tuple(account_slot(one) for one in sorted(ended))
        await announced.enter_async_context(realm.changes.around(slots))
        await record(connection, by, Event("key.revoked", owner.name, detail=_shown(found)))


async def page(
    realm: Realm, account: int, after: int = 0, count: int = PAGE, kinds: tuple[str, ...] = _WITH_LIMITS
) -> list[Credential]:
    """The live keys and refresh tokens of an account by id, after the one `after`; at most `count`, at most 100."""
    async with realm.db.connection() as connection:
        return await sql_credentials.page(
            connection, sql_credentials.Wanted(account, kinds, after), realm.clock(), min(count, PAGE)
        )


async def find(realm: Realm, account: int, credential: int) -> Credential:
    """A live credential of this account, of any kind.

    Raises:
        NotFound: it has none of this id.
    """
    async with realm.db.connection() as connection:
        found = await sql_credentials.select(connection, credential)
    if found is None or found.account != account or not found.is_live(realm.clock()):
        raise NotFound("The account has no such credential.")
    return found


def label(name: str) -> str:
    """The name of a key as it is kept.

    Raises:
        Unprocessable: it is empty, long, or cannot be shown.
    """
    if not 1 <= len(name.strip()) <= _NAME or not name.isprintable():
        raise Unprocessable(f"The name of a key is one line of 1 to {_NAME} characters, such as 'laptop'.")
    return name.strip()


async def _check_room(connection: Any, realm: Realm, account: Account) -> None:
    if account.state != "active":
        raise Conflict(f"The account {account.name} is suspended: resume it first.")
    if await sql_credentials.count_keys(connection, account.id, realm.clock()) >= MOST:
        raise Conflict(f"The account {account.name} has {MOST} keys: revoke one first.")


async def _maker(connection: Any, realm: Realm, by: By) -> Credential | None:
    """The key that the caller came with, live and locked; None when it came with something that has no limits."""
    if by.credential is None:
        return None
    found = await sql_credentials.hold(connection, by.credential)
    if found is None or not found.is_live(realm.clock()) or found.account != by.account:
        raise CredentialRevoked("The credential of this request is not good any more.")
    return found if found.kind in _WITH_LIMITS else None


async def _live(connection: Any, account: int, key: int, now: datetime, kinds: tuple[str, ...]) -> Credential:
    found = await sql_credentials.lock(connection, key)
    if found is None or found.account != account or found.kind not in kinds or not found.is_live(now):
        raise NotFound("The account has no such key.")
    return found


async def _keep(
    connection: Any, realm: Realm, by: By, account: Account, new: NewKey, parent: int | None
) -> tuple[Credential, str]:
    secret = mint("robot" if account.kind == "robot" else "key")
    row = NewCredential(
        account=account.id,
        kind="key",
        name=new.name,
        hint=hint(secret),
        hashed=realm.secrets.hash(secret),
        limits=new.limits,
        parent=parent,
        created_by=by.account,
        created_at=realm.clock(),
        expires_at=new.expires_at,
    )
    made = await sql_credentials.select(connection, await sql_credentials.insert(connection, row))
    if made is None:
        raise AssertionError
    return made, secret


def _shown(key: Credential) -> dict[str, Any]:
    """A key in an audit row."""
    limits = key.limits
    return {
        "id": key.id,
        "name": key.name,
        "kind": key.kind,
        "hint": key.hint,
        "scope": limits.scope,
        "namespaces": sorted(limits.namespaces) if limits.namespaces is not None else None,
        "repositories": sorted(limits.repositories) if limits.repositories is not None else None,
        "addresses": limits.addresses,
        "expires_at": key.expires_at.isoformat() if key.expires_at is not None else None,
    }
