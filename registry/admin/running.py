"""What the operator commands share: settings, plain sentences for what goes wrong, a database to work with."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg
import click

from registry.app import open_shelf
from registry.config import ConfigurationError, Settings, load_environment
from registry.content.shelf import Shelf
from registry.core.errors import RegistryError
from registry.infra.db import embedded
from registry.infra.db.embedded import EmbeddedError
from registry.infra.db.migrate import migrate, pending
from registry.infra.db.pool import connect_arguments
from registry.infra.telemetry import logs

USAGE: Final = 2


class _Misconfigured(click.ClickException):
    exit_code = USAGE


def settings() -> Settings:
    """The settings of this process; faults end the command with all of them, exit status 2."""
    try:
        found = load_environment()
    except ConfigurationError as error:
        raise _Misconfigured("\n".join(error.problems)) from error
    logs.configure(found.log_level, found.log_format)
    return found


def run(action: Coroutine[Any, Any, None]) -> None:
    """Run a command; what can be foreseen ends it with a sentence, exit status 1."""
    try:
        asyncio.run(action)
    except (EmbeddedError, RegistryError) as error:
        raise click.ClickException(str(error)) from error
    except PermissionError as error:
        raise click.ClickException(f"{error.filename} may not be used: {error.strerror}.") from error


@asynccontextmanager
async def database(found: Settings) -> AsyncIterator[dict[str, Any]]:
    """How to reach the database: the external one, the embedded one of a running `serve`, or one started for the time."""
    if found.database_url is not None:
        yield connect_arguments(found.database_url)
        return
    server = await embedded.attach(found.data_dir)
    if server is not None:
        yield server.connect_arguments()
        return
    with embedded.DirectoryLock(found.data_dir):
        server = await embedded.start(found.data_dir)
        try:
            yield server.connect_arguments()
        finally:
            await embedded.stop(server)


async def connect(arguments: dict[str, Any]) -> Any:
    """One connection.

    Raises:
        EmbeddedError: the server does not answer or refuses.
    """
    try:
        return await asyncpg.connect(**arguments, timeout=10)
    except (OSError, asyncpg.PostgresError, TimeoutError) as error:
        raise EmbeddedError(f"The database cannot be reached: {type(error).__name__}.") from error


async def bring_up_to_date(arguments: dict[str, Any]) -> list[str]:
    """Apply pending migrations; their names."""
    connection = await connect(arguments)
    try:
        return await migrate(connection)
    finally:
        await connection.close()


async def require_current(arguments: dict[str, Any]) -> None:
    """Nothing, when the schema is of this version.

    Raises:
        EmbeddedError: it is older.
    """
    connection = await connect(arguments)
    try:
        missing = await pending(connection)
    finally:
        await connection.close()
    if missing:
        raise EmbeddedError(f"The database lacks {', '.join(missing)}: run gati-registry migrate first.")


@asynccontextmanager
async def shelf(found: Settings) -> AsyncIterator[Shelf]:
    """The content of the registry, whether `serve` runs or not."""
    async with database(found) as arguments:
        await require_current(arguments)
        opened = await open_shelf(found)
        try:
            yield opened
        finally:
            await opened.db.close()
