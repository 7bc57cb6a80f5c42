"""What those who hold names and roles ask of accounts and do to them, inside their own transactions."""

from collections.abc import Sequence
from typing import Any

import asyncpg

from registry.auth import sql_people as sql
from registry.auth.sql_people import Person
from registry.core.errors import Conflict, NotFound


async def known(connection: Any, accounts: Sequence[int]) -> dict[int, Person]:
    """These accounts by their ids, deleted ones too."""
    return {person.id: person for person in await sql.select(connection, accounts)}


async def find(connection: Any, name: str) -> Person:
    """The account of this name.

    Raises:
        NotFound: there is none.
    """
    found = await sql.named(connection, name)
    if found is None:
        raise _nobody(name)
    return found


async def hold(connection: Any, account: int) -> Person:
    """The account, which is not deleted before this transaction ends.

    Raises:
        NotFound: it is already.
    """
    found = await sql.lock(connection, account)
    if found is None:
        raise _nobody(str(account))
    return found


async def robots(connection: Any, namespace: int) -> list[Person]:
    """The robots of a namespace, by name."""
    return await sql.of_namespace(connection, namespace, "robot")


async def users(connection: Any, namespace: int) -> list[Person]:
    """The user whose own namespace this is, where it is one."""
    return await sql.of_namespace(connection, namespace, "user")


async def rename(connection: Any, namespace: int, old: str, new: str) -> None:
    """The user of a namespace, and its robots, get its new slug.

    Raises:
        Conflict: one of the names is taken.
    """
    try:
        await sql.rename(connection, namespace, old, new)
    except asyncpg.UniqueViolationError as error:
        raise Conflict(f"A robot or a user of {new} has the name already: choose another one.") from error


def _nobody(name: str) -> NotFound:
    return NotFound(f"There is no account {name[:100]}: write its name as `gati account` shows it.")
