"""Namespaces and accounts are deleted: at once for all who ask, then piece by piece; nobody gets the name."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

from registry.audit.model import By, Event
from registry.audit.record import record
from registry.auth import accounts, people
from registry.auth.realm import Realm, account_slot
from registry.core.errors import Conflict, NameUnknown, Unprocessable
from registry.infra.http.counters import CATALOG, GLOBAL
from registry.namespaces import (
    members,
    spaces,
    sql_grants,
    sql_invitations,
    sql_members,
    sql_names,
    sql_spaces,
    sql_teams,
)
from registry.namespaces.model import Namespace

RemoveRepository = Callable[[str], Awaitable[None]]
_BATCH: Final = 100
_SHOWN: Final = 5


async def delete(realm: Realm, by: By, namespace: int, remove_repository: RemoveRepository) -> None:
    """Delete a namespace with all that is in it. What a crash leaves, `resume` ends.

    Raises:
        NameUnknown: there is no such namespace.
        Unprocessable: it is a user's own, which goes with the account.
    """
    async with spaces.changing(realm, namespace, GLOBAL) as (connection, found):
        if found.kind == "user":
            raise Unprocessable(f"{found.name} is an account's own: delete the account.")
        await _begin(connection, realm, by, found)
    await finish(realm, namespace, remove_repository)


async def delete_user(realm: Realm, by: By, account: int, remove_repository: RemoveRepository) -> None:
    """Delete a person's account with the namespace that is its own. What a crash leaves, `resume` ends.

    Raises:
        Conflict: it is the last administrator, or the last owner of another namespace, which the message names.
        NotFound: there is no such person.
    """
    async with realm.db.connection() as connection:
        person = await people.hold(connection, account)
    if person.kind != "user":
        raise Unprocessable(f"{person.name} is a robot: delete it where it belongs.")

    async def begin(connection: Any) -> None:
        places = await sql_members.namespaces_of(connection, account)
        found = [space for place in places if (space := await sql_spaces.lock(connection, place)) is not None]
        await _check_owned(connection, found, person.namespace, account)
        for space in found:
            if space.id != person.namespace:
                await members.drop(connection, space.id, account)
        own = spaces.there(next((space for space in found if space.id == person.namespace), None))
        await _begin(connection, realm, by, own)

    async with realm.changes.around((GLOBAL, account_slot(account))):
        await realm.db.retry(begin)
    await finish(realm, person.namespace, remove_repository)


async def _check_owned(connection: Any, found: list[Namespace], own: int, account: int) -> None:
    """Nothing, when every other namespace that the account owns has a further owner."""
    alone = [
        space.name for space in found if space.id != own and await sql_members.owners(connection, space.id) == [account]
    ]
    if alone:
        named = ", ".join(alone[:_SHOWN]) + (" and more" if len(alone) > _SHOWN else "")
        raise Conflict(
            f"The account is the only owner of {named}: transfer or delete that first.", detail={"namespaces": alone}
        )


async def _begin(connection: Any, realm: Realm, by: By, found: Namespace) -> None:
    """The locked namespace is not there any more, for whoever asks: its names lead nowhere, its accounts are nobody."""
    await sql_spaces.stand(connection, found.id, "tombstone")
    for person in (*await people.users(connection, found.id), *await people.robots(connection, found.id)):
        await accounts.remove(connection, realm, by, person.id)
    for account in await sql_members.accounts(connection, found.id):
        await sql_members.remove(connection, found.id, account)
    for statement in (sql_invitations.delete_all, sql_grants.delete_all, sql_teams.delete_all):
        await statement(connection, found.id)
    await sql_spaces.change_hands(connection, found.id, "deleting")
    await record(connection, by, Event("namespace.deleted", found.slug, found.id, {"kind": found.kind}))


async def finish(realm: Realm, namespace: int, remove_repository: RemoveRepository) -> None:
    """Remove the repositories of a namespace whose deletion has begun; also when somebody else does."""
    while not await _end(realm, namespace):
        async with realm.db.connection() as connection:
            found = await sql_names.remaining(connection, namespace, _BATCH)
        for name in found:
            with suppress(NameUnknown):  # somebody else ends the same deletion
                await remove_repository(name)


async def _end(realm: Realm, namespace: int) -> bool:
    """Whether nothing is left of it, once those are done who were making a repository there."""
    async with realm.changes.around((CATALOG,)), realm.db.transaction() as connection:
        if await sql_spaces.lock_going(connection, namespace) is None:
            return True
        await sql_spaces.hold_names(connection, namespace)
        if await sql_names.remaining(connection, namespace, 1):
            return False
        await sql_spaces.set_deleted(connection, namespace)
        return True


async def resume(realm: Realm, remove_repository: RemoveRepository) -> int:
    """End the deletions that were begun; how many there were."""
    async with realm.db.connection() as connection:
        found = await sql_spaces.going(connection, _BATCH)
    for namespace in found:
        await finish(realm, namespace, remove_repository)
    return len(found)
