"""A renamed thing is what it was: its old names lead to it, and nobody else can have them."""

import asyncio

import pytest

from registry.core.errors import Conflict, NameInvalid, NameUnknown, Unprocessable
from registry.infra.http.counters import GLOBAL
from registry.namespaces import renaming, spaces
from registry.namespaces.accounts import NewRobot, create_robot
from registry.namespaces.spaces import NewNamespace
from tests.namespaces.town import BOSS, Town


async def rename(town: Town, namespace: int, slug: str) -> None:
    await renaming.rename(town.realm, town.by("adam"), namespace, NewNamespace(slug))


async def where(town: Town, slug: str) -> int | None:
    found = await town.found(f"orgs/{slug}")
    return None if found is None else found.id


@pytest.fixture
async def acme(town: Town) -> int:
    """An organisation with repositories."""
    made = await town.org("acme", "adam")
    for name in ("orgs/acme/app", "orgs/acme/deep/er"):
        await town.push(name)
    return made


async def test_a_namespace_takes_its_repositories_along_and_leaves_its_name_behind(town: Town, acme: int) -> None:
    await rename(town, acme, "ajax")
    assert await town.names() == ["orgs/ajax/app", "orgs/ajax/deep/er"]
    assert await where(town, "ajax") == await where(town, "acme") == acme
    assert await spaces.aliases(town.realm, acme) == ["acme"]
    assert (await spaces.find(town.realm, acme)).generation == 1


async def test_an_old_name_is_nobody_elses_nor_is_what_looks_like_it(town: Town, acme: int) -> None:
    await rename(town, acme, "ajax")
    for slug in ("acme", "acrne"):
        with pytest.raises(Conflict):
            await town.org(slug, "adam")
        with pytest.raises(Conflict):
            await rename(town, await town.org("other" + slug[-2:], "adam"), slug)


async def test_an_old_name_can_be_taken_again_by_whose_it_was(town: Town, acme: int) -> None:
    for slug in ("ajax", "acme", "ajax", "ayax"):
        await rename(town, acme, slug)
    assert await spaces.aliases(town.realm, acme) == ["acme", "ajax"]
    assert {await where(town, slug) for slug in ("acme", "ajax", "ayax")} == {acme}
    assert await town.names() == ["orgs/ayax/app", "orgs/ayax/deep/er"]


async def test_another_spelling_of_the_own_name_keeps_both(town: Town, acme: int) -> None:
    for slug in ("acrne", "acme", "acrne"):
        await rename(town, acme, slug)
        assert {await where(town, slug) for slug in ("acme", "acrne")} == {acme}
        assert (await spaces.find(town.realm, acme)).slug == slug
    with pytest.raises(Conflict):
        await town.user("acme")


async def test_the_same_name_again_changes_nothing(town: Town, acme: int) -> None:
    before = await town.actions()
    await rename(town, acme, "acme")
    assert await town.actions() == before


async def test_an_account_and_its_robots_go_by_the_new_name(town: Town) -> None:
    await town.user("ann")
    home = await town.found("users/ann")
    assert home is not None
    robot = await create_robot(town.realm, town.by("ann"), NewRobot(home.id, "ci"), BOSS)
    await rename(town, home.id, "anna")
    name = "SELECT name FROM accounts WHERE id = $1"
    assert [await town.value(name, one) for one in (town.ids["ann"], robot.id)] == ["anna", "anna+ci"]
    with pytest.raises(Conflict):
        await town.user("ann")


@pytest.mark.parametrize("slug", ["Ajax", "admin", "a_b", ""])
async def test_a_name_that_cannot_be_taken_is_refused(town: Town, acme: int, slug: str) -> None:
    with pytest.raises(Unprocessable):
        await rename(town, acme, slug)


async def test_no_repository_gets_a_name_that_is_too_long(town: Town, acme: int) -> None:
    await town.push("orgs/acme/" + "a" * 245)
    with pytest.raises(Unprocessable, match="255"):
        await rename(town, acme, "ajaxx")
    await rename(town, acme, "ajax")


async def test_two_who_take_one_name_at_once_are_one(town: Town) -> None:
    made = [await town.org(slug, "adam") for slug in ("one", "two")]
    outcomes = await asyncio.gather(
        *(rename(town, one, slug) for one, slug in zip(made, ("mill", "rnill"), strict=True)), return_exceptions=True
    )
    assert sum(isinstance(one, Conflict) for one in outcomes) == 1


async def test_every_process_hears_of_a_new_name(town: Town, acme: int) -> None:
    look = town.watch(GLOBAL)
    await rename(town, acme, "ajax")
    assert look() == [False]


async def test_a_repository_that_is_being_made_is_renamed_with_its_namespace(town: Town, acme: int) -> None:
    async with town.realm.db.transaction() as connection:
        await connection.execute("SELECT ensure_repository('orgs/acme/late', NULL)")
        renaming_ = await town.stuck(rename(town, acme, "ajax"))
        assert not renaming_.done()
    await renaming_
    assert all(name.startswith("orgs/ajax/") for name in await town.names())


async def test_a_repository_has_another_name_and_keeps_the_old_one(town: Town, acme: int) -> None:
    app = await town.value("SELECT id FROM repositories WHERE name = 'orgs/acme/app'")
    await renaming.rename_repository(town.realm, town.by("adam"), acme, app, "orgs/acme/tool")
    assert await town.names() == ["orgs/acme/deep/er", "orgs/acme/tool"]
    assert await town.value("SELECT repo FROM repository_aliases WHERE name = 'orgs/acme/app'") == app
    await renaming.rename_repository(town.realm, town.by("adam"), acme, app, "orgs/acme/app")
    assert await town.value("SELECT array_agg(name) FROM repository_aliases") == ["orgs/acme/tool"]


async def test_old_names_of_repositories_follow_their_namespace(town: Town, acme: int) -> None:
    app = await town.value("SELECT id FROM repositories WHERE name = 'orgs/acme/app'")
    await renaming.rename_repository(town.realm, town.by("adam"), acme, app, "orgs/acme/tool")
    await rename(town, acme, "ajax")
    assert await town.value("SELECT array_agg(name) FROM repository_aliases") == ["orgs/ajax/app"]


async def test_a_repository_takes_no_name_that_another_has_or_had(town: Town, acme: int) -> None:
    app, deep = [await town.value("SELECT id FROM repositories WHERE name = $1", name) for name in await town.names()]
    by = town.by("adam")
    with pytest.raises(Conflict):
        await renaming.rename_repository(town.realm, by, acme, app, "orgs/acme/deep/er")
    await renaming.rename_repository(town.realm, by, acme, app, "orgs/acme/tool")
    with pytest.raises(Conflict):
        await renaming.rename_repository(town.realm, by, acme, deep, "orgs/acme/app")


async def test_a_repository_stays_in_its_namespace(town: Town, acme: int) -> None:
    app = await town.value("SELECT id FROM repositories WHERE name = 'orgs/acme/app'")
    other, by = await town.org("other", "adam"), town.by("adam")
    for name, refusal in (
        ("orgs/other/app", Unprocessable),
        ("orgs/acme", Unprocessable),
        ("orgs/acme/A", NameInvalid),
    ):
        with pytest.raises(refusal):
            await renaming.rename_repository(town.realm, by, acme, app, name)
    with pytest.raises(NameUnknown):
        await renaming.rename_repository(town.realm, by, other, app, "orgs/other/app")


async def test_a_push_to_any_old_name_lands_in_what_was_renamed(town: Town, acme: int) -> None:
    app = await town.value("SELECT id FROM repositories WHERE name = 'orgs/acme/app'")
    await renaming.rename_repository(town.realm, town.by("adam"), acme, app, "orgs/acme/tool")
    await rename(town, acme, "ajax")
    for name in ("orgs/acme/app", "orgs/acme/tool", "orgs/ajax/app", "orgs/ajax/tool"):
        assert await town.push(name) == app
    await town.push("orgs/acme/new")
    assert await town.names() == ["orgs/ajax/deep/er", "orgs/ajax/new", "orgs/ajax/tool"]
