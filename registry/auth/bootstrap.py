"""The first start of a closed registry: an administrator, whose password is nobody's but that of who runs it."""

import asyncio
import os
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from registry.audit.model import By
from registry.auth import sql_accounts
from registry.auth.accounts import NewUser
from registry.auth.realm import Realm
from registry.core.errors import Unavailable
from registry.infra.http.counters import GLOBAL

NAME: Final = "admin"
OPERATOR: Final = By(None, "operator")
_FILE: Final = "initial-password"


def initial_password(data_dir: Path) -> Path:
    """The file that holds the first password until that is changed; only its owner may read it."""
    return data_dir / _FILE


async def ensure_administrator(
    realm: Realm, data_dir: Path, create: Callable[[Any, Realm, By, NewUser], Awaitable[int]]
) -> str | None:
    """Make the account `admin` where there never was an account; its password, or None when there was one.

    The password is random, lies in a file of mode 0600 before the account is there, and must be changed first. It is
    for a terminal, never for a log. `create` makes namespace and account in the transaction that it is given.

    Raises:
        Unavailable: the file cannot be written; then there is no account either.
    """
    async with realm.changes.around((GLOBAL,)), realm.db.transaction() as connection:
        if not await sql_accounts.alone(connection):
            return None
        password = secrets.token_urlsafe(18)
        hashed = await realm.passwords.hash(password)
        new = NewUser(NAME, None, hashed, is_administrator=True, must_change_password=True)
        await create(connection, realm, OPERATOR, new)
        await asyncio.to_thread(_write, initial_password(data_dir), password)
    return password


def _write(path: Path, password: str) -> None:
    """The file, durable, in place of one that is left of a start that failed."""
    draft = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with suppress(FileNotFoundError):
            draft.unlink()
        number = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(password + "\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise Unavailable(f"{path} cannot be written: {error.strerror}.") from error
