"""Changing a password: a new row, the former one revoked, and with it every session and refresh token."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from registry.audit.model import By, Event
from registry.audit.record import record
from registry.auth import accounts, letters, sql_accounts, sql_credentials
from registry.auth.passwords import check_new
from registry.auth.realm import Realm
from registry.auth.sql_accounts import Account
from registry.core.errors import Unprocessable

_ENDED: Final = ("password", "session", "renewal", "refresh", "reset")


async def change_password(realm: Realm, by: By, account: int, old: str, new: str, initial: Path | None = None) -> None:
    """Give a person another password. Their other logins end, and so do refresh tokens; API keys go on.

    The file `initial` (`bootstrap.initial_password`) goes when what it says is the password that was changed.

    Raises:
        Conflict: somebody else changed it meanwhile.
        InvalidCredentials: `old` is not the password.
        NotFound, Unprocessable: there is no such account; `new` cannot be a password of it.
    """
    found = await accounts.find(realm, account)
    stored = await accounts.check_password(realm, account, old)
    if new == old:
        raise Unprocessable("The new password is the present one: choose another one.")
    check_new(new, found.name)
    hashed = await realm.passwords.hash(new)
    async with accounts.changing(realm, account) as connection:
        found = accounts.there(await sql_accounts.lock(connection, account))
        await accounts.still_has(connection, account, stored)
        await put(connection, realm, found, hashed, await _family(connection, by, account))
        await record(connection, by, Event("account.password-changed", found.name))
    await _forget(initial, old)
    _tell(realm, found)


async def set_password(realm: Realm, by: By, account: int, new: str) -> None:
    """Give a person a password that they must change first, as the operator does who was asked for it.

    Raises:
        NotFound, Unprocessable: there is no such person; `new` cannot be a password of it.
    """
    found = await accounts.find(realm, account)
    if found.kind != "user":
        raise Unprocessable(f"{found.name} is a robot: it has keys and no password.")
    check_new(new, found.name)
    hashed = await realm.passwords.hash(new)
    async with accounts.changing(realm, account) as connection:
        found = accounts.there(await sql_accounts.lock(connection, account))
        await put(connection, realm, found, hashed)
        await sql_accounts.save(connection, replace(found, must_change_password=True))
        await record(connection, by, Event("account.password-set", found.name))
    _tell(realm, found)


async def put(connection: Any, realm: Realm, account: Account, hashed: str, keep: UUID | None = None) -> None:
    """Replace the password of an account that this transaction has locked, and end its logins but `keep`."""
    await sql_credentials.revoke_kinds(connection, account.id, _ENDED, realm.clock(), keep)
    await accounts.set_password_row(connection, realm, account.id, hashed)
    await sql_accounts.save(connection, replace(account, must_change_password=False))


async def _family(connection: Any, by: By, account: int) -> UUID | None:
    """The login that the change comes from."""
    found = await sql_credentials.select(connection, by.credential) if by.credential is not None else None
    return found.family if found is not None and found.account == account else None


async def _forget(initial: Path | None, old: str) -> None:
    if initial is None:
        return

    def unlink() -> None:
        try:
            if initial.read_text(encoding="utf-8").strip() == old:
                initial.unlink()
        except (OSError, ValueError):
            return  # it is another host's, or somebody removed it

    await asyncio.to_thread(unlink)


def _tell(realm: Realm, account: Account) -> None:
    if realm.mail is not None and account.email is not None and account.email_verified_at is not None:
        realm.mail.post(letters.password_changed(account.email, account.name, realm.public_url))
