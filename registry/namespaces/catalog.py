"""Which repositories there are."""

from registry.core.errors import NameUnknown
from registry.infra.db.pool import Database
from registry.namespaces import sql


async def list_names(db: Database, last: str, limit: int) -> tuple[list[str], bool]:
    """At most `limit` names after `last`, and whether more follow."""
    async with db.connection() as connection:
        names = await sql.names_after(connection, last, limit + 1)
    return names[:limit], len(names) > limit


async def require(db: Database, name: str) -> None:
    """Nothing, when the repository exists.

    Raises:
        NameUnknown: it does not.
    """
    async with db.connection() as connection:
        if not await sql.exists(connection, name):
            raise NameUnknown(f"The repository {name} does not exist.", detail={"name": name})
