"""An empty audit log."""

from collections.abc import AsyncIterator

import pytest

from registry.infra.db.pool import Database, connect_arguments, open_database


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    """A database without audit rows."""
    found = await open_database(connect_arguments(database_url), 1, 6)
    async with found.connection() as connection:
        await connection.execute("TRUNCATE audit_events, audit_seals RESTART IDENTITY")
    yield found
    await found.close()
