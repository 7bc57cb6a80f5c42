"""An invitation is good for whom it asks, once, while who asked may ask so and the namespace is whose it was."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from registry.core.errors import Conflict, Denied, NotFound, Unprocessable
from registry.namespaces import invitations, members, removal, renaming, transferring
from registry.namespaces.accounts import NewRobot, create_robot
from registry.namespaces.invitations import Asked
from registry.namespaces.members import Change
from registry.namespaces.model import Standing
from registry.namespaces.spaces import NewNamespace
from registry.namespaces.transferring import Transfer
from tests.namespaces.town import BOSS, Town


@pytest.fixture
async def acme(town: Town) -> int:
    """An organisation to be invited to."""
    await town.user("olga", "ada", "willy", "zoe")
    return await town.org("acme", "olga", ada="admin", willy="write")


async def test_who_accepts_is_a_member_once(town: Town, acme: int) -> None:
    asked = await town.invite(acme, "ada", "zoe", "write")
    ((found, space),) = await invitations.list_mine(town.realm, town.ids["zoe"])
    assert (found.id, found.role, space.slug) == (asked, "write", "acme")
    (listed,) = await invitations.list_of(town.realm, acme)
    assert (listed.person.name, listed.inviter.name) == ("zoe", "ada")
    await invitations.accept(town.realm, town.by("zoe"), asked)
    assert await town.role(acme, "zoe") == "write"
    with pytest.raises(NotFound):
        await invitations.accept(town.realm, town.by("zoe"), asked)


async def test_nobody_takes_up_the_invitation_of_another(town: Town, acme: int) -> None:
    asked = await town.invite(acme, "ada", "zoe", "write")
    for act in (invitations.accept, invitations.decline):
        with pytest.raises(NotFound):
            await act(town.realm, town.by("willy"), asked)
    other = await town.org("other", "adam")
    with pytest.raises(NotFound):
        await invitations.withdraw(town.realm, town.by("adam"), other, asked, Standing("owner"))


async def test_who_declines_is_asked_no_more(town: Town, acme: int) -> None:
    await invitations.decline(town.realm, town.by("zoe"), await town.invite(acme, "ada", "zoe", "read"))
    assert await invitations.list_mine(town.realm, town.ids["zoe"]) == []
    assert await town.role(acme, "zoe") is None


async def test_only_managers_invite_and_none_above_the_own_role(town: Town, acme: int) -> None:
    for by, role in (("ada", "owner"), ("willy", "read"), ("zoe", "read")):
        with pytest.raises(Denied):
            await town.invite(acme, by, "adam", role)
    asked = await town.invite(acme, "olga", "zoe", "owner")
    with pytest.raises(Denied):
        await invitations.withdraw(town.realm, town.by("ada"), acme, asked, Standing("admin"))
    await invitations.withdraw(town.realm, town.by("olga"), acme, asked, Standing("owner"))
    assert await invitations.list_of(town.realm, acme) == []


async def test_members_and_robots_are_not_invited(town: Town, acme: int) -> None:
    with pytest.raises(Conflict):
        await town.invite(acme, "ada", "willy", "admin")
    town.ids["ci"] = (await create_robot(town.realm, town.by("olga"), NewRobot(acme, "ci"), BOSS)).id
    with pytest.raises(Unprocessable):
        await town.invite(acme, "ada", "ci", "read")


async def test_a_users_namespace_asks_for_guests_only(town: Town) -> None:
    await town.user("olga", "zoe")
    home = await town.found("users/olga")
    assert home is not None
    with pytest.raises(Unprocessable):
        await town.invite(home.id, "olga", "zoe", "owner")
    await invitations.accept(town.realm, town.by("zoe"), await town.invite(home.id, "olga", "zoe", "admin"))
    assert await town.role(home.id, "zoe") == "admin"


async def expect_void(town: Town, acme: int, asked: int) -> None:
    with pytest.raises((Conflict, NotFound)):
        await invitations.accept(town.realm, town.by("zoe"), asked)
    assert await town.role(acme, "zoe") is None


async def test_an_invitation_is_void_when_its_inviter_went(town: Town, acme: int) -> None:
    asked = await town.invite(acme, "ada", "zoe", "write")
    await members.leave(town.realm, town.by("ada"), acme)
    await expect_void(town, acme, asked)


async def test_an_invitation_is_void_when_its_inviter_could_not_make_it_any_more(town: Town, acme: int) -> None:
    asked = await town.invite(acme, "ada", "zoe", "admin")
    await members.set_role(town.realm, town.by("olga"), Change(acme, town.ids["ada"], "write"), Standing("owner"))
    await expect_void(town, acme, asked)


async def test_an_invitation_is_void_when_its_inviter_is_suspended(town: Town, acme: int) -> None:
    asked = await town.invite(acme, "ada", "zoe", "read")
    await town.value("UPDATE accounts SET state = 'suspended' WHERE id = $1", town.ids["ada"])
    await expect_void(town, acme, asked)


async def test_an_invitation_by_an_administrator_stands_while_that_is_one(town: Town, acme: int) -> None:
    asked = await invitations.invite(town.realm, town.by("adam"), Asked(acme, town.ids["zoe"], "owner"), BOSS)
    await town.value("UPDATE accounts SET is_administrator = false WHERE id = $1", town.ids["adam"])
    await expect_void(town, acme, asked)
    await town.value("UPDATE accounts SET is_administrator = true WHERE id = $1", town.ids["adam"])
    await invitations.accept(town.realm, town.by("zoe"), asked)


async def test_an_invitation_is_void_after_its_time(town: Town, acme: int) -> None:
    asked = await town.invite(acme, "ada", "zoe", "read")
    town.realm = replace(town.realm, clock=lambda: datetime.now(UTC) + timedelta(days=7, seconds=1))
    assert await invitations.list_mine(town.realm, town.ids["zoe"]) == []
    await expect_void(town, acme, asked)


async def test_an_invitation_is_void_after_a_transfer(town: Town, acme: int) -> None:
    asked = await town.invite(acme, "olga", "zoe", "read")
    await transferring.transfer(
        town.realm, town.by("olga"), Transfer(acme, town.ids["adam"], "admin", keep_members=True)
    )
    await expect_void(town, acme, asked)


async def test_an_invitation_is_void_in_another_generation_whatever_else_holds(town: Town, acme: int) -> None:
    asked = await town.invite(acme, "olga", "zoe", "read")
    await town.value("UPDATE namespaces SET generation = generation + 1 WHERE id = $1", acme)
    assert await invitations.list_mine(town.realm, town.ids["zoe"]) == []
    await expect_void(town, acme, asked)


async def test_an_invitation_is_void_when_the_namespace_is_deleted(town: Town, acme: int) -> None:
    asked = await town.invite(acme, "olga", "zoe", "read")
    await removal.delete(town.realm, town.by("olga"), acme, town.remove_repository)
    await expect_void(town, acme, asked)


async def test_an_invitation_outlives_another_name(town: Town, acme: int) -> None:
    asked = await town.invite(acme, "olga", "zoe", "read")
    await renaming.rename(town.realm, town.by("olga"), acme, NewNamespace("ajax"))
    await invitations.accept(town.realm, town.by("zoe"), asked)
    assert await town.role(acme, "zoe") == "read"


async def test_an_invitation_that_was_replaced_is_taken_as_it_is_now(town: Town, acme: int) -> None:
    await town.invite(acme, "olga", "zoe", "owner")
    asked = await town.invite(acme, "ada", "zoe", "read")
    await invitations.accept(town.realm, town.by("zoe"), asked)
    assert await town.role(acme, "zoe") == "read"
