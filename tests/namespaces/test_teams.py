"""Teams are members together; what they and accounts are granted is never more than who grants it has."""

import pytest

from registry.core.errors import Conflict, Denied, NameUnknown, NotFound, Unprocessable
from registry.namespaces import grants, teams
from registry.namespaces.grants import Target
from registry.namespaces.model import Standing
from tests.namespaces.town import Town

OWNER = Standing("owner")


@pytest.fixture
async def acme(town: Town) -> int:
    """An organisation with a team."""
    await town.user("ada", "willy", "zoe")
    made = await town.org("acme", "adam", ada="admin", willy="read")
    await teams.create(town.realm, town.by("adam"), made, "crew", "Who builds.")
    return made


async def test_teams_are_listed_by_name_page_by_page(town: Town, acme: int) -> None:
    await teams.add(town.realm, town.by("adam"), acme, "crew", town.ids["willy"])
    await teams.create(town.realm, town.by("adam"), acme, "apps")
    first = await teams.list_teams(town.realm, acme, limit=1)
    rest = await teams.list_teams(town.realm, acme, first[-1].name)
    assert [(team.name, team.members) for team in first + rest] == [("apps", 0), ("crew", 1)]


async def test_only_members_are_in_teams(town: Town, acme: int) -> None:
    with pytest.raises(Unprocessable):
        await teams.add(town.realm, town.by("adam"), acme, "crew", town.ids["zoe"])
    await teams.add(town.realm, town.by("adam"), acme, "crew", town.ids["willy"])
    assert [one.name for one in await teams.list_members(town.realm, acme, "crew")] == ["willy"]
    await teams.remove(town.realm, town.by("adam"), acme, "crew", town.ids["willy"])
    with pytest.raises(NotFound):
        await teams.remove(town.realm, town.by("adam"), acme, "crew", town.ids["willy"])


async def test_a_team_of_another_namespace_is_not_found(town: Town, acme: int) -> None:
    other = await town.org("other", "adam")
    with pytest.raises(NotFound):
        await teams.add(town.realm, town.by("adam"), other, "crew", town.ids["adam"])
    with pytest.raises(NotFound):
        await teams.delete(town.realm, town.by("adam"), other, "crew")


@pytest.mark.parametrize("name", ["", "Crew", "a_b", "-a", "a" * 51])
async def test_a_team_has_a_name_of_its_own_grammar(town: Town, acme: int, name: str) -> None:
    with pytest.raises(Unprocessable):
        await teams.create(town.realm, town.by("adam"), acme, name)


async def test_a_team_has_one_name_in_its_namespace(town: Town, acme: int) -> None:
    await teams.create(town.realm, town.by("adam"), acme, "apps")
    with pytest.raises(Conflict):
        await teams.create(town.realm, town.by("adam"), acme, "crew")
    with pytest.raises(Conflict):
        await teams.change(town.realm, town.by("adam"), acme, "apps", ("crew", ""))
    await teams.change(town.realm, town.by("adam"), acme, "apps", ("tools", "New."))
    assert [team.name for team in await teams.list_teams(town.realm, acme)] == ["crew", "tools"]


async def test_a_users_namespace_has_no_teams(town: Town) -> None:
    home = await town.found("users/adam")
    assert home is not None
    with pytest.raises(Unprocessable):
        await teams.create(town.realm, town.by("adam"), home.id, "crew")


async def test_a_team_raises_its_members_while_it_is_there(town: Town, acme: int) -> None:
    await teams.add(town.realm, town.by("adam"), acme, "crew", town.ids["willy"])
    await grants.give(town.realm, town.by("adam"), Target(acme, team="crew"), "admin", OWNER)
    assert await town.standing(acme, "willy") == Standing("admin")
    found = await grants.list_grants(town.realm, acme, None)
    assert [(one.team, one.role, one.person) for one in found] == [("crew", "admin", None)]
    await teams.delete(town.realm, town.by("adam"), acme, "crew")
    assert await town.standing(acme, "willy") == Standing("read")


async def test_a_grant_is_for_one_repository_and_may_be_an_outsiders(town: Town, acme: int) -> None:
    app = await town.push("orgs/acme/app")
    target = Target(acme, app, account=town.ids["zoe"])
    await grants.give(town.realm, town.by("ada"), target, "read", Standing("admin"))
    await grants.give(town.realm, town.by("ada"), target, "write", Standing("admin"))
    (found,) = await grants.list_grants(town.realm, acme, app)
    assert found.person is not None
    assert (found.role, found.person.name) == ("write", "zoe")
    await grants.take(town.realm, town.by("ada"), target, Standing("admin"))
    with pytest.raises(NotFound):
        await grants.take(town.realm, town.by("ada"), target, Standing("admin"))


async def test_only_managers_grant(town: Town, acme: int) -> None:
    app = await town.push("orgs/acme/app")
    for target in (Target(acme, app, account=town.ids["zoe"]), Target(acme, team="crew")):
        with pytest.raises(Denied):
            await grants.give(town.realm, town.by("willy"), target, "read", await town.standing(acme, "willy"))
        with pytest.raises(Denied):
            await grants.take(town.realm, town.by("willy"), target, await town.standing(acme, "willy"))


async def test_a_grant_stays_in_its_namespace(town: Town, acme: int) -> None:
    other = await town.org("other", "adam")
    foreign = await town.push("orgs/other/app")
    with pytest.raises(NameUnknown):
        await grants.give(town.realm, town.by("adam"), Target(acme, foreign, team="crew"), "read", OWNER)
    with pytest.raises(NotFound):
        await grants.give(town.realm, town.by("adam"), Target(other, foreign, team="crew"), "read", OWNER)
    with pytest.raises(NotFound):
        await grants.give(town.realm, town.by("adam"), Target(acme, account=None), "read", OWNER)
    with pytest.raises(Unprocessable):
        await grants.give(town.realm, town.by("adam"), Target(acme, account=town.ids["zoe"]), "read", OWNER)


async def test_nobody_is_granted_ownership(town: Town, acme: int) -> None:
    with pytest.raises(Unprocessable):
        await grants.give(town.realm, town.by("adam"), Target(acme, team="crew"), "owner", OWNER)
