"""An open registry ends with its first account, once, and nothing in it is lost."""

import asyncio
from typing import Any

import pytest

from registry.audit.model import By
from registry.auth.accounts import NewUser
from registry.auth.realm import Realm
from registry.core.errors import Conflict
from registry.infra.http.counters import CATALOG, GLOBAL
from registry.namespaces import accounts, opening
from registry.namespaces.accounts import NewAccount
from tests.namespaces.town import Town

OPERATOR = By(None, "operator")
LINK = "INSERT INTO blob_links (repo, digest) VALUES ($1, $2)"
BLOB = "INSERT INTO blobs (digest, size, content) VALUES ($1, $2, '')"


@pytest.fixture
def empty(realm: Realm) -> Town:
    """A registry without accounts."""
    return Town(realm)


async def homeless(town: Town) -> Any:
    return await town.value("SELECT count(*) FROM repositories WHERE namespace IS NULL")


async def test_the_first_account_is_an_administrator_and_owns_what_was_there(empty: Town) -> None:
    for name in ("library/alpine", "orgs/acme/app", "users/ben/app", "lone"):
        await empty.push(name)
    await empty.user("adam")
    assert await empty.value("SELECT is_administrator FROM accounts")
    for name in await empty.names():
        found = await empty.found(name)
        assert found is not None
        assert found.visibility == "private"
        assert await empty.role(found.id, "adam") == "owner"
        assert await empty.value("SELECT namespace FROM repositories WHERE name = $1", name) == found.id
    assert (await empty.actions())[-1] == "registry.closed"


async def test_what_lies_under_the_first_accounts_own_name_is_its_own(empty: Town) -> None:
    await empty.push("users/adam/app")
    await empty.user("adam")
    assert await empty.value("SELECT count(*) FROM namespaces") == 1
    assert await homeless(empty) == 0


async def test_namespaces_that_look_alike_are_kept_apart_and_nobody_gets_a_third(empty: Town) -> None:
    names = ["adam/x", "adarn/x", "mill/x", "rnill/x", "orgs/mill/x", "users/mi11/x", "users", "orgs"]
    for name in names:
        await empty.push(name)
    await empty.user("adam")
    found = [await empty.found(name) for name in names]
    assert len({space.id for space in found if space is not None}) == len(names)
    assert await homeless(empty) == 0
    for slug in ("mill", "rnlll", "adarn"):
        with pytest.raises(Conflict):
            await empty.user(slug)


async def test_distinct_content_is_counted_for_each_namespace(empty: Town) -> None:
    one, two, other = [await empty.push(name) for name in ("a/one", "a/two", "b/one")]
    for digest, size in (("sha256:1", 10), ("sha256:2", 200)):
        await empty.value(BLOB, digest, size)
    for repo, digest in ((one, "sha256:1"), (two, "sha256:1"), (two, "sha256:2"), (other, "sha256:1")):
        await empty.value(LINK, repo, digest)
    await empty.value("INSERT INTO manifests (repo, digest, type, bytes) VALUES ($1, 'sha256:3', '', 'xyz')", one)
    await empty.user("adam")
    used = "SELECT sum(bytes)::bigint FROM usage WHERE namespace = namespace_of($1)"
    assert [await empty.value(used, name) for name in ("a/one", "b/one")] == [213, 10]
    assert await empty.value("SELECT count(*) FROM holdings") == 4


async def test_two_first_accounts_at_once_make_one_administrator(empty: Town) -> None:
    await empty.push("library/alpine")
    await asyncio.gather(*(empty.user(name) for name in ("adam", "ben", "cain")))
    assert await empty.value("SELECT count(*) FROM accounts WHERE is_administrator") == 1
    assert await empty.value("SELECT count(*) FROM namespaces WHERE kind = 'plain'") == 1
    assert (await empty.actions()).count("registry.closed") == 1


async def test_a_push_that_commits_while_the_registry_closes_is_adopted(empty: Town) -> None:
    async with empty.realm.db.transaction() as connection:
        await connection.execute("SELECT ensure_repository('library/alpine', NULL)")
        closing = await empty.stuck(empty.user("adam"))
        assert not closing.done()
    await closing
    assert await homeless(empty) == 0


async def test_a_blob_that_commits_while_the_registry_closes_is_counted(empty: Town) -> None:
    repo = await empty.push("library/alpine")
    async with empty.realm.db.transaction() as connection:
        await connection.execute("SELECT lock_repository('library/alpine')")
        await connection.execute(BLOB, "sha256:1", 10)
        await connection.execute(LINK, repo, "sha256:1")
        closing = await empty.stuck(empty.user("adam"))
        assert not closing.done()
    await closing
    assert await empty.value("SELECT sum(bytes)::bigint FROM usage") == 10


@pytest.mark.parametrize("name", ["library/alpine", "new/repository"])
async def test_a_push_that_comes_while_the_registry_closes_has_a_namespace_or_is_refused(
    empty: Town, name: str
) -> None:
    await empty.push("library/busybox")
    async with empty.realm.db.transaction() as connection:
        assert await opening.hold(connection)
        pushing = await empty.stuck(empty.push(name))
        assert not pushing.done()
        await accounts.make_user(connection, empty.realm, OPERATOR, NewUser("adam", None, None))
    outcomes = await asyncio.gather(pushing, return_exceptions=True)
    assert isinstance(outcomes[0], int) == name.startswith("library/")
    assert await homeless(empty) == 0


async def test_every_process_hears_of_the_end(empty: Town) -> None:
    look = empty.watch(GLOBAL, CATALOG)
    await empty.user("adam")
    assert look() == [False, False]
    look = empty.watch(GLOBAL)
    await empty.user("ben")
    assert look() == [True]


async def test_a_first_account_that_fails_leaves_the_registry_open(empty: Town) -> None:
    await empty.push("library/alpine")
    with pytest.raises(Exception, match="address"):
        await accounts.create_user(empty.realm, OPERATOR, NewAccount(name="adam", email="none"))
    async with empty.realm.db.connection() as connection:
        assert not await opening.has_ended(connection)
    assert await homeless(empty) == 1
