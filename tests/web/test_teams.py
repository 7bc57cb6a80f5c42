"""Teams and grants over /v1."""

import pytest

from tests.web.spaces import Org, org_of
from tests.web.town import Town


async def test_a_team_is_made_filled_and_deleted(town: Town, org: Org) -> None:
    made = await org.call("POST", "/teams", {"name": "core", "description": "The core."}, by=org.admin)
    assert (made.status_code, made.json()["name"], made.json()["members"]) == (201, "core", 0)
    assert (await org.call("POST", "/teams", {"name": "core"})).status_code == 409
    for person in (org.reader, org.writer):
        assert (await org.call("PUT", f"/teams/core/members/{person.name}")).status_code == 204
    first = await org.call("GET", "/teams/core/members?limit=1")
    rest = await town.call("GET", first.links["next"]["url"], key=org.owner)
    found = {one["account"] for one in (*first.json()["items"], *rest.json()["items"])}
    assert found == {org.reader.name, org.writer.name}
    assert (await org.call("DELETE", f"/teams/core/members/{org.reader.name}")).status_code == 204
    assert (await org.call("GET", "/teams")).json()["items"][0]["members"] == 1
    assert (await org.call("DELETE", "/teams/core")).status_code == 204
    assert (await org.call("GET", "/teams")).json()["items"] == []


async def test_teams_are_listed_in_pages(town: Town, org: Org) -> None:
    for name in ("b", "c", "a"):
        await org.call("POST", "/teams", {"name": name})
    first = await org.call("GET", "/teams?limit=2")
    rest = await town.call("GET", first.links["next"]["url"], key=org.owner)
    assert [one["name"] for one in first.json()["items"]] == ["a", "b"]
    assert [one["name"] for one in rest.json()["items"]] == ["c"]


async def test_only_members_are_in_teams(town: Town, org: Org) -> None:
    other = await org_of(town)
    await other.call("POST", "/robots", {"name": "ci"})
    await org.call("POST", "/teams", {"name": "core"})
    assert (await org.call("PUT", f"/teams/core/members/{org.stranger.name}")).status_code == 422
    told = {
        (answer.status_code, answer.json()["message"])
        for name in (f"{other.slug}+ci", "nobody-1")
        for answer in [await org.call("PUT", f"/teams/core/members/{name}")]
    }
    assert told == {(404, "There is no such account.")}
    told = {
        (answer.status_code, answer.json()["message"])
        for name in (org.stranger.name, f"{other.slug}+ci", "nobody-1")
        for answer in [await org.call("DELETE", f"/teams/core/members/{name}")]
    }
    assert told == {(404, "The account is not in the team core.")}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/teams/{}"),
        ("GET", "/teams/{}/members"),
        ("PUT", "/teams/{}/members/{account}"),
        ("DELETE", "/teams/{}/members/{account}"),
    ],
)
async def test_a_team_of_others_is_as_none(town: Town, org: Org, method: str, path: str) -> None:
    other = await org_of(town)
    await other.call("POST", "/teams", {"name": "core"})
    told = set()
    for name in ("core", "none", "ä", "%2e"):
        answer = await org.call(method, path.format(name, account=org.reader.name))
        told.add((answer.status_code, answer.json()["message"]))
    assert told == {(404, "There is no such team.")}
    assert len((await other.call("GET", "/teams")).json()["items"]) == 1


async def test_a_user_s_own_namespace_has_no_teams(town: Town, org: Org) -> None:
    path = f"/v1/namespaces/users~{org.reader.name}/teams"
    assert (await town.call("POST", path, {"name": "core"}, key=org.reader)).status_code == 422


async def test_a_grant_holds_in_its_repository_alone_until_it_is_taken(town: Town, org: Org) -> None:
    app, other = await org.repository("app"), await org.repository("other")
    body = {"account": org.stranger.name, "repository": app, "role": "admin"}
    made = await org.call("PUT", "/grants", body, by=org.admin)
    assert made.status_code == 200
    assert {name: made.json()[name] for name in ("account", "team", "repository", "role")} == body | {"team": None}

    async def seen(name: str) -> int:
        path = f"{org.path}/repositories/{name.replace('/', '%2F')}"
        return (await town.call("PATCH", path, {"visibility": "private"}, key=org.stranger)).status_code

    assert (await seen(app), await seen(other)) == (200, 404)
    again = await org.call("PUT", "/grants", body | {"role": "read"})
    assert (again.json()["id"], await seen(app)) == (made.json()["id"], 403)
    assert (await org.call("DELETE", f"/grants/{made.json()['id']}")).status_code == 204
    assert await seen(app) == 404


async def test_grants_of_teams_accounts_and_robots_are_one_list(town: Town, org: Org) -> None:
    app = await org.repository("app")
    await org.call("POST", "/teams", {"name": "core"})
    await org.call("POST", "/robots", {"name": "ci"})
    for body in (
        {"team": "core", "role": "write"},
        {"team": "core", "repository": app, "role": "admin"},
        {"account": f"{org.slug}+ci", "repository": app, "role": "write"},
    ):
        assert (await org.call("PUT", "/grants", body)).status_code == 200
    first = await org.call("GET", "/grants?limit=2")
    rest = await town.call("GET", first.links["next"]["url"], key=org.owner)
    found = [*first.json()["items"], *rest.json()["items"]]
    assert [(one["team"], one["account"], one["repository"], one["role"]) for one in found] == [
        ("core", None, None, "write"),
        ("core", None, app, "admin"),
        (None, f"{org.slug}+ci", app, "write"),
    ]


async def test_a_grant_is_for_one_and_never_an_owner_s(org: Org) -> None:
    app = await org.repository("app")
    await org.call("POST", "/teams", {"name": "core"})
    for body in (
        {"role": "read", "repository": app},
        {"role": "read", "repository": app, "team": "core", "account": org.reader.name},
        {"role": "owner", "team": "core"},
        {"role": "read", "account": org.reader.name},
    ):
        assert (await org.call("PUT", "/grants", body)).status_code == 422


async def test_what_others_have_is_as_absent_to_grants(town: Town, org: Org) -> None:
    other = await org_of(town)
    app, foreign = await org.repository("app"), await other.repository("app")
    await other.call("POST", "/teams", {"name": "core"})
    await other.call("POST", "/robots", {"name": "ci"})
    theirs = await other.call("PUT", "/grants", {"team": "core", "role": "read"})
    pairs: tuple[tuple[dict[str, str], dict[str, str]], ...] = (
        ({"account": org.reader.name, "repository": foreign}, {"account": org.reader.name, "repository": "orgs/no/x"}),
        ({"account": f"{other.slug}+ci", "repository": app}, {"account": "nobody-1", "repository": app}),
        ({"team": "core"}, {"team": "none"}),
    )
    for hidden, absent in pairs:
        told = {
            (answer.status_code, answer.json()["code"], answer.json()["message"])
            for body in (hidden, absent)
            for answer in [await org.call("PUT", "/grants", body | {"role": "read"})]
        }
        assert (len(told), next(iter(told))[0]) == (1, 404)
    told = {
        (answer.status_code, answer.json()["code"], answer.json()["message"])
        for number in (theirs.json()["id"], 2**62, 2**70, 0, "x")
        for answer in [await org.call("DELETE", f"/grants/{number}")]
    }
    assert told == {(404, "NOT_FOUND", "There is no such grant.")}
    assert (await org.call("GET", "/grants")).json()["items"] == []
    assert len((await other.call("GET", "/grants")).json()["items"]) == 1
