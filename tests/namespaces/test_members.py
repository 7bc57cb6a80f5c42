"""Who is in a namespace: nobody gives or takes what is above the own role, and it is never without an owner."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from registry.core.errors import Conflict, Denied, NotFound, Unprocessable
from registry.namespaces import accounts, grants, members, teams
from registry.namespaces.accounts import NewRobot
from registry.namespaces.grants import Target
from registry.namespaces.members import Change
from registry.namespaces.model import Standing
from tests.namespaces.town import BOSS, Town


async def set_role(town: Town, by: str, namespace: int, name: str, role: str) -> None:
    standing = await town.standing(namespace, by)
    await members.set_role(town.realm, town.by(by), Change(namespace, town.ids[name], role), standing)


async def remove(town: Town, by: str, namespace: int, name: str) -> None:
    standing = await town.standing(namespace, by)
    await members.remove(town.realm, town.by(by), namespace, town.ids[name], standing)


@pytest.fixture
async def acme(town: Town) -> int:
    """An organisation with somebody in each role, and another owner."""
    await town.user("olga", "ada", "willy", "rita", "zoe")
    return await town.org("acme", "adam", olga="owner", ada="admin", willy="write", rita="read")


async def test_members_are_listed_with_their_roles_page_by_page(town: Town, acme: int) -> None:
    first = await members.list_members(town.realm, acme, limit=2)
    rest = await members.list_members(town.realm, acme, first[-1].member.account)
    assert [(one.person.name, one.member.role) for one in first + rest] == [
        ("adam", "owner"), ("olga", "owner"), ("ada", "admin"), ("willy", "write"), ("rita", "read")
    ]  # fmt: skip


@pytest.mark.parametrize(("by", "name", "role"), [
    ("olga", "rita", "owner"), ("olga", "adam", "read"), ("ada", "willy", "admin"), ("ada", "rita", "write"),
    ("olga", "ada", "read"),
])  # fmt: skip
async def test_a_manager_gives_roles_up_to_the_own(town: Town, acme: int, by: str, name: str, role: str) -> None:
    await set_role(town, by, acme, name, role)
    assert await town.role(acme, name) == role
    assert (await town.actions())[-1] == "member.changed"


@pytest.mark.parametrize(("by", "name", "role"), [
    ("ada", "rita", "owner"), ("ada", "ada", "owner"), ("ada", "olga", "read"), ("ada", "olga", "owner"),
    ("willy", "rita", "write"), ("willy", "willy", "admin"), ("rita", "rita", "read"),
    ("zoe", "rita", "read"), ("zoe", "zoe", "read"),
])  # fmt: skip
async def test_nobody_gives_or_changes_more_than_the_own_role(
    town: Town, acme: int, by: str, name: str, role: str
) -> None:
    before = await town.role(acme, name)
    with pytest.raises((Denied, Unprocessable)):
        await set_role(town, by, acme, name, role)
    assert await town.role(acme, name) == before


@pytest.mark.parametrize(("by", "name"), [("ada", "olga"), ("willy", "rita"), ("rita", "willy"), ("zoe", "rita")])
async def test_nobody_removes_who_stands_above_or_without_managing(town: Town, acme: int, by: str, name: str) -> None:
    with pytest.raises(Denied):
        await remove(town, by, acme, name)


async def test_a_stranger_is_invited_not_added(town: Town, acme: int) -> None:
    with pytest.raises(Unprocessable, match="invite"):
        await set_role(town, "olga", acme, "zoe", "read")
    await members.set_role(town.realm, town.by("adam"), Change(acme, town.ids["zoe"], "read"), BOSS)
    assert await town.role(acme, "zoe") == "read"


async def test_the_last_owner_cannot_leave_nor_be_demoted_nor_removed(town: Town, acme: int) -> None:
    await remove(town, "olga", acme, "adam")
    with pytest.raises(Conflict, match="without an owner"):
        await members.leave(town.realm, town.by("olga"), acme)
    with pytest.raises(Conflict, match="without an owner"):
        await set_role(town, "olga", acme, "olga", "admin")
    with pytest.raises(Conflict, match="without an owner"):
        await members.remove(town.realm, town.by("adam"), acme, town.ids["olga"], BOSS)
    await set_role(town, "olga", acme, "olga", "owner")
    assert await town.role(acme, "olga") == "owner"


@pytest.mark.parametrize("demoting", [False, True])
async def test_two_owners_who_depose_each_other_leave_one(town: Town, acme: int, demoting: bool) -> None:
    async def depose(by: str, name: str) -> None:
        await (set_role(town, by, acme, name, "read") if demoting else remove(town, by, acme, name))

    outcomes = await asyncio.gather(depose("adam", "olga"), depose("olga", "adam"), return_exceptions=True)
    assert sum(isinstance(one, Denied | Conflict) for one in outcomes) == 1
    assert await town.value("SELECT count(*) FROM members WHERE namespace = $1 AND role = 'owner'", acme) == 1


async def test_two_owners_who_leave_at_once_leave_one(town: Town, acme: int) -> None:
    outcomes = await asyncio.gather(
        *(members.leave(town.realm, town.by(name), acme) for name in ("adam", "olga")), return_exceptions=True
    )
    assert sum(isinstance(one, Conflict) for one in outcomes) == 1


async def test_a_role_that_was_lost_meanwhile_gives_nothing(town: Town, acme: int) -> None:
    """What the door saw is looked at again under the lock."""
    seen = await town.standing(acme, "ada")
    await set_role(town, "olga", acme, "ada", "read")
    with pytest.raises(Denied):
        await members.set_role(town.realm, town.by("ada"), Change(acme, town.ids["rita"], "write"), seen)


async def test_who_leaves_leaves_teams_grants_and_invitations(town: Town, acme: int) -> None:
    app, owner = await town.push("orgs/acme/app"), Standing("owner")
    await teams.create(town.realm, town.by("adam"), acme, "crew")
    await teams.add(town.realm, town.by("adam"), acme, "crew", town.ids["ada"])
    target = Target(acme, app, account=town.ids["ada"])
    await grants.give(town.realm, town.by("adam"), target, "admin", owner)
    await town.invite(acme, "ada", "zoe", "read")
    await members.leave(town.realm, town.by("ada"), acme)
    assert await teams.list_members(town.realm, acme, "crew") == []
    assert await grants.list_grants(town.realm, acme, app) == []
    assert await town.value("SELECT count(*) FROM invitations") == 0
    with pytest.raises(NotFound):
        await members.leave(town.realm, town.by("ada"), acme)


async def test_a_users_namespace_has_guests_but_no_other_owner(town: Town, acme: int) -> None:
    home = await town.found("users/olga")
    assert home is not None
    await town.put(home.id, "rita", "read")
    await set_role(town, "olga", home.id, "rita", "admin")
    with pytest.raises(Unprocessable):
        await set_role(town, "olga", home.id, "rita", "owner")
    with pytest.raises(Denied):
        await set_role(town, "rita", home.id, "olga", "read")
    with pytest.raises(Conflict):
        await members.leave(town.realm, town.by("olga"), home.id)


async def test_a_robot_is_a_member_where_it_belongs_and_no_owner(town: Town, acme: int) -> None:
    other = await town.org("other", "adam")
    robot = await accounts.create_robot(town.realm, town.by("adam"), NewRobot(acme, "ci"), Standing("owner"))
    town.ids["ci"] = robot.id
    await set_role(town, "ada", acme, "ci", "write")
    assert await town.role(acme, "ci") == "write"
    with pytest.raises(Unprocessable):
        await set_role(town, "adam", acme, "ci", "owner")
    with pytest.raises(Unprocessable, match="another namespace"):
        await set_role(town, "adam", other, "ci", "read")


async def test_a_membership_ends_by_itself_with_what_came_by_it(town: Town, acme: int) -> None:
    await teams.create(town.realm, town.by("adam"), acme, "crew")
    await teams.add(town.realm, town.by("adam"), acme, "crew", town.ids["rita"])
    soon = datetime.now(UTC) + timedelta(hours=1)
    change = Change(acme, town.ids["rita"], "write", soon)
    await members.set_role(town.realm, town.by("adam"), change, Standing("owner"))
    assert await members.end_expired(town.realm) == 0
    await town.value("UPDATE members SET expires_at = clock_timestamp() WHERE expires_at IS NOT NULL")
    assert await town.role(acme, "rita") is None
    assert await members.end_expired(town.realm) == 1
    assert await teams.list_members(town.realm, acme, "crew") == []
    assert await members.end_expired(town.realm) == 0


@pytest.mark.parametrize(("role", "hours"), [("owner", 1), ("read", -1)])
async def test_an_end_lies_ahead_and_is_no_owners(town: Town, acme: int, role: str, hours: int) -> None:
    change = Change(acme, town.ids["rita"], role, datetime.now(UTC) + timedelta(hours=hours))
    with pytest.raises(Unprocessable):
        await members.set_role(town.realm, town.by("adam"), change, Standing("owner"))
