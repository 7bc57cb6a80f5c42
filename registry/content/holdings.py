"""What a namespace holds: the bytes of its distinct digests, counted on a ledger that only grows and is folded.

A digest that is new in a namespace is counted in by the action that brings it (`hold` of migrations/); one that may
have gone is looked at by the sweep, which counts it out.
"""

from typing import Any, Final

from registry.content import sql_holdings as sql
from registry.content.refusals import over_quota
from registry.content.shelf import Shelf
from registry.content.sql_sweep import Review
from registry.content.terms import Terms
from registry.core.digest import Digest

_BATCH: Final = 5_000
_NAMESPACES: Final = 100


async def used(connection: Any, namespace: int) -> int:
    """The bytes that a namespace holds."""
    return await sql.used(connection, namespace)


async def check_room(shelf: Shelf, name: str, digest: Digest, size: int, terms: Terms) -> None:
    """Nothing, when the namespace of `name` has room for `size` more bytes, or holds the digest already.

    Raises:
        QuotaExceeded: it has not.
    """
    if terms.quota is None:
        return
    async with shelf.db.connection() as connection:
        found = await sql.used_beside(connection, name, str(digest))
    if found is not None and found + size > terms.quota:
        raise over_quota(name, found, terms.quota)


async def look(connection: Any, review: Review) -> bool:
    """Let go of a digest that the namespace does not have any more. The empty digest: compare everything."""
    if review.key:
        await sql.lock(connection, review.repo, review.key)
        await sql.delete_if_free(connection, review.repo, review.key)
        return True
    if await sql.add_missing(connection, review.repo, _BATCH) == _BATCH:
        return False
    await sql.queue_unheld(connection, review.repo)
    return True


async def fold(shelf: Shelf) -> None:
    """Fold the ledgers that have grown, unless another process does: pushes do not wait for it, nor it for them."""
    async with shelf.db.transaction() as connection:
        if not await sql.lock_folding(connection):
            return
        for namespace in await sql.loose(connection, _NAMESPACES):
            await sql.fold(connection, namespace)
