"""Connections to PostgreSQL: one pool a process, short transactions, one error when the database is gone."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import asyncpg

from registry.core.errors import Unavailable
from registry.infra.db.connections import Connections

MINIMUM_VERSION: Final = 18
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


def connect_arguments(database_url: str) -> dict[str, Any]:
    """What `asyncpg` needs to reach an external server."""
    return {"dsn": database_url}


class Database:
    """A pool of connections. Every use may raise `Unavailable`, never a driver's error for a lost server.

    Attributes:
        lost: process ids of server processes whose connection broke during a statement: they may still commit it.
    """

    def __init__(self, pool: Connections) -> None:
        self._pool = pool
        self.lost: set[int] = set()

    def connection(self) -> "Use":
        """A connection for single statements, each its own transaction; one that failed is not used again."""
        return Use(self._pool, self.lost)

    @asynccontextmanager
    async def apart(self) -> AsyncIterator[Any]:
        """A connection beside the pool, for one who keeps it; closed at the end."""
        try:
            connection = await self._pool.connect()
        except (*_GONE, OSError, asyncpg.PostgresError) as error:
            raise _unavailable() from error
        try:
            yield connection
        except _GONE as error:
            raise _unavailable() from error
        finally:
            connection.terminate()

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
        """Close every connection; one in use when its statement has ended."""
        with contextlib.suppress(*_GONE):
            await self._pool.close()

    @property
    def sizes(self) -> tuple[int, int]:
        """Connections in use, and open."""
        return self._pool.sizes


class Use:
    """The context of one use of a connection."""

    __slots__ = ("_connection", "_lost", "_pool")

    def __init__(self, pool: Connections, lost: set[int]) -> None:
        self._pool = pool
        self._lost = lost
        self._connection: Any = None

    async def __aenter__(self) -> Any:
        self._connection = self._pool.take()
        if self._connection is None:
            try:
                self._connection = await self._pool.acquire()
            except (*_GONE, OSError) as error:
                raise _unavailable() from error
        if self._lost:  # whose number this connection has is gone
            self._lost.discard(self._connection.get_server_pid())
        return self._connection

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        connection, is_gone = self._connection, isinstance(error, _GONE)
        if is_gone or isinstance(error, asyncio.CancelledError):
            self._lost.add(connection.get_server_pid())
            connection.terminate()
        self._pool.release(connection)
        if is_gone:
            raise _unavailable() from error


def _unavailable() -> Unavailable:
    return Unavailable("The database does not answer; try again shortly.")


def _application(token: str) -> str:
    return f"gati-registry {token}".rstrip()


async def open_database(arguments: dict[str, Any], minimum: int, maximum: int, token: str = "") -> Database:
    """A pool over `arguments` (keywords of `asyncpg.connect`); `token` names this process to others.

    Raises:
        Unavailable: the server does not answer or refuses the credential.
    """

    async def connect() -> Any:
        return await asyncpg.connect(
            **arguments,
            timeout=_CONNECT_SECONDS,
            command_timeout=_COMMAND_SECONDS,
            server_settings={"application_name": _application(token), "timezone": "UTC"},
        )

    pool = Connections(connect, minimum, maximum)
    try:
        await pool.open()
    except (*_GONE, OSError, asyncpg.PostgresError) as error:
        raise Unavailable(f"The database cannot be reached: {type(error).__name__}.") from error
    return Database(pool)
