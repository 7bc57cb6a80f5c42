"""What is deleted is gone at once for all who ask, ends whatever happens, and its name is nobody's for ever."""

import asyncio

import pytest

from registry.core.errors import Conflict, NameUnknown, NotFound, Unprocessable
from registry.namespaces import removal, renaming, spaces
from registry.namespaces.accounts import NewRobot, create_robot
from registry.namespaces.model import Standing
from registry.namespaces.spaces import NewNamespace
from tests.namespaces.town import Town


@pytest.fixture
async def acme(town: Town) -> int:
    """An organisation with repositories, another name, and a robot."""
    await town.user("ann")
    made = await town.org("acme", "adam", ann="read")
    await renaming.rename(town.realm, town.by("adam"), made, NewNamespace("ajax"))
    for name in ("orgs/ajax/app", "orgs/ajax/tool"):
        await town.push(name)
    town.ids["ci"] = (
        await create_robot(town.realm, town.by("adam"), NewRobot(made, "ci", "write"), Standing("owner"))
    ).id
    return made


async def delete(town: Town, namespace: int) -> None:
    await removal.delete(town.realm, town.by("adam"), namespace, town.remove_repository)


async def test_nothing_is_left_but_the_names_which_nobody_gets(town: Town, acme: int) -> None:
    await delete(town, acme)
    assert await town.names() == []
    for slug in ("acme", "ajax", "acrne"):
        assert await town.found(f"orgs/{slug}") is None
        with pytest.raises(Conflict):
            await town.org(slug, "adam")
        with pytest.raises(Conflict):
            await town.user(slug)
    with pytest.raises(NameUnknown):
        await spaces.find(town.realm, acme)
    assert await town.value("SELECT count(*) FROM members WHERE namespace = $1", acme) == 0
    assert await town.value("SELECT state FROM accounts WHERE id = $1", town.ids["ci"]) == "deleted"
    assert await town.value("SELECT generation FROM namespaces WHERE id = $1", acme) == 2
    with pytest.raises(NameUnknown):
        await delete(town, acme)


async def test_a_deletion_that_was_cut_off_is_ended_by_the_worker(town: Town, acme: int) -> None:
    async def fail(name: str) -> None:
        await town.remove_repository(name)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await removal.delete(town.realm, town.by("adam"), acme, fail)
    assert await town.found("orgs/ajax") is None
    assert len(await town.names()) == 1
    assert await removal.resume(town.realm, town.remove_repository) == 1
    assert await town.names() == []
    assert await removal.resume(town.realm, town.remove_repository) == 0


async def test_two_who_end_one_deletion_do_not_hinder_each_other(town: Town, acme: int) -> None:
    async def race(name: str) -> None:
        await town.remove_repository(name)
        raise NameUnknown("Somebody else was first.")

    await removal.delete(town.realm, town.by("adam"), acme, race)
    assert await town.value("SELECT state FROM namespaces WHERE id = $1", acme) == "deleted"


async def test_a_repository_that_is_being_made_goes_with_its_namespace(town: Town, acme: int) -> None:
    async with town.realm.db.transaction() as connection:
        await connection.execute("SELECT ensure_repository('orgs/ajax/late', NULL)")
        deleting = await town.stuck(delete(town, acme))
        assert not deleting.done()
    await deleting
    assert await town.names() == []


async def test_a_push_that_comes_while_a_namespace_goes_is_refused(town: Town, acme: int) -> None:
    outcomes = await asyncio.gather(
        delete(town, acme), *(town.push(f"orgs/ajax/{number}") for number in range(8)), return_exceptions=True
    )
    assert outcomes[0] is None
    assert await town.names() == []


async def test_an_accounts_own_namespace_goes_with_the_account(town: Town, acme: int) -> None:
    home = await town.found("users/ann")
    assert home is not None
    with pytest.raises(Unprocessable):
        await delete(town, home.id)
    await town.push("users/ann/app")
    await removal.delete_user(town.realm, town.by("ann"), town.ids["ann"], town.remove_repository)
    assert await town.found("users/ann") is None
    assert "users/ann/app" not in await town.names()
    assert await town.role(acme, "ann") is None
    assert await town.value("SELECT state FROM accounts WHERE id = $1", town.ids["ann"]) == "deleted"
    with pytest.raises(Conflict):
        await town.user("ann")
    with pytest.raises(NotFound):
        await removal.delete_user(town.realm, town.by("adam"), town.ids["ann"], town.remove_repository)


async def test_an_account_that_alone_owns_a_namespace_stays(town: Town) -> None:
    await town.user("ann")
    other = await town.org("acme", "ann")
    with pytest.raises(Conflict, match="orgs/acme"):
        await removal.delete_user(town.realm, town.by("ann"), town.ids["ann"], town.remove_repository)
    assert await town.role(other, "ann") == "owner"
    await town.put(other, "adam", "owner")
    await removal.delete_user(town.realm, town.by("ann"), town.ids["ann"], town.remove_repository)


async def test_two_owners_whose_accounts_are_deleted_at_once_leave_one(town: Town) -> None:
    await town.user("ann", "ben")
    await town.org("acme", "ann", ben="owner")
    outcomes = await asyncio.gather(
        *(
            removal.delete_user(town.realm, town.by("adam"), town.ids[name], town.remove_repository)
            for name in ("ann", "ben")
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(one, Conflict) for one in outcomes) == 1


async def test_the_last_administrator_stays(town: Town) -> None:
    with pytest.raises(Conflict, match="administrator"):
        await removal.delete_user(town.realm, town.by("adam"), town.ids["adam"], town.remove_repository)
    assert await town.found("users/adam") is not None


async def test_a_robot_is_no_person_to_delete(town: Town, acme: int) -> None:
    with pytest.raises(Unprocessable, match="robot"):
        await removal.delete_user(town.realm, town.by("adam"), town.ids["ci"], town.remove_repository)
