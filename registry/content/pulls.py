"""When manifests were pulled, for those who keep what is in use: noted in memory, written together once a minute."""

import asyncio
import contextlib
import time
from collections.abc import Iterable
from typing import Final

import asyncpg

from registry.content import sql_retention as sql
from registry.core.errors import Unavailable
from registry.infra.db.pool import Database

_MOST: Final = 65_536
_PAUSE: Final = 60.0


class Pulls:
    """Manifests that this process was asked for since the last flush; of more than 65,536 some are not noted."""

    def __init__(self) -> None:
        self._noted: set[tuple[str, str]] = set()
        self._flushed = time.monotonic()
        self._task: asyncio.Task[None] | None = None

    def note(self, name: str, reference: str) -> None:
        """The manifest of this digest or tag is in use."""
        if len(self._noted) < _MOST:
            self._noted.add((name, reference))

    def note_paths(self, paths: Iterable[str]) -> None:
        """The same for paths `/v2/<name>/manifests/<reference>`."""
        for path in paths:
            name, _, reference = path.removeprefix("/v2/").rpartition("/manifests/")
            self.note(name, reference)

    def tick(self, db: Database) -> None:
        """Flush when the last time was a minute ago; to be called in an event loop, every now and then."""
        if time.monotonic() - self._flushed < _PAUSE or (self._task is not None and not self._task.done()):
            return
        self._flushed = time.monotonic()
        if self._noted:
            self._task = asyncio.get_running_loop().create_task(self._try(db))

    async def flush(self, db: Database) -> None:
        """Write what was noted, one statement, where a namespace has a retention policy; forget it elsewhere.

        Raises:
            Unavailable: the database does not answer.
        """
        noted, self._noted = self._noted, set()
        if not noted:
            return
        async with db.connection() as connection:
            if await sql.is_wanted(connection):
                names, references = zip(*sorted(noted), strict=True)
                await sql.note_pulls(connection, list(names), list(references))

    async def _try(self, db: Database) -> None:
        with contextlib.suppress(Unavailable, asyncpg.PostgresError):  # what is pulled is pulled again
            await self.flush(db)

    async def close(self, db: Database) -> None:
        """Write the rest."""
        if self._task is not None:
            await self._task
        await self._try(db)
