"""Members and invitations over /v1: who may make whom what."""

from datetime import timedelta

import pytest

from registry.namespaces import members
from tests.web.spaces import Org, org_of, somebody
from tests.web.town import Person, Town


async def test_members_are_listed_in_pages_with_their_roles(town: Town, org: Org) -> None:
    first = await org.call("GET", "/members?limit=3")
    rest = await town.call("GET", first.links["next"]["url"], key=org.owner)
    found = {one["account"]: one["role"] for one in (*first.json()["items"], *rest.json()["items"])}
    assert found == {
        org.owner.name: "owner",
        org.admin.name: "admin",
        org.writer.name: "write",
        org.reader.name: "read",
    }
    assert (await org.call("GET", "/members?after=x")).status_code == 400


async def test_a_member_gets_another_role_at_once(org: Org) -> None:
    done = await org.call("PUT", f"/members/{org.reader.name}", {"role": "admin"}, by=org.admin)
    assert (done.status_code, done.json()) == (200, {"account": org.reader.name, "role": "admin", "expiresAt": None})
    assert (await org.call("GET", "/members", by=org.reader)).status_code == 200
    await org.call("PUT", f"/members/{org.reader.name}", {"role": "read"})
    assert (await org.call("GET", "/members", by=org.reader)).status_code == 403


async def test_a_membership_may_end_by_itself(org: Org, town: Town) -> None:
    ends = town.realm.clock() + timedelta(days=30)
    body = {"role": "write", "expiresAt": ends.isoformat()}
    assert (await org.call("PUT", f"/members/{org.reader.name}", body)).status_code == 200
    found = (await org.call("GET", "/members")).json()["items"]
    assert [one["expiresAt"] is not None for one in found if one["account"] == org.reader.name] == [True]
    for wrong in (
        {"role": "owner", "expiresAt": ends.isoformat()},
        {"role": "read", "expiresAt": "2020-01-01T00:00:00Z"},
    ):
        assert (await org.call("PUT", f"/members/{org.reader.name}", wrong)).status_code == 422


async def test_whoever_is_no_member_is_asked_first(town: Town, org: Org) -> None:
    asked = await org.call("PUT", f"/members/{org.stranger.name}", {"role": "write"}, by=org.admin)
    assert asked.status_code == 202
    number = asked.json()["invitation"]
    listed = (await org.call("GET", "/invitations")).json()["items"]
    assert [(one["id"], one["account"], one["role"], one["invitedBy"]) for one in listed] == [
        (number, org.stranger.name, "write", org.admin.name)
    ]
    assert (await org.call("GET", "", by=org.stranger)).status_code == 404
    mine = (await town.call("GET", "/v1/me/invitations", key=org.stranger)).json()["items"]
    assert [(one["id"], one["namespace"]) for one in mine] == [(number, f"orgs/{org.slug}")]
    assert (await town.call("POST", f"/v1/me/invitations/{number}/accept", key=org.stranger)).status_code == 204
    assert (await org.call("GET", "", by=org.stranger)).json()["role"] == "write"
    assert (await org.call("GET", "/invitations")).json()["items"] == []


async def test_an_invitation_does_not_say_when_the_membership_ends(town: Town, org: Org) -> None:
    body = {"role": "read", "expiresAt": (town.realm.clock() + timedelta(days=1)).isoformat()}
    answer = await org.call("PUT", f"/members/{org.stranger.name}", body)
    assert (answer.status_code, answer.json()["details"]["pointer"]) == (422, "/expiresAt")


async def test_an_administrator_of_the_registry_adds_members_unasked(org: Org, boss: Person) -> None:
    done = await org.call("PUT", f"/members/{org.stranger.name}", {"role": "owner"}, by=boss)
    assert done.status_code == 200
    assert (await org.call("GET", "", by=org.stranger)).json()["role"] == "owner"


async def test_an_admin_touches_no_owner(town: Town, org: Org) -> None:
    for method, path, body in (
        ("PUT", f"/members/{org.reader.name}", {"role": "owner"}),
        ("PUT", f"/members/{org.admin.name}", {"role": "owner"}),
        ("PUT", f"/members/{org.stranger.name}", {"role": "owner"}),
        ("PUT", f"/members/{org.owner.name}", {"role": "read"}),
        ("DELETE", f"/members/{org.owner.name}", None),
    ):
        answer = await org.call(method, path, body, by=org.admin)
        assert (answer.status_code, answer.json()["code"]) == (403, "INSUFFICIENT_PERMISSIONS")
    asked = await org.call("PUT", f"/members/{org.stranger.name}", {"role": "owner"})
    path = f"/invitations/{asked.json()['invitation']}"
    assert (await org.call("DELETE", path, by=org.admin)).status_code == 403
    assert (await org.call("DELETE", path)).status_code == 204
    assert (await town.call("GET", "/v1/me/invitations", key=org.stranger)).json()["items"] == []


async def test_the_last_owner_stays(org: Org) -> None:
    assert (await org.call("PUT", f"/members/{org.owner.name}", {"role": "admin"})).status_code == 409
    assert (await org.call("DELETE", f"/members/{org.owner.name}")).status_code == 409
    await org.call("PUT", f"/members/{org.admin.name}", {"role": "owner"})
    assert (await org.call("DELETE", f"/members/{org.owner.name}")).status_code == 204
    assert (await org.call("GET", "")).status_code == 404


async def test_a_removed_member_is_refused_from_the_next_request_on(org: Org) -> None:
    await org.call("POST", "/teams", {"name": "core"})
    await org.call("PUT", f"/teams/core/members/{org.writer.name}")
    await org.call("PUT", "/grants", {"team": "core", "role": "admin"})
    assert (await org.call("GET", "/members", by=org.writer)).status_code == 200
    assert (await org.call("DELETE", f"/members/{org.writer.name}", by=org.admin)).status_code == 204
    assert (await org.call("GET", "/members", by=org.writer)).status_code == 404


async def test_everybody_may_leave_but_not_with_a_key_for_less(town: Town, org: Org) -> None:
    mine = f"/members/{org.reader.name}"
    await org.call("PATCH", "", {"visibility": "public"})
    elsewhere = f"users/{org.reader.name}"
    for more in ({"scopes": ["read-only"]}, {"scopes": ["admin"], "namespaces": [elsewhere]}):
        key = await town.key(org.reader, **more)
        assert (await town.call("DELETE", org.path + mine, key=key["key"])).status_code == 403
    assert (await org.call("DELETE", f"/members/{org.writer.name}", by=org.reader)).status_code == 403
    assert (await town.call("DELETE", org.path + mine)).status_code == 403
    assert (await org.call("DELETE", mine, by=org.reader)).status_code == 204
    assert await members.find(town.realm, org.id, org.reader.id) is None


async def test_who_is_no_member_is_as_nobody(town: Town, org: Org) -> None:
    other = await org_of(town)
    await other.call("POST", "/robots", {"name": "ci"})
    told = set()
    for name in (org.stranger.name, f"{other.slug}+ci", "nobody-1", "ä", "x y"):
        answer = await org.call("DELETE", f"/members/{name}")
        told.add((answer.status_code, answer.json()["message"]))
    assert len(told) == 1


async def test_an_account_that_there_is_not_is_as_a_robot_of_others(town: Town, org: Org) -> None:
    other = await org_of(town)
    await other.call("POST", "/robots", {"name": "ci"})
    told = set()
    for name in (f"{other.slug}+ci", "nobody-1"):
        answer = await org.call("PUT", f"/members/{name}", {"role": "read"})
        told.add((answer.status_code, answer.json()["message"]))
    assert told == {(404, "There is no such account.")}


async def test_an_invitation_of_others_is_as_none(town: Town, org: Org) -> None:
    other = await org_of(town)
    asked = (await other.call("PUT", f"/members/{org.stranger.name}", {"role": "read"})).json()["invitation"]
    told = set()
    for number in (asked, 2**62, 2**70, 0, "x"):
        answer = await org.call("DELETE", f"/invitations/{number}")
        told.add((answer.status_code, answer.json()["message"]))
    assert told == {(404, "There is no such invitation.")}
    assert len((await other.call("GET", "/invitations")).json()["items"]) == 1


async def test_invitations_are_listed_in_pages(town: Town, org: Org) -> None:
    for _ in range(3):
        await org.call("PUT", f"/members/{(await somebody(town)).name}", {"role": "read"})
    first = await org.call("GET", "/invitations?limit=2")
    rest = await town.call("GET", first.links["next"]["url"], key=org.owner)
    assert (len(first.json()["items"]), len(rest.json()["items"]), "next" in rest.json()) == (2, 1, False)


@pytest.mark.parametrize("body", [{}, {"role": "god"}, {"role": "read", "more": 1}, {"role": None}])
async def test_a_role_that_there_is_not_is_422(org: Org, body: dict[str, object]) -> None:
    assert (await org.call("PUT", f"/members/{org.reader.name}", body)).status_code == 422


async def test_who_did_what_is_in_the_log(town: Town, org: Org) -> None:
    await org.call("PUT", f"/members/{org.reader.name}", {"role": "write"}, by=org.admin)
    statement = (
        "SELECT actor_name FROM audit_events WHERE namespace = $1 AND action = 'member.changed' ORDER BY id DESC"
    )
    assert await town.run(statement, org.id) == org.admin.name
