"""Logins of the site and the command line: a session, and a renewal that is good once.

A renewal that is used twice was stolen, or its new pair was: the whole family ends, whoever has it.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from registry.audit.model import By, Event
from registry.audit.record import record
from registry.auth import accounts, sql_accounts, sql_credentials
from registry.auth.accounts import changing
from registry.auth.realm import Realm
from registry.auth.secrets import hint, mint, parse
from registry.auth.sql_accounts import Account
from registry.auth.sql_credentials import Credential, Login, NewCredential
from registry.core.errors import Denied, InvalidCredentials, NotFound

SESSION: Final = timedelta(days=7)
RENEWAL: Final = timedelta(days=30)
OVERLAP: Final = timedelta(minutes=1)
MOST: Final = 100
_NOBODY: Final = 0  # an id that no account has


@dataclass(frozen=True, slots=True)
class Pair:
    """What a login is known by: `session` with every request, `renewal` once, for the next pair."""

    account: Account
    session: str
    session_id: int
    session_expires_at: datetime
    renewal: str
    renewal_expires_at: datetime


async def login(realm: Realm, by: By, name: str, password: str, client: str = "") -> Pair:
    """Let a person in by name or confirmed address; an unknown one takes as long. `client` is how they will know it.

    Raises:
        Denied: the account is suspended; told only to who knows its password.
        InvalidCredentials: there is no such account, or it has another password.
        TooManyRequests: too many passwords are being checked.
    """
    async with realm.db.connection() as connection:
        found = await _named(connection, accounts.storable(name).lower())
        stored = await sql_credentials.password_of(connection, found.id if found is not None else _NOBODY)
    if not await realm.passwords.verify(stored[1] if stored else None, password) or stored is None or found is None:
        raise InvalidCredentials("There is no account of this name with this password.")
    async with realm.db.transaction() as connection:
        account = await sql_accounts.lock(connection, found.id)
        current = await sql_credentials.password_of(connection, found.id)
        if account is None or current is None or current[0] != stored[0]:
            raise InvalidCredentials("There is no account of this name with this password.")
        if account.state != "active":
            raise Denied(f"The account {account.name} is suspended: ask an administrator of the registry.")
        pair, _ = await _open(connection, realm, account, uuid4(), client)
        await _note(connection, by, account, pair.session_id, "session.opened")
    return pair


async def refresh(realm: Realm, by: By, renewal: str) -> Pair:
    """The next pair of a login; its former session stays good for a minute, for requests on their way.

    Raises:
        InvalidCredentials: the renewal is not good; when it was used before, the login has ended with this.
    """
    found = await _find(realm, renewal)
    async with changing(realm, found.account) as connection:
        account = await sql_accounts.lock(connection, found.account)
        token = await sql_credentials.lock(connection, found.id)
        pair = await _renew(connection, realm, by, account, token)
    if pair is None:
        raise InvalidCredentials("This login was renewed from somewhere else too and has ended: log in again.")
    return pair


async def logout(realm: Realm, by: By) -> None:
    """End the login that the caller came with.

    Raises:
        NotFound: it did not come with one.
    """
    if by.account is None or by.credential is None:
        raise NotFound("There is no login to end.")
    await revoke(realm, by, by.credential)


async def page(realm: Realm, by: By) -> list[Login]:
    """The caller's own logins, the newest first; at most 100."""
    if by.account is None:
        return []
    async with realm.db.connection() as connection:
        return await sql_credentials.logins(connection, by.account, realm.clock(), by.credential, MOST)


async def revoke(realm: Realm, by: By, login: int) -> None:
    """End one of the caller's own logins, by the id of any of its credentials.

    Raises:
        NotFound: the caller has no such login.
    """
    if by.account is None:
        raise NotFound("There is no such login.")
    async with changing(realm, by.account) as connection:
        account = accounts.there(await sql_accounts.lock(connection, by.account))
        found = await sql_credentials.lock(connection, login)
        if found is None or found.account != account.id or found.family is None or found.revoked_at is not None:
            raise NotFound("There is no such login.")
        await sql_credentials.revoke_family(connection, found.family, realm.clock())
        await record(connection, by, Event("session.ended", account.name, detail={"id": login}))


async def _named(connection: Any, name: str) -> Account | None:
    """The account of a name or of an address that it has proved."""
    if "@" not in name:
        return await sql_accounts.select_named(connection, name)
    found = await sql_accounts.select_addressed(connection, name, 1)
    return next((one for one in found if one.email_verified_at is not None), None)


async def _find(realm: Realm, renewal: str) -> Credential:
    refusal = InvalidCredentials("This login cannot be renewed any more: log in again.")
    if parse(renewal) != "renew":
        raise refusal
    async with realm.db.connection() as connection:
        found = await sql_credentials.by_hash(connection, realm.secrets.candidates(renewal))
    if found is None or found.kind != "renewal":
        raise refusal
    return found


async def _renew(
    connection: Any, realm: Realm, by: By, account: Account | None, token: Credential | None
) -> Pair | None:
    """The next pair; None when the token was used before, and its family is ended in this transaction."""
    now = realm.clock()
    if account is None or account.state != "active" or token is None or token.family is None or not token.is_live(now):
        raise InvalidCredentials("This login cannot be renewed any more: log in again.")
    if token.replaced_by is not None:
        await sql_credentials.revoke_family(connection, token.family, now)
        await _note(connection, by, account, token.id, "session.renewal-reused")
        return None
    await sql_credentials.end_sessions(connection, token.family, now + OVERLAP)
    pair, made = await _open(connection, realm, account, token.family, token.name)
    await sql_credentials.replace(connection, token.id, made, now + RENEWAL)
    await _note(connection, by, account, pair.session_id, "session.renewed")
    return pair


async def _open(connection: Any, realm: Realm, account: Account, family: UUID, client: str) -> tuple[Pair, int]:
    """A new pair of a family, and the id of its renewal."""
    now, session, renewal = realm.clock(), mint("session"), mint("renew")
    like = NewCredential(
        account=account.id,
        kind="session",
        name=accounts.one_line(client),
        hint=hint(session),
        hashed=realm.secrets.hash(session),
        family=family,
        created_by=account.id,
        created_at=now,
        expires_at=now + SESSION,
    )
    session_id = await sql_credentials.insert(connection, like)
    next_one = replace(
        like, kind="renewal", hint=hint(renewal), hashed=realm.secrets.hash(renewal), expires_at=now + RENEWAL
    )
    made = await sql_credentials.insert(connection, next_one)
    return Pair(account, session, session_id, now + SESSION, renewal, now + RENEWAL), made


async def _note(connection: Any, by: By, account: Account, credential: int, action: str) -> None:
    """An audit row of somebody who was not known before."""
    who = replace(by, account=account.id, name=account.name, credential=credential)
    await record(connection, who, Event(action, account.name))
