"""Namespaces over /v1, as each role sees them."""

import pytest

from registry.namespaces.access import Right
from registry.web import audit, invitations, members, namespaces, policies, repositories, robots, teams
from registry.web.rest import Row
from tests.web.spaces import Org, org_of, somebody
from tests.web.test_rows import SITE
from tests.web.town import Person, Town

ROWS: tuple[Row, ...] = (
    *(row for part in (namespaces, policies, repositories) for row in part.rows(SITE)),
    *(row for part in (members, invitations, teams, robots, audit) for row in part.ROWS),
)
IN_ONE = [row for row in ROWS if "{ns}" in row.path]
FILLED = {"ns": "{ns}", "account": "nobody-1", "team": "none", "robot": "none", "id": "1"}


def asked(row: Row, org: Org, repository: str) -> str:
    values = FILLED | {"ns": org.slug, "repo": repository.replace("/", "%2F")}
    return row.path.format_map(values)


def named(row: Row) -> str:
    return f"{row.method} {row.path}"


@pytest.mark.parametrize("row", IN_ONE, ids=named)
async def test_a_row_is_for_those_who_hold_its_right(town: Town, org: Org, row: Row) -> None:
    path = asked(row, org, await org.repository("app"))
    told = {
        who: (await town.call(row.method, path, {} if row.body else None, key=person)).status_code
        for who, person in {
            "anybody": None,
            "stranger": org.stranger,
            "reader": org.reader,
            "writer": org.writer,
            "admin": org.admin,
        }.items()
    }
    assert (told["anybody"], told["stranger"]) == (401, 404)
    below = {"reader": row.needs is Right.VIEW, "writer": row.needs is Right.VIEW, "admin": row.needs is not Right.OWN}
    is_own_alone = (row.method, row.path) == ("DELETE", "/v1/namespaces/{ns}/members/{account}")
    for who, holds in below.items():
        assert (told[who] != 403) == (holds and not (is_own_alone and who != "admin")), who


@pytest.mark.parametrize("row", [row for row in ROWS if row.needs is Right.MANAGE], ids=named)
async def test_a_key_for_less_than_administration_manages_nothing(town: Town, org: Org, row: Row) -> None:
    path = asked(row, org, await org.repository("app"))
    narrow = await town.key(org.owner, scopes=["publish"])
    other = await town.key(
        org.owner, scopes=["admin"], namespaces=[f"orgs/{(await org_of(town, owner=org.owner)).slug}"]
    )
    body: dict[str, str] | None = {} if row.body else None
    assert (await town.call(row.method, path, body, key=narrow["key"])).status_code == 403
    assert (await town.call(row.method, path, body, key=other["key"])).status_code == 404


async def test_an_organisation_is_private_until_it_says_otherwise(town: Town) -> None:
    ann = await somebody(town)
    made = (await town.call("POST", "/v1/orgs", {"slug": "acme", "displayName": "Acme"}, key=ann)).json()
    assert (made["name"], made["kind"], made["visibility"], made["role"]) == ("orgs/acme", "org", "private", "owner")
    public = await town.call("POST", "/v1/orgs", {"slug": "open-things", "visibility": "public"}, key=ann)
    assert public.json()["visibility"] == "public"
    seen = await town.call("GET", "/v1/namespaces/orgs~open-things")
    assert (seen.status_code, seen.json()["role"], "usage" in seen.json()) == (200, None, False)
    for slug in ("acme", "acrne", "admin", "Acme"):
        refused = await town.call("POST", "/v1/orgs", {"slug": slug}, key=await somebody(town))
        assert refused.status_code == (409 if slug in {"acme", "acrne"} else 422)


async def test_plain_namespaces_are_made_by_administrators_alone(town: Town, boss: Person) -> None:
    ann = await somebody(town)
    assert (await town.call("POST", "/v1/namespaces", {"slug": "library"}, key=ann)).status_code == 403
    made = await town.call("POST", "/v1/namespaces", {"slug": "library", "visibility": "internal"}, key=boss)
    assert (made.status_code, made.json()["name"], made.json()["visibility"]) == (201, "library", "internal")
    narrow = await town.key(boss, scopes=["publish"])
    assert (await town.call("POST", "/v1/namespaces", {"slug": "other"}, key=narrow["key"])).status_code == 403


async def test_everybody_lists_where_he_has_a_role_and_administrators_list_all(
    town: Town, org: Org, boss: Person
) -> None:
    other = await org_of(town)
    for person, names in (
        (org.reader, {("users/" + org.reader.name, "owner"), (f"orgs/{org.slug}", "read")}),
        (org.stranger, {("users/" + org.stranger.name, "owner")}),
    ):
        found = (await town.call("GET", "/v1/namespaces", key=person)).json()["items"]
        assert {(one["name"], one["role"]) for one in found} == names
    first = await town.call("GET", "/v1/namespaces?limit=2", key=boss)
    found = first.json()["items"]
    while "next" in first.links:
        first = await town.call("GET", first.links["next"]["url"], key=boss)
        found += first.json()["items"]
    assert {f"orgs/{org.slug}", f"orgs/{other.slug}"} <= {one["name"] for one in found}
    assert len({one["id"] for one in found}) == len(found)
    assert (await town.call("GET", "/v1/namespaces")).status_code == 401


async def test_the_role_that_is_listed_is_that_of_the_highest_team(town: Town, org: Org) -> None:
    await org.call("POST", "/teams", {"name": "core"})
    await org.call("PUT", f"/teams/core/members/{org.reader.name}")
    await org.call("PUT", "/grants", {"team": "core", "role": "admin"})
    found = (await town.call("GET", "/v1/namespaces", key=org.reader)).json()["items"]
    assert {one["role"] for one in found if one["name"] == f"orgs/{org.slug}"} == {"admin"}
    assert (await org.call("GET", "", by=org.reader)).json()["role"] == "admin"


async def test_a_key_for_some_namespaces_lists_those_alone(town: Town, org: Org) -> None:
    key = await town.key(org.owner, scopes=["read-only"], namespaces=[f"orgs/{org.slug}"])
    found = (await town.call("GET", "/v1/namespaces", key=key["key"])).json()["items"]
    assert [one["name"] for one in found] == [f"orgs/{org.slug}"]
    await org.repository("app")
    inner = await town.key(org.owner, scopes=["read-only"], repositories=[f"orgs/{org.slug}/app"])
    assert (await town.call("GET", "/v1/namespaces", key=inner["key"])).json()["items"] == []


async def test_what_is_kept_from_an_address_is_not_listed_there(town: Town, org: Org) -> None:
    await org.call("PUT", "/policies", {"addresses": ["198.51.100.0/24", "192.0.2.7/32"]})
    listed = await town.call("GET", "/v1/namespaces", key=org.reader, address="203.0.113.1")
    assert f"orgs/{org.slug}" not in {one["name"] for one in listed.json()["items"]}
    assert (await town.call("GET", org.path, key=org.reader, address="203.0.113.1")).status_code == 404


async def test_those_who_manage_see_what_it_holds(org: Org) -> None:
    await org.repository("app")
    for person, usage in ((org.owner, {"bytes": 0, "repositories": 1}), (org.reader, None)):
        assert (await org.call("GET", "", by=person)).json().get("usage") == usage


async def test_a_change_of_what_was_changed_meanwhile_is_412(org: Org) -> None:
    seen = await org.call("GET", "")
    changed = await org.change("PATCH", "", {"description": "What we build."}, seen.headers["etag"])
    assert (changed.status_code, changed.json()["description"]) == (200, "What we build.")
    late = await org.change("PATCH", "", {"visibility": "public"}, seen.headers["etag"])
    assert (late.status_code, late.json()["code"]) == (412, "PRECONDITION_FAILED")
    assert late.headers["etag"] == changed.headers["etag"]
    done = await org.change("PATCH", "", {"visibility": "public", "displayName": "X"}, changed.headers["etag"])
    assert (done.json()["visibility"], done.json()["displayName"], done.json()["description"]) == (
        "public",
        "X",
        "What we build.",
    )
    assert (await org.call("PATCH", "", {"visibility": "secret"})).status_code == 422


async def test_of_two_who_change_what_both_have_seen_one_is_told(org: Org) -> None:
    etag = (await org.call("GET", "")).headers["etag"]
    told = await org.at_once(*(org.change("PATCH", "", {"displayName": name}, etag) for name in ("a", "b")))
    assert sorted(answer.status_code for answer in told) == [200, 412]


async def test_the_old_name_of_a_namespace_leads_to_it(town: Town, org: Org) -> None:
    renamed = await org.call("POST", "/rename", {"slug": f"{org.slug}-new"})
    assert renamed.json()["name"] == f"orgs/{org.slug}-new"
    assert (await org.call("GET", "")).json()["slug"] == f"{org.slug}-new"
    assert (await town.call("POST", "/v1/orgs", {"slug": org.slug}, key=org.stranger)).status_code == 409
    assert (await org.call("POST", "/rename", {"slug": "admin"})).status_code == 422


async def test_a_namespace_that_was_given_away_is_the_other_s_alone(town: Town, org: Org) -> None:
    await org.call("POST", "/robots", {"name": "ci"})
    done = await org.call("POST", "/transfer", {"to": org.stranger.name})
    assert done.json()["owner"] == org.stranger.name
    assert done.json()["removed"] == sorted(one.name for one in (org.owner, org.admin, org.writer, org.reader))
    assert done.json()["robots"] == [f"{org.slug}+ci"]
    for person in (org.owner, org.admin, org.reader):
        assert (await org.call("GET", "", by=person)).status_code == 404
    assert (await org.call("GET", "", by=org.stranger)).json()["role"] == "owner"


async def test_a_namespace_goes_to_no_robot_and_to_nobody(town: Town, org: Org) -> None:
    other = await org_of(town)
    for one in (org, other):
        await one.call("POST", "/robots", {"name": "ci"})
    own, foreign, absent = [
        await org.call("POST", "/transfer", {"to": to}) for to in (f"{org.slug}+ci", f"{other.slug}+ci", "nobody-1")
    ]
    assert own.status_code == 422
    assert (foreign.status_code, foreign.json()["message"]) == (404, absent.json()["message"])
    mine = await town.call("POST", f"/v1/namespaces/{org.owner.name}/transfer", {"to": org.admin.name}, key=org.owner)
    assert mine.status_code == 422


async def test_a_deleted_namespace_is_gone_with_its_repositories_and_its_name(town: Town, org: Org) -> None:
    await org.repository("app")
    assert (await org.call("DELETE", "")).status_code == 202
    for person in (org.owner, org.reader):
        assert (await org.call("GET", "", by=person)).status_code == 404
    assert await town.run("SELECT count(*) FROM repositories WHERE state = 'live' AND namespace = $1", org.id) == 0
    assert (await town.call("POST", "/v1/orgs", {"slug": org.slug}, key=org.owner)).status_code == 409
    own = await town.call("DELETE", f"/v1/namespaces/users~{org.owner.name}", key=org.owner)
    assert own.status_code == 422
    assert {"namespace.deleted", "repository.deleted"} <= set(await org.audited())


async def test_a_hidden_namespace_is_as_one_that_there_is_not(town: Town, org: Org) -> None:
    told = set()
    for slug in (org.slug, "no-such-thing"):
        answer = await town.call("GET", f"/v1/namespaces/{slug}", key=org.stranger)
        told.add((answer.status_code, answer.json()["message"].replace(slug, "…")))
    assert len(told) == 1
