"""What the worker does about credentials."""

from datetime import datetime, timedelta
from typing import Final

from registry.auth import sql_credentials
from registry.infra.db.pool import Database

KEPT: Final = timedelta(hours=1)
_BATCH: Final = 500


async def expire(db: Database, now: datetime) -> int:
    """Forget codes, sessions and refresh tokens that ended an hour ago; how many. Keys and passwords stay."""
    done = 0
    while True:
        async with db.connection() as connection:
            deleted = await sql_credentials.delete_ended(connection, now - KEPT, _BATCH)
        done += deleted
        if deleted == 0:
            return done
