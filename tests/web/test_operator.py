"""What administrators do over /v1/admin, and nobody else."""

import json

import pytest

from registry.audit.sealing import seal
from tests.web.test_rows import ROWS
from tests.web.town import PASSWORD, Person, Town

USERS = "/v1/admin/users"


ADMIN = [(row.method, row.path) for row in ROWS if row.path.startswith("/v1/admin/")]


@pytest.fixture
async def ann(town: Town) -> Person:
    return await town.person()


@pytest.mark.parametrize(("method", "path"), ADMIN)
async def test_whoever_is_no_administrator_administers_nothing(
    town: Town, ann: Person, boss: Person, method: str, path: str
) -> None:
    path = path.replace("{account}", "boss")
    narrow = await town.key(boss, scopes=["publish"])
    org = await town.key(boss, scopes=["admin"], namespaces=[await town.org(boss)])
    assert (await town.call(method, path)).status_code == 401
    for key in (ann.token, narrow["key"], org["key"]):
        assert (await town.call(method, path, key=key)).status_code == 403


async def test_accounts_are_listed_in_pages(town: Town, ann: Person, boss: Person) -> None:
    first = await town.call("GET", f"{USERS}?limit=2", key=boss)
    rest = await town.call("GET", first.links["next"]["url"], key=boss)
    found = [*first.json()["items"], *rest.json()["items"]]
    assert {one["username"] for one in found} == {"boss", ann.name, boss.name}
    assert found[0]["isAdministrator"] is True
    assert {one["state"] for one in found} == {"active"}


async def test_an_administrator_makes_accounts_also_of_reserved_names(town: Town, boss: Person) -> None:
    body = {"username": "support", "email": "s@example.org", "password": PASSWORD, "mustChangePassword": True}
    made = await town.call("POST", USERS, body | {"isAdministrator": True}, key=boss)
    assert (made.status_code, made.json()["isAdministrator"]) == (201, True)
    login = await town.call("POST", "/v1/auth/login", {"username": "support", "password": PASSWORD})
    assert login.json()["mustChangePassword"] is True
    assert (await town.call("POST", USERS, body, key=boss)).status_code == 409


async def test_an_administrator_is_made_and_unmade_but_the_last_one_stays(
    town: Town, ann: Person, boss: Person
) -> None:
    made = await town.call("PATCH", f"{USERS}/{ann.name}", {"isAdministrator": True}, key=boss)
    assert made.json()["isAdministrator"] is True
    assert (await town.call("GET", USERS, key=ann)).status_code == 200
    for name in (boss.name, "boss"):
        answer = await town.call("PATCH", f"{USERS}/{name}", {"isAdministrator": False}, key=ann)
        assert answer.status_code == 200
    for body in ({"isAdministrator": False}, {"state": "suspended"}):
        assert (await town.call("PATCH", f"{USERS}/{ann.name}", body, key=ann)).status_code == 409
    assert (await town.call("DELETE", f"{USERS}/{ann.name}", key=ann)).status_code == 409
    assert (await town.call("GET", USERS, key=boss)).status_code == 403


async def test_a_deleted_account_is_gone_at_once(town: Town, ann: Person, boss: Person) -> None:
    assert (await town.call("DELETE", f"{USERS}/{ann.name}", key=boss)).status_code == 204
    assert not await town.is_good(ann.token)
    for method in ("PATCH", "DELETE"):
        assert (await town.call(method, f"{USERS}/{ann.name}", key=boss)).status_code == 404


async def test_the_signing_key_turns_over_and_nobody_is_logged_out(town: Town, ann: Person, boss: Person) -> None:
    before = await town.run("SELECT count(*) FROM signing_keys")
    assert (await town.call("POST", "/v1/admin/signing-keys/rotate", key=boss)).status_code == 204
    assert await town.run("SELECT count(*) FROM signing_keys") == before + 1
    assert await town.is_good(ann.token)


async def test_the_audit_log_is_read_in_pages_by_who_did_what(town: Town, ann: Person, boss: Person) -> None:
    for _ in range(3):
        await town.key(ann)
    await town.call("DELETE", f"{USERS}/{boss.name}", key=ann)
    await seal(town.realm.db)
    path = f"/v1/admin/audit?limit=2&action=key.created&actor={ann.name}"
    first = await town.call("GET", path, key=boss)
    rest = await town.call("GET", first.links["next"]["url"], key=boss)
    found = [*first.json()["items"], *rest.json()["items"]]
    assert len(found) == 3
    assert {(one["actor"]["name"], one["action"], one["address"]) for one in found} == {
        (ann.name, "key.created", "192.0.2.7")
    }
    assert "gati_key_" not in json.dumps([one["target"] for one in found])
    assert (await town.call("GET", "/v1/admin/audit?since=yesterday", key=boss)).status_code == 400
