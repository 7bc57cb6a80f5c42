"""The embedded database of a registry that was started here."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import asyncpg

from benchmarks.load import Absent
from registry.infra.db import embedded

T = TypeVar("T")


def work(folder: Path, action: Callable[[Any], Awaitable[T]]) -> T:
    """What `action` answers on a connection to the database of this data directory.

    Raises:
        Absent: no database runs there.
    """

    async def connected() -> T:
        server = await embedded.attach(folder)
        if server is None:
            raise Absent(f"no database runs in {folder}")
        connection = await asyncpg.connect(**server.connect_arguments())
        try:
            return await action(connection)
        finally:
            await connection.close()

    return asyncio.run(connected())


def value(folder: Path, statement: str) -> Any:
    """The only value of a statement."""
    return work(folder, lambda connection: connection.fetchval(statement))
