"""The end of an open registry: what is there gets an owner, once and for ever."""

from typing import Any, Final

from registry.core.slugs import skeleton, split
from registry.namespaces import sql_opening as sql
from registry.namespaces.sql_opening import Adopted

_LOOK: Final = "={kind}/{slug}"


async def hold(connection: Any) -> bool:
    """Keep all writers of repositories out until the caller's transaction ends; whether there never was an account.

    First in the transaction. Writers queue for the table, so that many of them do not starve it, and none that began
    before can leave a repository, or a blob in one, that `end` does not see.
    """
    await sql.hold_repositories(connection)
    return not await sql.lock_instance(connection)


async def has_ended(connection: Any) -> bool:
    """Whether there ever was an account: then there is no way back."""
    return await sql.has_accounts(connection)


async def end(connection: Any, account: int) -> int:
    """Make this account, the first, the owner of a namespace for each first component of a name; how many were made.

    After `hold`, in the transaction that makes the account. A namespace that looks like another gets a place of its own
    in the pool of names, so that nothing is lost; what the account's own namespace has the name of goes there.
    """
    names = await sql.names_without_namespace(connection)
    places = sorted({split(name) for name in names})
    made = [place for place in places if await sql.adopt(connection, _adopted(*place), account)]
    await sql.assign(connection)
    await sql.fill_holdings(connection)
    await sql.queue_comparisons(connection)
    await sql.close(connection)
    return len(made)


def _adopted(kind: str, slug: str) -> Adopted:
    return Adopted(kind, slug, skeleton(slug), _LOOK.format(kind=kind, slug=slug))
