"""Which repositories there are."""

from registry.core.errors import NameUnknown
from registry.core.listing import Listing
from registry.infra.db.pool import Database
from registry.namespaces import sql


async def list_names(db: Database, last: str, limit: int) -> Listing:
    """At most `limit` names after `last`."""
    async with db.connection() as connection:
        return await sql.names_after(connection, last, limit)


async def require(db: Database, name: str) -> None:
    """Nothing, when the repository exists.

    Raises:
        NameUnknown: it does not.
    """
    async with db.connection() as connection:
        if not await sql.exists(connection, name):
            raise NameUnknown(f"The repository {name} does not exist.", detail={"name": name})
