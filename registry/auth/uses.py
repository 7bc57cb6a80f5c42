"""When and from where credentials were used last: remembered here, written in batches."""

import ipaddress
from datetime import datetime
from typing import Final

from registry.auth import sql_credentials
from registry.infra.db.pool import Database

MOST: Final = 10_000


class Uses:
    """The newest use of each credential since the last `flush`; beyond 10,000 credentials uses are not remembered."""

    def __init__(self) -> None:
        self._noted: dict[int, tuple[datetime, str | None]] = {}

    def note(self, credential: int, at: datetime, address: str) -> None:
        """Remember a use; what is no IP address is not kept."""
        if credential in self._noted or len(self._noted) < MOST:
            self._noted[credential] = (at, address)

    async def flush(self, db: Database) -> int:
        """Write what was noted; how many credentials that was.

        Raises:
            Unavailable: the database does not answer; what was noted is kept.
        """
        noted, self._noted = self._noted, {}
        if not noted:
            return 0
        ids = sorted(noted)
        try:
            async with db.connection() as connection:
                times, addresses = [noted[one][0] for one in ids], [_address(noted[one][1]) for one in ids]
                await sql_credentials.record_uses(connection, ids, times, addresses)
        except BaseException:
            self._noted = noted | self._noted
            raise
        return len(ids)


def _address(text: str | None) -> str | None:
    try:
        return str(ipaddress.ip_address(text or ""))
    except ValueError:
        return None
