"""What the operator commands share: settings, plain sentences for what goes wrong, a database to work with."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import asyncpg
import click

from registry.auth.bootstrap import OPERATOR
from registry.auth.realm import Realm
from registry.config import ConfigurationError, Settings, load_environment
from registry.content import repositories
from registry.content.shelf import Shelf
from registry.core.errors import RegistryError
from registry.infra.db import embedded
from registry.infra.db.embedded import EmbeddedError
from registry.infra.db.migrate import migrate, pending
from registry.infra.db.pool import MINIMUM_VERSION, connect_arguments
from registry.infra.db.postgres_directory import Layout
from registry.infra.telemetry import logs
from registry.parts import open_realm, open_shelf

_CONNECT_SECONDS: Final = 10.0
F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


class Refusal(click.ClickException):
    """The command cannot do its work: whole sentences on standard error, exit status 1."""

    def show(self, file: Any = None) -> None:  # noqa: ARG002 - click's signature
        """Print each sentence on a line of its own; commands, which are indented, as they are to be copied."""
        for line in self.message.split("\n"):
            click.echo(line if line.startswith(" ") else f"gati-registry: {line}", err=True)


class Misconfigured(Refusal):
    """The settings cannot hold: exit status 2."""

    exit_code = 2


def config_option(function: F) -> F:
    """Give a command `--config FILE`, which arrives as `config`."""
    option = click.option(
        "--config",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="A TOML file with settings; environment variables win over it.",
    )
    return option(function)


def settings(config: Path | None = None) -> Settings:
    """The settings of this process, logs set up by them.

    Raises:
        Misconfigured: with everything that is wrong.
    """
    try:
        found = load_environment(config)
    except ConfigurationError as error:
        raise Misconfigured("\n".join(error.problems)) from error
    logs.configure(found.log_level, found.log_format)
    return found


def run(action: Coroutine[Any, Any, T], runner: Callable[[Coroutine[Any, Any, T]], T] = asyncio.run) -> T:
    """The answer of `action`.

    Raises:
        Refusal: for whatever can be foreseen to go wrong.
    """
    try:
        return runner(action)
    except (EmbeddedError, RegistryError) as error:
        raise Refusal(str(error)) from error
    except asyncpg.PostgresError as error:
        raise Refusal(f"The database refuses: {error}.") from error
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        raise Refusal(f"{place}{error.strerror or error}.") from error


@asynccontextmanager
async def database(found: Settings, *, create: bool = False) -> AsyncIterator[dict[str, Any]]:
    """How to reach the database: the external one, that of a running `serve`, or one started for the time.

    Raises:
        Refusal: there is no database in the data directory, and `create` is not set.
        EmbeddedError: the embedded server does not start, or a starting `serve` holds the directory.
    """
    if found.database_url is not None:
        yield connect_arguments(found.database_url)
        return
    if not create and not Layout.of(found.data_dir).has_cluster:
        raise Refusal(f"There is no registry in {found.data_dir} yet: gati-registry serve makes it.")
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


@asynccontextmanager
async def connected(arguments: dict[str, Any]) -> AsyncIterator[Any]:
    """One connection outside any pool.

    Raises:
        Refusal: the server does not answer, refuses the credential or a statement, goes away, or is too old.
    """
    try:
        connection = await asyncpg.connect(**arguments, timeout=_CONNECT_SECONDS)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise Refusal(f"The database cannot be reached: {_reason(error)}.") from error
    except ValueError as error:
        raise Refusal("The database cannot be reached: DATABASE_URL is no URL that PostgreSQL understands.") from error
    try:
        if (version := connection.get_server_version().major) < MINIMUM_VERSION:
            raise Refusal(f"The database is PostgreSQL {version}: this registry needs {MINIMUM_VERSION} or newer.")
        yield connection
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise Refusal(f"The database refuses: {error}.") from error
    finally:
        await connection.close()


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and not isinstance(error, TimeoutError):
        return (error.strerror or type(error).__name__).lower()
    if isinstance(error, TimeoutError):
        return f"no answer within {_CONNECT_SECONDS:g} s"
    return str(error) or type(error).__name__


async def bring_up_to_date(arguments: dict[str, Any]) -> list[str]:
    """Apply pending migrations; their names."""
    async with connected(arguments) as connection:
        return await migrate(connection)


async def require_current(arguments: dict[str, Any]) -> None:
    """Nothing, when the schema is of this version.

    Raises:
        Refusal: it is older.
    """
    async with connected(arguments) as connection:
        missing = await pending(connection)
    if missing:
        raise Refusal(f"The database lacks the migrations {', '.join(missing)}: run gati-registry migrate first.")


@asynccontextmanager
async def shelf(found: Settings) -> AsyncIterator[Shelf]:
    """The content of the registry, whether `serve` runs or not."""
    async with database(found) as arguments:
        await require_current(arguments)
        opened = await open_shelf(found)
        try:
            yield opened
        finally:
            await opened.close()


@dataclass(frozen=True, slots=True)
class Household:
    """The registry as whoever runs it acts on it."""

    shelf: Shelf
    realm: Realm

    async def remove_repository(self, name: str) -> None:
        """Delete a repository with what is in it."""
        await repositories.delete(self.shelf, name, OPERATOR)


@asynccontextmanager
async def household(found: Settings) -> AsyncIterator[Household]:
    """Content and accounts, whether `serve` runs or not; mail that was begun is sent before it ends."""
    async with shelf(found) as opened, open_realm(found, opened) as realm:
        yield Household(opened, realm)
        if realm.mail is not None:
            await realm.mail.settled()
