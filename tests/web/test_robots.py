"""Robots and their keys over /v1."""

import pytest

from tests.web.spaces import Org, org_of
from tests.web.town import Town

KEY = {"name": "k", "scopes": ["publish"]}


async def test_a_robot_may_do_what_a_grant_gives_it_and_no_more(town: Town, org: Org) -> None:
    app = await org.repository("app")
    made = await org.call("POST", "/robots", {"name": "ci"}, by=org.admin)
    assert (made.status_code, made.json()["name"]) == (201, f"{org.slug}+ci")
    assert (await org.call("POST", "/robots", {"name": "ci"})).status_code == 409
    key = (await org.call("POST", "/robots/ci/keys", {"name": "k", "scopes": ["admin"]}, by=org.admin)).json()
    assert key["key"].startswith("gati_robot_")
    path = f"{org.path}/repositories/{app.replace('/', '%2F')}"
    assert (await town.call("GET", path, key=key["key"])).status_code == 404
    await org.call("PUT", "/grants", {"account": f"{org.slug}+ci", "repository": app, "role": "write"})
    assert (await town.call("GET", path, key=key["key"])).status_code == 200
    assert (await town.call("PATCH", path, {"visibility": "public"}, key=key["key"])).status_code == 403
    assert (await town.call("GET", org.path, key=key["key"])).status_code == 404
    await org.call("PUT", f"/members/{org.slug}+ci", {"role": "admin"})
    assert (await town.call("GET", f"{org.path}/robots", key=key["key"])).status_code == 200
    assert (await org.call("PUT", f"/members/{org.slug}+ci", {"role": "owner"})).status_code == 422


async def test_robots_are_listed_in_pages(town: Town, org: Org) -> None:
    for name in ("b", "c", "a"):
        await org.call("POST", "/robots", {"name": name})
    first = await org.call("GET", "/robots?limit=2")
    rest = await town.call("GET", first.links["next"]["url"].replace("+", "%2B"), key=org.owner)
    found = [one["name"] for one in (*first.json()["items"], *rest.json()["items"])]
    assert found == [f"{org.slug}+{name}" for name in "abc"]


async def test_a_robot_is_named_with_or_without_its_namespace(org: Org) -> None:
    await org.call("POST", "/robots", {"name": "ci"})
    for name in ("ci", f"{org.slug}+ci", f"{org.slug}%2Bci"):
        assert (await org.call("GET", f"/robots/{name}/keys")).status_code == 200


async def test_the_keys_of_a_robot_turn_over_and_end(town: Town, org: Org) -> None:
    await org.call("POST", "/robots", {"name": "ci"})
    old = (await org.call("POST", "/robots/ci/keys", KEY)).json()
    new = await org.call("POST", f"/robots/ci/keys/{old['id']}/rotate", {"overlapSeconds": 0})
    assert new.status_code == 201
    assert (await town.is_good(old["key"]), await town.is_good(new.json()["key"])) == (False, True)
    listed = (await org.call("GET", "/robots/ci/keys")).json()["items"]
    assert [one["id"] for one in listed] == [new.json()["id"]]
    assert "key" not in listed[0]
    assert (await org.call("DELETE", f"/robots/ci/keys/{new.json()['id']}")).status_code == 204
    assert not await town.is_good(new.json()["key"])
    author = await town.run("SELECT created_by FROM credentials WHERE id = $1", old["id"])
    assert author == org.owner.id


async def test_a_key_of_a_robot_never_ends_unless_it_says_so(town: Town) -> None:
    org = await org_of(town, owner=await town.person())
    await org.call("POST", "/robots", {"name": "ci"})
    told = [(await org.call("POST", "/robots/ci/keys", KEY | more)).json() for more in ({}, {"expiresInDays": 1})]
    assert [key["expiresAt"] is None for key in told] == [True, False]


async def test_a_deleted_robot_is_refused_from_the_next_request_on(town: Town, org: Org) -> None:
    await org.call("POST", "/robots", {"name": "ci"})
    key = (await org.call("POST", "/robots/ci/keys", KEY)).json()
    assert await town.is_good(key["key"])
    assert (await org.call("DELETE", "/robots/ci", by=org.admin)).status_code == 204
    assert not await town.is_good(key["key"])
    assert (await org.call("GET", "/robots")).json()["items"] == []


async def test_a_key_makes_no_wider_key_for_a_robot(town: Town, org: Org) -> None:
    await org.call("POST", "/robots", {"name": "ci"})
    mine = await town.key(org.owner, scopes=["admin"], namespaces=[f"orgs/{org.slug}"], expiresInDays=1)
    path = f"{org.path}/robots/ci/keys"
    wide = {"name": "k", "scopes": ["admin"]}
    assert (await town.call("POST", path, wide, key=mine["key"])).status_code == 403
    narrow = await town.call("POST", path, wide | {"namespaces": [f"orgs/{org.slug}"]}, key=mine["key"])
    assert narrow.status_code == 201
    assert narrow.json()["expiresAt"] == mine["expiresAt"]
    assert (await town.call("DELETE", f"/v1/api-keys/{mine['id']}", key=org.owner)).status_code == 204
    assert not await town.is_good(narrow.json()["key"])


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/robots/{}"),
        ("GET", "/robots/{}/keys"),
        ("POST", "/robots/{}/keys"),
        ("DELETE", "/robots/{}/keys/1"),
        ("POST", "/robots/{}/keys/1/rotate"),
    ],
)
async def test_a_robot_of_others_is_as_none(town: Town, org: Org, method: str, path: str) -> None:
    other = await org_of(town)
    await other.call("POST", "/robots", {"name": "ci"})
    body = KEY if path.endswith("/keys") and method == "POST" else None
    told = set()
    for name in (f"{other.slug}+ci", "ci", "none", org.owner.name):
        answer = await org.call(method, path.format(name), body)
        told.add((answer.status_code, answer.json()["message"]))
    assert told == {(404, "The namespace has no such robot.")}
    assert len((await other.call("GET", "/robots")).json()["items"]) == 1


async def test_a_key_of_another_robot_is_as_none(town: Town, org: Org) -> None:
    other = await org_of(town)
    for one in (org, other):
        await one.call("POST", "/robots", {"name": "ci"})
    await org.call("POST", "/robots", {"name": "cd"})
    keys = [
        (await other.call("POST", "/robots/ci/keys", KEY)).json(),
        (await org.call("POST", "/robots/cd/keys", KEY)).json(),
        await town.key(org.owner),
    ]
    for method, path in (("DELETE", "/robots/ci/keys/{}"), ("POST", "/robots/ci/keys/{}/rotate")):
        told = set()
        for number in (*(key["id"] for key in keys), 2**62, 2**70, 0, "x"):
            answer = await org.call(method, path.format(number))
            told.add((answer.status_code, answer.json()["message"]))
        assert told == {(404, "The account has no such key.")}
    for key in keys:
        assert await town.is_good(key["key"])


@pytest.mark.parametrize("name", ["", "CI", "-ci", "a+b", "x" * 51])
async def test_a_name_that_no_robot_can_have_is_422(org: Org, name: str) -> None:
    assert (await org.call("POST", "/robots", {"name": name})).status_code == 422
