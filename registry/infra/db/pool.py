"""Connections to PostgreSQL: one pool a process, short transactions, one error when the database is gone."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import asyncpg

from registry.core.errors import Unavailable

MINIMUM_VERSION: Final = 18
_ACQUIRE_SECONDS: Final = 5.0
_CONNECT_SECONDS: Final = 15.0
_COMMAND_SECONDS: Final = 30.0
_GONE: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.QueryCanceledError,
    asyncpg.DiskFullError,
    ConnectionError,
    FileNotFoundError,
    TimeoutError,
)
_RETRY: Final = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
_ATTEMPTS: Final = 5
T = TypeVar("T")


class _Connection(asyncpg.Connection):  # type: ignore[misc]
    """Sessions carry no state, so giving a connection back costs no round trip."""

    def get_reset_query(self) -> str:
        """Nothing to undo: only SET LOCAL is used."""
        return ""


def connect_arguments(database_url: str) -> dict[str, Any]:
    """What `asyncpg` needs to reach an external server."""
    return {"dsn": database_url}


class Database:
    """A pool of connections. Every use may raise `Unavailable`, never a driver's error for a lost server.

    Attributes:
        lost: process ids of server processes whose connection broke during a statement: they may still commit it.
    """

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self.lost: set[int] = set()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """A connection for single statements, each its own transaction; one that failed is not used again."""
        try:
            async with self._pool.acquire(timeout=_ACQUIRE_SECONDS) as connection:
                try:
                    yield connection
                except (*_GONE, asyncio.CancelledError):
                    self.lost.add(connection.get_server_pid())
                    connection.terminate()
                    raise
        except _GONE as error:
            raise Unavailable("The database does not answer; try again shortly.") from error

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        """A connection inside one READ COMMITTED transaction: leaving commits, raising rolls back."""
        async with self.connection() as connection, connection.transaction():
            yield connection

    async def retry(self, action: Callable[[Any], Awaitable[T]], *, single: bool = False) -> T:
        """`action(connection)` in a transaction, again when PostgreSQL broke a deadlock.

        `single`: it is one statement, which is its own transaction.
        """
        for attempt in range(_ATTEMPTS):
            try:
                async with self.connection() if single else self.transaction() as connection:
                    return await action(connection)
            except _RETRY as error:
                if attempt == _ATTEMPTS - 1:
                    raise Unavailable("Too many changes of the same content at once; try again.") from error
        raise AssertionError

    async def find_lost(self) -> None:
        """Look which of the `lost` are still there, and forget the others."""
        asked = list(self.lost)
        async with self.connection() as connection:
            rows = await connection.fetch("SELECT pid FROM pg_stat_activity WHERE pid = ANY ($1::int[])", asked)
        self.lost.difference_update(set(asked).difference(row["pid"] for row in rows))

    async def has_connections(self, token: str) -> bool:
        """Whether this database still has connections of the process that `open_database` gave this token."""
        async with self.connection() as connection:
            statement = (
                "SELECT EXISTS (SELECT FROM pg_stat_activity "
                "WHERE application_name = $1 AND datname = current_database())"
            )
            return bool(await connection.fetchval(statement, _application(token)))

    async def close(self) -> None:
        """Close every connection, in-flight statements first."""
        try:
            await asyncio.wait_for(self._pool.close(), _ACQUIRE_SECONDS)
        except TimeoutError:
            self._pool.terminate()

    def sizes(self) -> tuple[int, int]:
        """Connections in use, and open."""
        return self._pool.get_size() - self._pool.get_idle_size(), self._pool.get_size()


def _application(token: str) -> str:
    return f"gati-registry {token}".rstrip()


async def open_database(arguments: dict[str, Any], minimum: int, maximum: int, token: str = "") -> Database:
    """A pool over `arguments` (keywords of `asyncpg.connect`); `token` names this process to others.

    Raises:
        Unavailable: the server does not answer or refuses the credential.
    """
    try:
        pool = await asyncpg.create_pool(
            **arguments,
            min_size=minimum,
            max_size=maximum,
            timeout=_CONNECT_SECONDS,
            command_timeout=_COMMAND_SECONDS,
            connection_class=_Connection,
            server_settings={"application_name": _application(token), "timezone": "UTC"},
        )
    except (*_GONE, OSError, asyncpg.PostgresError) as error:
        raise Unavailable(f"The database cannot be reached: {type(error).__name__}.") from error
    return Database(pool)
