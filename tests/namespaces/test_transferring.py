"""A namespace that changes hands takes no rights along that its new owner did not give."""

import pytest

from registry.core.errors import NotFound, Unprocessable
from registry.namespaces import grants, spaces, teams, transferring
from registry.namespaces.accounts import NewRobot, create_robot
from registry.namespaces.grants import Target
from registry.namespaces.model import Standing
from registry.namespaces.transferring import Transfer, Transferred
from tests.namespaces.town import BOSS, Town

OWNER = Standing("owner")


@pytest.fixture
async def acme(town: Town) -> int:
    """An organisation that is worth something."""
    await town.user("olga", "otto", "ada", "zoe", "nora")
    made = await town.org("acme", "olga", otto="owner", ada="admin")
    app, by = await town.push("orgs/acme/app"), town.by("olga")
    await teams.create(town.realm, by, made, "crew")
    for name in ("otto", "ada"):
        await teams.add(town.realm, by, made, "crew", town.ids[name])
    await grants.give(town.realm, by, Target(made, app, team="crew"), "admin", OWNER)
    for name in ("ada", "zoe"):
        await grants.give(town.realm, by, Target(made, app, account=town.ids[name]), "write", OWNER)
    return made


async def transfer(town: Town, acme: int, former: str | None = None, *, keep: bool = False) -> Transferred:
    return await transferring.transfer(town.realm, town.by("olga"), Transfer(acme, town.ids["nora"], former, keep))


async def standings(town: Town, acme: int) -> dict[str, str | None]:
    return {name: (await town.standing(acme, name)).role for name in ("olga", "otto", "ada", "zoe", "nora")}


async def test_all_go_but_the_new_owner(town: Town, acme: int) -> None:
    found = await transfer(town, acme)
    assert sorted(person.name for person in found.removed) == ["ada", "olga", "otto"]
    assert await standings(town, acme) == {"olga": None, "otto": None, "ada": None, "zoe": None, "nora": "owner"}
    assert await teams.list_members(town.realm, acme, "crew") == []
    assert await town.value("SELECT count(*) FROM grants WHERE account IS NOT NULL") == 0
    assert (await spaces.find(town.realm, acme)).generation == 2


async def test_who_may_stay_stays_and_outsiders_still_go(town: Town, acme: int) -> None:
    await transfer(town, acme, "write", keep=True)
    assert await standings(town, acme) == {
        "olga": "write",
        "otto": "write",
        "ada": "admin",
        "zoe": None,
        "nora": "owner",
    }
    assert [one.name for one in await teams.list_members(town.realm, acme, "crew")] == ["otto", "ada"]
    assert await town.value("SELECT array_agg(account) FROM grants WHERE account IS NOT NULL") == [town.ids["ada"]]


async def test_robots_stay_and_are_told_of(town: Town, acme: int) -> None:
    robot = await create_robot(town.realm, town.by("olga"), NewRobot(acme, "ci", "write"), OWNER)
    found = await transfer(town, acme)
    assert found.robots == [robot]
    town.ids["ci"] = robot.id
    assert await town.role(acme, "ci") == "write"


async def test_the_owner_may_be_a_member_already(town: Town, acme: int) -> None:
    await transferring.transfer(town.realm, town.by("olga"), Transfer(acme, town.ids["ada"]))
    assert (await standings(town, acme))["ada"] == "owner"


async def test_a_namespace_goes_to_an_active_person(town: Town, acme: int) -> None:
    robot = await create_robot(town.realm, town.by("olga"), NewRobot(acme, "ci"), BOSS)
    await town.value("UPDATE accounts SET state = 'suspended' WHERE name = 'zoe'")
    for account in (robot.id, town.ids["zoe"]):
        with pytest.raises(Unprocessable):
            await transferring.transfer(town.realm, town.by("olga"), Transfer(acme, account))
    with pytest.raises(NotFound):
        await transferring.transfer(town.realm, town.by("olga"), Transfer(acme, 999))
    with pytest.raises(Unprocessable):
        await transfer(town, acme, "owner")


async def test_a_users_own_namespace_goes_to_nobody(town: Town) -> None:
    await town.user("olga")
    home = await town.found("users/olga")
    assert home is not None
    with pytest.raises(Unprocessable):
        await transferring.transfer(town.realm, town.by("olga"), Transfer(home.id, town.ids["adam"]))
