"""Searches among what is published."""

from registry.artifacts import versions
from registry.infra.db.pool import Database
from registry.namespaces.catalog import Visible
from registry.search import sql
from registry.search.model import Found, Wish


async def find(db: Database, wish: Wish, seen: Visible | None) -> Found:
    """What is published, is seen (None: everything) and is as wished; nothing in the text is an operator."""
    version = wish.filters.gati_version
    async with db.connection() as connection:
        admitted = None
        if version is not None:
            admitted = [one for one in await sql.ranges(connection) if versions.satisfies(version, one)]
        return await sql.find(connection, wish, admitted, seen)
