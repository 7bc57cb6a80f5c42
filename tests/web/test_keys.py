"""API keys over /v1, as their owners and others see them."""

import pytest

from tests.web.town import Person, Town

KEYS = "/v1/api-keys"


@pytest.fixture
async def ann(town: Town) -> Person:
    return await town.person()


async def test_a_key_is_told_once_and_does_what_it_says(town: Town, ann: Person) -> None:
    org = await town.org(ann)
    made = await town.key(ann, name="ci", namespaces=[org], addresses=["192.0.2.0/24"], expiresInDays=7)
    assert made["key"].startswith("gati_key_")
    assert (made["scopes"], made["namespaces"], made["repositories"]) == (["publish"], [org], None)
    listed = (await town.call("GET", KEYS, key=ann)).json()["items"]
    assert listed == [{name: value for name, value in made.items() if name != "key"}]
    assert made["key"] not in (await town.call("GET", KEYS, key=ann)).text
    assert await town.is_good(made["key"])
    assert (await town.call("GET", "/v1/me", key=made["key"], address="198.51.100.1")).status_code == 401


async def test_keys_come_in_pages(town: Town, ann: Person) -> None:
    ids = [(await town.key(ann))["id"] for _ in range(3)]
    first = await town.call("GET", f"{KEYS}?limit=2", key=ann)
    assert [one["id"] for one in first.json()["items"]] == ids[:2]
    assert first.links["next"]["url"] == f"{KEYS}?limit=2&after={ids[1]}"
    rest = await town.call("GET", first.links["next"]["url"], key=ann)
    assert [one["id"] for one in rest.json()["items"]] == ids[2:]
    assert "next" not in rest.json()
    assert (await town.call("GET", f"{KEYS}?after=x", key=ann)).status_code == 400


async def test_a_key_of_somebody_else_is_as_one_that_there_is_not(town: Town, ann: Person, boss: Person) -> None:
    made = await town.key(ann)
    for method, path in (("DELETE", f"{KEYS}/{{}}"), ("POST", f"{KEYS}/{{}}/rotate")):
        told = {
            (answer.status_code, answer.json()["code"], answer.json()["message"])
            for one in (made["id"], 2**62, 2**70, 0, "x", "1e3")
            for answer in [await town.call(method, path.format(one), key=boss)]
        }
        assert told == {(404, "NOT_FOUND", "The account has no such key.")}
    assert await town.is_good(made["key"])


@pytest.mark.parametrize("scope", ["read-only", "publish"])
async def test_a_key_that_is_no_admin_key_makes_and_ends_none(town: Town, ann: Person, scope: str) -> None:
    made = await town.key(ann, scopes=[scope])
    for method, path, body in (
        ("POST", KEYS, {"name": "x", "scopes": [scope]}),
        ("DELETE", f"{KEYS}/{made['id']}", None),
        ("POST", f"{KEYS}/{made['id']}/rotate", None),
    ):
        answer = await town.call(method, path, body, key=made["key"])
        assert (answer.status_code, scope in answer.json()["message"]) == (403, True)
    assert len((await town.call("GET", KEYS, key=made["key"])).json()["items"]) == 1


async def test_a_key_makes_none_that_is_wider_and_takes_those_along_that_it_made(town: Town, ann: Person) -> None:
    org, other = await town.org(ann), await town.org(ann)
    parent = await town.key(ann, scopes=["admin"], namespaces=[org])
    wide = await town.call("POST", KEYS, {"name": "x", "scopes": ["publish"]}, key=parent["key"])
    assert (wide.status_code, wide.json()["code"]) == (403, "INSUFFICIENT_PERMISSIONS")
    hidden = {"name": "x", "scopes": ["publish"], "namespaces": [other]}
    assert (await town.call("POST", KEYS, hidden, key=parent["key"])).status_code == 404
    child = await town.key(parent["key"], namespaces=[org])
    assert await town.is_good(child["key"])
    assert (await town.call("DELETE", f"{KEYS}/{parent['id']}", key=ann)).status_code == 204
    assert not await town.is_good(child["key"])
    assert not await town.is_good(parent["key"])


async def test_what_the_caller_may_not_see_is_as_absent_to_its_keys(town: Town, ann: Person) -> None:
    org = await town.org(await town.person())
    home = await town.run("SELECT id FROM namespaces WHERE slug = $1", org.removeprefix("orgs/"))
    await town.run("INSERT INTO repositories (name, namespace) VALUES ($1, $2)", f"{org}/app", home)
    for word, secret, absent in (("namespaces", org, "orgs/no"), ("repositories", f"{org}/app", "orgs/no/app")):
        told = []
        for name in (secret, absent):
            answer = await town.call("POST", KEYS, {"name": "x", "scopes": ["publish"], word: [name]}, key=ann)
            told.append((answer.status_code, answer.json()["message"].replace(name, "…")))
        assert told[0] == told[1]
        assert told[0][0] == 404


async def test_a_key_does_not_tell_the_new_name_of_what_its_owner_has_left(town: Town, ann: Person) -> None:
    org = await town.org(ann)
    await town.key(ann, namespaces=[org])
    await town.run("DELETE FROM members WHERE account = $1", ann.id)
    assert (await town.call("GET", KEYS, key=ann)).json()["items"][0]["namespaces"] == []


async def test_a_rotated_key_stays_good_for_its_overlap_alone(town: Town, ann: Person) -> None:
    old = await town.key(ann, name="ci", scopes=["read-only"])
    new = (await town.call("POST", f"{KEYS}/{old['id']}/rotate", {"overlapSeconds": 60}, key=ann)).json()
    assert (new["name"], new["scopes"]) == ("ci", ["read-only"])
    assert await town.is_good(old["key"])
    assert await town.is_good(new["key"])
    listed = (await town.call("GET", KEYS, key=ann)).json()["items"]
    assert [(one["id"], one["replacedBy"]) for one in listed] == [(old["id"], new["id"]), (new["id"], None)]
    again = await town.call("POST", f"{KEYS}/{old['id']}/rotate", key=ann)
    assert again.status_code == 409
    last = (await town.call("POST", f"{KEYS}/{new['id']}/rotate", {"overlapSeconds": 0}, key=ann)).json()
    assert not await town.is_good(new["key"])
    assert await town.is_good(last["key"])


async def test_a_revoked_key_is_refused_from_the_next_request_on(town: Town, ann: Person) -> None:
    made = await town.key(ann)
    assert await town.is_good(made["key"])
    assert (await town.call("DELETE", f"{KEYS}/{made['id']}", key=ann)).status_code == 204
    answer = await town.call("GET", "/v1/me", key=made["key"])
    assert (answer.status_code, answer.json()["code"]) == (401, "TOKEN_REVOKED")
    assert (await town.call("DELETE", f"{KEYS}/{made['id']}", key=ann)).status_code == 404


async def test_a_key_of_a_suspended_account_is_refused_until_that_is_resumed(
    town: Town, ann: Person, boss: Person
) -> None:
    made = await town.key(ann)
    assert await town.is_good(made["key"])
    path = f"/v1/admin/users/{ann.name}"
    assert (await town.call("PATCH", path, {"state": "suspended"}, key=boss)).json()["state"] == "suspended"
    for secret in (made["key"], ann.token, ann.basic):
        assert not await town.is_good(secret)
    await town.call("PATCH", path, {"state": "active"}, key=boss)
    assert await town.is_good(made["key"])


@pytest.mark.parametrize(
    ("more", "pointer"),
    [
        ({"scopes": []}, "/scopes"),
        ({"scopes": ["read-only", "publish"]}, "/scopes"),
        ({"scopes": ["everything"]}, "/scopes/0"),
        ({"name": ""}, "/name"),
        ({"namespaces": []}, "/namespaces"),
        ({"expiresAt": "2030-01-01T00:00:00"}, "/expiresAt"),
        ({"expiresAt": "2030-01-01T00:00:00Z", "expiresInDays": 5}, "/expiresAt"),
        ({"expiresInDays": 0}, "/expiresInDays"),
    ],
)
async def test_a_key_that_cannot_be_is_422_and_says_where(
    town: Town, ann: Person, more: dict[str, object], pointer: str
) -> None:
    answer = await town.call("POST", KEYS, {"name": "x", "scopes": ["publish"]} | more, key=ann)
    assert (answer.status_code, answer.json()["details"]["pointer"]) == (422, pointer)


async def test_networks_and_ends_that_cannot_be_are_422(town: Town, ann: Person) -> None:
    for more in ({"addresses": ["10.0.0.1/8"]}, {"expiresAt": "2020-01-01T00:00:00Z"}):
        body = {"name": "x", "scopes": ["publish"]} | more
        assert (await town.call("POST", KEYS, body, key=ann)).status_code == 422


async def test_nobody_has_keys_without_an_account(town: Town) -> None:
    for method in ("GET", "POST"):
        assert (await town.call(method, KEYS, {"name": "x", "scopes": ["admin"]})).status_code == 401
