"""Accounts and namespaces are made in one pool of names, once each."""

import asyncio

import pytest

from registry.audit.model import By
from registry.auth.realm import account_slot, namespace_slot
from registry.core.errors import Conflict, Denied, NameUnknown, NotFound, PreconditionFailed, Unprocessable
from registry.namespaces import accounts, members, repositories, spaces
from registry.namespaces.accounts import NewAccount, NewRobot
from registry.namespaces.model import Policies, Standing
from registry.namespaces.spaces import NewNamespace
from tests.namespaces.town import BOSS, Town

OPERATOR = By(None, "operator")


async def make(town: Town, kind: str, slug: str) -> None:
    if kind == "user":
        await accounts.create_user(town.realm, OPERATOR, NewAccount(name=slug))
    elif kind == "org":
        await spaces.create_org(town.realm, OPERATOR, NewNamespace(slug), town.ids["adam"])
    else:
        await spaces.create_plain(town.realm, OPERATOR, NewNamespace(slug), town.ids["adam"])


async def test_an_account_owns_a_private_namespace_of_its_name(town: Town) -> None:
    await town.user("ann")
    found = await town.found("users/ann/app")
    assert found is not None
    assert (found.kind, found.name, found.visibility, found.generation) == ("user", "users/ann", "private", 1)
    assert await town.role(found.id, "ann") == "owner"
    assert not await town.value("SELECT is_administrator FROM accounts WHERE name = 'ann'")


async def test_a_password_of_a_new_account_is_kept_as_its_hash_alone(town: Town) -> None:
    await accounts.create_user(town.realm, OPERATOR, NewAccount(name="ann", password="correct horse"))
    stored = await town.value("SELECT password FROM credentials WHERE kind = 'password'")
    assert stored.startswith("$argon2id$")
    assert await town.realm.passwords.verify(stored, "correct horse")


@pytest.mark.parametrize("taken", ["acme", "acrne"])
@pytest.mark.parametrize("kind", ["user", "org", "plain"])
async def test_one_pool_of_names_is_for_all_kinds_and_says_nothing_of_the_holder(
    town: Town, taken: str, kind: str
) -> None:
    await town.org("acme", "adam")
    with pytest.raises(Conflict) as refused:
        await make(town, kind, taken)
    assert refused.value.message == f"The name {taken} is taken, or looks like one that is: choose another one."
    assert refused.value.detail is None


async def test_a_refused_creation_leaves_nothing(town: Town) -> None:
    before = await town.value("SELECT count(*) FROM namespaces"), await town.actions()
    with pytest.raises(Conflict):
        await town.user("adarn")
    with pytest.raises(Unprocessable):
        await accounts.create_user(town.realm, OPERATOR, NewAccount(name="ann", email="no address"))
    assert (await town.value("SELECT count(*) FROM namespaces"), await town.actions()) == before


async def test_look_alikes_made_at_once_are_one(town: Town) -> None:
    made = await asyncio.gather(
        *(
            spaces.create_org(town.realm, OPERATOR, NewNamespace(slug), town.ids["adam"])
            for slug in ("mill", "rnill", "mi1l", "rnlll", "m-ill", "m--ill")
        ),
        return_exceptions=True,
    )
    refused = [one for one in made if isinstance(one, BaseException)]
    assert all(isinstance(one, Conflict) for one in refused)
    assert len(made) - len(refused) == 2


async def test_a_namespace_belongs_to_a_person_who_is_there(town: Town) -> None:
    robot = await accounts.create_robot(
        town.realm, town.by("adam"), NewRobot(await town.org("acme", "adam"), "ci"), BOSS
    )
    with pytest.raises(Unprocessable, match="robot"):
        await spaces.create_org(town.realm, OPERATOR, NewNamespace("other"), robot.id)
    with pytest.raises(NotFound):
        await spaces.create_org(town.realm, OPERATOR, NewNamespace("other"), 999)


async def test_a_robot_is_named_by_its_namespace_and_never_owns_it(town: Town) -> None:
    acme = await town.org("acme", "adam")
    by, owner = town.by("adam"), Standing("owner")
    robot = await accounts.create_robot(town.realm, by, NewRobot(acme, "ci", "write"), owner)
    assert (robot.name, robot.kind) == ("acme+ci", "robot")
    assert [one.id for one in await accounts.list_robots(town.realm, acme)] == [robot.id]
    with pytest.raises(Conflict):
        await accounts.create_robot(town.realm, by, NewRobot(acme, "ci"), owner)
    with pytest.raises(Unprocessable):
        await accounts.create_robot(town.realm, by, NewRobot(acme, "boss", "owner"), owner)


async def test_only_who_manages_a_namespace_makes_robots_in_it(town: Town) -> None:
    await town.user("ann")
    acme = await town.org("acme", "adam", ann="write")
    with pytest.raises(Denied):
        await accounts.create_robot(
            town.realm, town.by("ann"), NewRobot(acme, "ci", "read"), await town.standing(acme, "ann")
        )


async def test_a_robot_is_deleted_where_it_belongs_only(town: Town) -> None:
    acme, other = await town.org("acme", "adam"), await town.org("other", "adam")
    by, owner = town.by("adam"), Standing("owner")
    robot = await accounts.create_robot(town.realm, by, NewRobot(acme, "ci", "write"), owner)
    with pytest.raises(NotFound):
        await accounts.delete_robot(town.realm, by, other, robot.id, owner)
    with pytest.raises(NotFound):
        await accounts.delete_robot(town.realm, by, acme, town.ids["adam"], owner)
    await accounts.delete_robot(town.realm, by, acme, robot.id, owner)
    assert await accounts.list_robots(town.realm, acme) == []
    assert await town.value("SELECT count(*) FROM members WHERE account = $1", robot.id) == 0


async def test_policies_change_for_who_has_seen_them_only(town: Town) -> None:
    acme = await town.org("acme", "adam")
    policies, by = Policies(delete="owner", bytes=5), town.by("adam")
    await spaces.set_policies(town.realm, by, acme, policies, 1)
    with pytest.raises(PreconditionFailed):
        await spaces.set_policies(town.realm, by, acme, Policies(), 1)
    found = await spaces.find(town.realm, acme)
    assert (found.policies, found.version) == (policies, 2)


async def test_visibility_is_of_the_namespace_and_of_each_repository(town: Town) -> None:
    acme = await town.org("acme", "adam")
    app, by = await town.push("orgs/acme/app"), town.by("adam")
    await spaces.set_visibility(town.realm, by, acme, "public")
    await repositories.set_visibility(town.realm, by, acme, app, "private")
    assert (await spaces.find(town.realm, acme)).visibility == "public"
    assert [one.visibility for one in await repositories.list_repositories(town.realm, acme)] == ["private"]
    with pytest.raises(Unprocessable):
        await spaces.set_visibility(town.realm, by, acme, "secret")
    with pytest.raises(NameUnknown):
        await repositories.set_visibility(town.realm, by, await town.org("other", "adam"), app, "public")


async def test_what_is_said_of_a_namespace_has_an_end(town: Town) -> None:
    acme, by = await town.org("acme", "adam"), town.by("adam")
    await spaces.describe(town.realm, by, acme, "Acme", "Anvils.\nBy mail.")
    found = await spaces.find(town.realm, acme)
    assert (found.display_name, found.description) == ("Acme", "Anvils.\nBy mail.")
    for texts in (("two\nlines", ""), ("a" * 101, ""), ("", "a" * 4001), ("", "\0"), ("", "\ud800")):
        with pytest.raises(Unprocessable):
            await spaces.describe(town.realm, by, acme, *texts)


async def test_namespaces_are_listed_with_the_own_role_page_by_page(town: Town) -> None:
    await town.user("ann")
    made = [await town.org(slug, "adam", ann="read") for slug in ("b", "a", "c")]
    first = await spaces.list_of(town.realm, town.ids["ann"], limit=2)
    rest = await spaces.list_of(town.realm, town.ids["ann"], first[-1][0].id)
    assert [(space.slug, role) for space, role in first + rest] == [
        ("ann", "owner"), ("b", "read"), ("a", "read"), ("c", "read")
    ]  # fmt: skip
    assert [space.id for space in await spaces.list_all(town.realm, made[0])] == made[1:]


async def test_a_change_is_announced_before_and_after_it(town: Town) -> None:
    await town.user("ann")
    acme = await town.org("acme", "adam", ann="read")
    look = town.watch(namespace_slot(acme), account_slot(town.ids["ann"]))
    await spaces.set_visibility(town.realm, town.by("adam"), acme, "internal")
    assert look() == [False, True]
    await members.remove(town.realm, town.by("adam"), acme, town.ids["ann"], BOSS)
    assert look() == [False, False]
