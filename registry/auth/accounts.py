"""Accounts: people, and robots, which belong to a namespace."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import asyncpg

from registry.audit.model import By, Event
from registry.audit.record import record
from registry.auth import letters, sql_accounts, sql_credentials
from registry.auth.realm import Realm, account_slot
from registry.auth.sql_accounts import Account
from registry.auth.sql_credentials import NewCredential
from registry.core.errors import Conflict, InvalidCredentials, NotFound, Unprocessable
from registry.core.mail_addresses import is_address

PAGE: Final = 100
_DISPLAY_NAME: Final = 100


@dataclass(frozen=True, slots=True)
class NewUser:
    """A person to be. Whoever makes the account makes its namespace first, and names it here.

    Attributes:
        name: checked already, and the slug of the namespace.
        password_hash: as `Passwords.hash` answers it; None: no password until a reset.
    """

    name: str
    email: str | None
    password_hash: str | None
    namespace: int | None = None
    is_administrator: bool = False
    must_change_password: bool = False


async def add_user(connection: Any, realm: Realm, by: By, new: NewUser) -> int:
    """The id of a new person, made in the caller's transaction. The address counts as theirs once they prove it.

    Raises:
        Conflict: there is an account of this name.
        Unprocessable: the address is none.
    """
    account = _new(realm, "user", new.name, new.namespace)
    account = replace(
        account,
        email=checked_email(new.email) if new.email is not None else None,
        is_administrator=new.is_administrator,
        must_change_password=new.must_change_password,
    )
    made = await _insert(connection, by, account)
    if new.password_hash is not None:
        await set_password_row(connection, realm, made, new.password_hash)
    return made


async def add_robot(connection: Any, realm: Realm, by: By, name: str, namespace: int) -> int:
    """The id of a new robot of a namespace, made in the caller's transaction; `name` is `<slug>+<name>`.

    Raises:
        Conflict: there is an account of this name.
    """
    return await _insert(connection, by, _new(realm, "robot", name, namespace))


async def find(realm: Realm, account: int) -> Account:
    """An account that is not deleted.

    Raises:
        NotFound: there is none.
    """
    async with realm.db.connection() as connection:
        return there(await sql_accounts.select(connection, account))


async def find_named(realm: Realm, name: str) -> Account:
    """The account of this name.

    Raises:
        NotFound: there is none.
    """
    async with realm.db.connection() as connection:
        return there(await sql_accounts.select_named(connection, storable(name)))


async def page(realm: Realm, after: int = 0, count: int = PAGE, kind: str | None = None) -> list[Account]:
    """Accounts, or those of a kind, by id, from the one after `after`; at most `count`, and at most 100."""
    async with realm.db.connection() as connection:
        return await sql_accounts.page(connection, after, min(count, PAGE), kind)


async def change_display_name(realm: Realm, by: By, account: int, display_name: str) -> None:
    """Give an account another name to be shown; empty takes it away.

    Raises:
        NotFound, Unprocessable: there is no such account; it is long or cannot be shown.
    """
    check_display_name(display_name)
    async with changing(realm, account) as connection:
        found = there(await sql_accounts.lock(connection, account))
        await sql_accounts.save(connection, replace(found, display_name=display_name))
        await record(connection, by, Event("account.changed", found.name, detail={"display_name": display_name}))


def check_display_name(text: str) -> None:
    """Nothing, when an account may be shown by this name.

    Raises:
        Unprocessable: it is long or cannot be shown.
    """
    if len(text) > _DISPLAY_NAME or not text.isprintable():
        raise Unprocessable(f"A display name is one line of at most {_DISPLAY_NAME} characters.")


async def change_email(realm: Realm, by: By, account: int, password: str, email: str) -> None:
    """Give a person another address, unproved; the password is asked for, as mail to the address can reset it.

    Codes that were sent to the former address are void, and a note goes there. The caller asks for a code for the new
    one (`codes.ask_verification`).

    Raises:
        InvalidCredentials, NotFound, Unprocessable: the password is wrong; no such account; no such address.
    """
    address = checked_email(email)
    stored = await check_password(realm, account, password)
    async with changing(realm, account) as connection:
        found = there(await sql_accounts.lock(connection, account))
        await still_has(connection, account, stored)
        await sql_accounts.save(connection, replace(found, email=address, email_verified_at=None))
        await sql_credentials.revoke_kinds(connection, account, ("verification", "reset"), realm.clock())
        await record(connection, by, Event("account.email-changed", found.name))
    if realm.mail is not None and found.email is not None and found.email_verified_at is not None:
        realm.mail.post(letters.address_changed(found.email, found.name, realm.public_url))


async def set_administrator(realm: Realm, by: By, account: int, *, is_administrator: bool) -> None:
    """Make a person an administrator of the registry, or make them none.

    Raises:
        Conflict: it is the last one, or a robot.
        NotFound: there is no such account.
    """
    async with changing(realm, account) as connection:
        found = await _lock_staying(connection, account, stays=is_administrator)
        if found.kind != "user":
            raise Conflict(f"{found.name} is a robot: only a person can be an administrator.")
        await sql_accounts.save(connection, replace(found, is_administrator=is_administrator))
        action = "account.made-administrator" if is_administrator else "account.unmade-administrator"
        await record(connection, by, Event(action, found.name))


async def suspend(realm: Realm, by: By, account: int) -> None:
    """Deny an account everything from the next request on, until it is resumed; nothing of it is lost.

    Raises:
        Conflict: it is the last administrator.
        NotFound: there is no such account.
    """
    async with changing(realm, account) as connection:
        found = await _lock_staying(connection, account, stays=False)
        await sql_accounts.save(connection, replace(found, state="suspended"))
        await record(connection, by, Event("account.suspended", found.name))


async def resume(realm: Realm, by: By, account: int) -> None:
    """Let a suspended account in again.

    Raises:
        NotFound: there is no such account.
    """
    async with changing(realm, account) as connection:
        found = there(await sql_accounts.lock(connection, account))
        await sql_accounts.save(connection, replace(found, state="active"))
        await record(connection, by, Event("account.resumed", found.name))


async def delete(realm: Realm, by: By, account: int) -> None:
    """Delete an account; see `remove`."""
    async with changing(realm, account) as connection:
        await remove(connection, realm, by, account)


async def remove(connection: Any, realm: Realm, by: By, account: int) -> None:
    """Delete an account in the caller's transaction, which `changing` announces.

    Its credentials end, its address is free, its row and its name stay. Memberships and its namespace are the caller's.

    Raises:
        Conflict: it is the last administrator.
        NotFound: there is no such account.
    """
    found = await _lock_staying(connection, account, stays=False)
    gone = replace(found, state="deleted", display_name="", email=None, email_verified_at=None, is_administrator=False)
    await sql_accounts.save(connection, gone)
    await sql_credentials.revoke_all(connection, account, realm.clock())
    await record(connection, by, Event("account.deleted", found.name))


@asynccontextmanager
async def changing(realm: Realm, *accounts: int) -> AsyncIterator[Any]:
    """A transaction that changes what these accounts are or are known by, announced to every process."""
    slots = tuple(account_slot(account) for account in accounts)
    async with realm.changes.around(slots), realm.db.transaction() as connection:
        yield connection


def there(account: Account | None) -> Account:
    """The account.

    Raises:
        NotFound: it is None.
    """
    if account is None:
        raise NotFound("There is no such account.")
    return account


def storable(name: str) -> str:
    """A name to look for: one that no account can have is looked for as the empty one, which none has."""
    return name if name.isascii() and name.isprintable() else ""


def one_line(text: str) -> str:
    """What a program says of itself, as it is kept: what cannot be shown, or is over 100 characters, is left out."""
    return "".join(filter(str.isprintable, text))[:_DISPLAY_NAME]


def checked_email(text: str) -> str:
    """The address as it is kept.

    Raises:
        Unprocessable: it is none.
    """
    if not is_address(text):
        raise Unprocessable(
            "This is not an e-mail address that mail can be sent to: write one such as ann@example.org."
        )
    local, _, domain = text.rpartition("@")
    return f"{local}@{domain.lower()}"


async def set_password_row(connection: Any, realm: Realm, account: int, password_hash: str) -> int:
    """The id of an account's new password; the former one, if any, was revoked in this transaction."""
    new = NewCredential(account=account, kind="password", password=password_hash, created_at=realm.clock())
    return await sql_credentials.insert(connection, new)


def _new(realm: Realm, kind: str, name: str, namespace: int | None) -> Account:
    if namespace is None:
        raise ValueError("the namespace comes first")
    return Account(
        id=0,
        kind=kind,
        name=name,
        display_name="",
        email=None,
        email_verified_at=None,
        is_administrator=False,
        must_change_password=False,
        state="active",
        namespace=namespace,
        created_at=realm.clock(),
    )


async def _insert(connection: Any, by: By, account: Account) -> int:
    try:
        made = await sql_accounts.insert(connection, account, by.account)
    except asyncpg.UniqueViolationError as error:
        raise Conflict(f"There is an account {account.name} already: choose another name.") from error
    event = Event("account.created", account.name, account.namespace, {"kind": account.kind})
    await record(connection, by, event)
    return made


async def _lock_staying(connection: Any, account: int, *, stays: bool) -> Account:
    """The account, locked; when it is the last active administrator it must stay one."""
    rows = await sql_accounts.lock_with_administrators(connection, account)
    found = there(next((row for row in rows if row.id == account), None))
    others = any(row.is_administrator and row.state == "active" for row in rows if row.id != account)
    if found.is_administrator and found.state == "active" and not stays and not others:
        raise Conflict(f"{found.name} is the last administrator of this registry: make another one first.")
    return found


async def check_password(realm: Realm, account: int, password: str) -> int:
    """The id of the account's password, if this is it.

    Raises:
        InvalidCredentials: it is not.
    """
    async with realm.db.connection() as connection:
        stored = await sql_credentials.password_of(connection, account)
    if not await realm.passwords.verify(stored[1] if stored else None, password) or stored is None:
        raise InvalidCredentials("The password of the account is another one.")
    return stored[0]


async def still_has(connection: Any, account: int, password: int) -> None:
    """Hold an account that is locked to the password that was checked before.

    Raises:
        Conflict: it has another one by now.
    """
    stored = await sql_credentials.password_of(connection, account)
    if stored is None or stored[0] != password:
        raise Conflict("The password was changed meanwhile: try again with the new one.")
