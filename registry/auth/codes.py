"""Codes in mail: one proves an address, the other takes the place of a password. Each is good once, for a short time.

A code is bound to the address that it was sent to: once the account has another one, it is void. A reset ends every
login and refresh token and the former password, not API keys: those belong to machines, which would stop, and the mail
says so and names the command that lists them.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import asyncpg

from registry.audit.model import By, Event
from registry.audit.record import record
from registry.auth import accounts, letters, password_changes, sql_accounts, sql_credentials
from registry.auth.passwords import check_new
from registry.auth.realm import Realm
from registry.auth.secrets import hint, mint, parse
from registry.auth.sql_accounts import Account
from registry.auth.sql_credentials import Credential, NewCredential
from registry.core.errors import Conflict, InvalidCredentials, TooManyRequests
from registry.core.mail_addresses import is_address
from registry.infra.mail import Mail

LIVES: Final = {"verification": timedelta(hours=24), "reset": timedelta(hours=1)}
MOST: Final = {"verification": 5, "reset": 3}  # codes made for an account within the life of one
_KINDS: Final = {"verification": "verify", "reset": "reset"}
_ACCOUNTS: Final = 3  # that one unproved address may belong to and be helped


async def ask_verification(realm: Realm, by: By, account: int) -> None:
    """Mail a person a code that proves their address.

    Raises:
        Conflict: there is nothing to prove, or no mail is sent here.
        NotFound: there is no such account.
        TooManyRequests: five were sent within a day.
        Unavailable: the mail server does not take it; the code counts as sent.
    """
    mail = _mail(realm)
    async with realm.db.transaction() as connection:
        found = accounts.there(await sql_accounts.lock(connection, account))
        if found.email is None or found.email_verified_at is not None:
            raise Conflict(f"The account {found.name} has no e-mail address that is still to be confirmed.")
        code = await _make(connection, realm, found, "verification")
        if code is None:
            raise TooManyRequests(
                "Enough codes were sent for this account today: use the last one, or ask again tomorrow.",
                headers={"Retry-After": "86400"},
            )
        await record(connection, by, Event("account.verification-asked", found.name))
    await mail.send(letters.verification(found.email, found.name, code, realm.public_url))


async def verify(realm: Realm, by: By, code: str) -> None:
    """Take the address of the calling account for proved: the code was sent to it.

    Raises:
        Conflict: the address was proved by another account.
        InvalidCredentials: the code is none of this account's, was used, is too old, or went to a former address.
    """
    found = await _find(realm, code, "verification")
    if by.account != found.account:
        raise _refusal()
    async with accounts.changing(realm, found.account) as connection:
        account = await _use_up(connection, realm, found)
        await _prove(connection, realm, account)
        await record(connection, by, Event("account.email-verified", account.name))


def ask_reset(realm: Realm, by: By, whom: str) -> None:
    """Mail a code for a new password to whoever has this address, or name; whether anybody does, nobody learns.

    All of it happens later, so that neither answer nor time tells. The mail goes to the address as the account has it.

    Raises:
        Conflict: no mail is sent here.
        TooManyRequests: too much mail is waiting.
    """
    _mail(realm).later(lambda: send_reset(realm, by, whom))


async def send_reset(realm: Realm, by: By, whom: str) -> None:
    """What `ask_reset` does later; where nobody has proved the address, for three of the accounts that gave it."""
    made = []
    async with realm.db.transaction() as connection:
        address = whom if "@" in whom else await _address_of(connection, whom)
        if not is_address(address):
            return
        found = await sql_accounts.select_addressed(connection, address, _ACCOUNTS)
        helped = found[:1] if found and found[0].email_verified_at is not None else found
        for account in sorted(helped, key=lambda one: one.id):
            locked = await sql_accounts.lock(connection, account.id)
            if locked is None or locked.state != "active" or locked.email != account.email:
                continue
            code = await _make(connection, realm, locked, "reset")
            if code is not None:
                await record(connection, by, Event("account.reset-asked", locked.name))
                made.append(letters.reset(account.email or "", account.name, code, realm.public_url))
    for letter in made:
        await _mail(realm).send(letter)


async def _address_of(connection: Any, name: str) -> str:
    """The address of the account of this name; empty where there is none."""
    found = await sql_accounts.select_named(connection, accounts.storable(name).lower())
    return (found.email if found is not None else None) or ""


async def reset(realm: Realm, by: By, code: str, password: str) -> str:
    """Give the account that a code was sent for another password; answers its name. See above for what else ends.

    Raises:
        InvalidCredentials: the code was never sent, was used, is too old, or went to a former address.
        Unprocessable: this cannot be a password of the account; the code stays good.
    """
    found = await _find(realm, code, "reset")
    async with realm.db.connection() as connection:
        account = await sql_accounts.select(connection, found.account)
    if account is None or not found.is_live(realm.clock()):
        raise _refusal()
    check_new(password, account.name)
    hashed = await realm.passwords.hash(password)
    async with accounts.changing(realm, found.account) as connection:
        account = await _use_up(connection, realm, found)
        await password_changes.put(connection, realm, account, hashed)
        account = replace(account, must_change_password=False)
        if not await sql_accounts.is_proved_by_another(connection, account.email or "", account.id):
            await _prove(connection, realm, account)
        who = replace(by, account=account.id, name=account.name, credential=found.id)
        await record(connection, who, Event("account.password-reset", account.name))
    return account.name


async def _make(connection: Any, realm: Realm, account: Account, kind: str) -> str | None:
    """A new code for the address of a locked account; None when enough were made."""
    now = realm.clock()
    if await sql_credentials.count_since(connection, account.id, kind, now - LIVES[kind]) >= MOST[kind]:
        return None
    code = mint(_KINDS[kind])
    new = NewCredential(
        account=account.id,
        kind=kind,
        created_at=now,
        expires_at=now + LIVES[kind],
        hashed=realm.secrets.hash(code),
        hint=hint(code),
        email=account.email,
    )
    await sql_credentials.insert(connection, new)
    return code


async def _find(realm: Realm, code: str, kind: str) -> Credential:
    if parse(code) != _KINDS[kind]:
        raise _refusal()
    async with realm.db.connection() as connection:
        found = await sql_credentials.by_hash(connection, realm.secrets.candidates(code))
    if found is None or found.kind != kind:
        raise _refusal()
    return found


async def _use_up(connection: Any, realm: Realm, code: Credential) -> Account:
    """The account of a code, locked, whose address is still the one that the code was sent to; the code is used."""
    account = await sql_accounts.lock(connection, code.account)
    if account is None or account.state != "active" or account.email is None or account.email != code.email:
        raise _refusal()
    if not await sql_credentials.use_up(connection, code.id, realm.clock()):
        raise _refusal()
    return account


async def _prove(connection: Any, realm: Realm, account: Account) -> None:
    try:
        await sql_accounts.save(
            connection, replace(account, email_verified_at=account.email_verified_at or realm.clock())
        )
    except asyncpg.UniqueViolationError as error:
        raise Conflict("This e-mail address belongs to another account, which has confirmed it.") from error


def _mail(realm: Realm) -> Mail:
    if realm.mail is None:
        raise Conflict("This registry sends no mail: ask its administrator for help.")
    return realm.mail


def _refusal() -> InvalidCredentials:
    return InvalidCredentials("This code is not good, or not any more: ask for a new one and use it within its time.")
