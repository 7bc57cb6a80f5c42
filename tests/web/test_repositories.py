"""Repositories of a namespace over /v1."""

import pytest

from tests.web.spaces import Org, org_of
from tests.web.town import Town


def at(name: str) -> str:
    return f"/repositories/{name.replace('/', '%2F')}"


async def test_everybody_sees_the_repositories_that_are_for_him(town: Town, org: Org) -> None:
    await org.call("PATCH", "", {"visibility": "public"})
    names = {kind: await org.repository(f"{kind}-app", kind) for kind in ("private", "internal", "public")}
    told = {
        who: {one["name"] for one in (await town.call("GET", f"{org.path}/repositories", key=key)).json()["items"]}
        for who, key in {"anybody": None, "stranger": org.stranger, "reader": org.reader}.items()
    }
    assert told == {
        "anybody": {names["public"]},
        "stranger": {names["public"], names["internal"]},
        "reader": set(names.values()),
    }
    for kind, who in (("private", org.stranger), ("private", None), ("internal", None)):
        answer = await town.call("GET", org.path + at(names[kind]), key=who)
        assert answer.status_code == (401 if who is None else 404)
    await org.call("PUT", "/grants", {"account": org.stranger.name, "repository": names["private"], "role": "read"})
    found = (await org.call("GET", "/repositories", by=org.stranger)).json()["items"]
    assert {one["name"] for one in found} == set(names.values())


async def test_repositories_are_listed_in_pages(town: Town, org: Org) -> None:
    names = [await org.repository(name) for name in ("a", "b/c", "d")]
    first = await org.call("GET", "/repositories?limit=2", by=org.reader)
    rest = await town.call("GET", first.links["next"]["url"], key=org.reader)
    assert [one["name"] for one in (*first.json()["items"], *rest.json()["items"])] == names
    assert "next" not in rest.json()


async def test_a_key_for_one_repository_lists_that_alone(town: Town, org: Org) -> None:
    await org.call("PATCH", "", {"visibility": "public"})
    app = await org.repository("app", "private")
    await org.repository("other", "private")
    key = await town.key(org.owner, scopes=["read-only"], repositories=[app])
    found = (await town.call("GET", f"{org.path}/repositories", key=key["key"])).json()["items"]
    assert [one["name"] for one in found] == [app]


async def test_a_repository_is_shown_to_others_and_hidden_again(town: Town, org: Org) -> None:
    app = await org.repository("app")
    shown = await org.call("PATCH", at(app), {"visibility": "public"}, by=org.admin)
    assert (shown.status_code, shown.json()["visibility"]) == (200, "public")
    assert (await town.call("GET", org.path + at(app))).json()["name"] == app
    hidden = await org.change("PATCH", at(app), {"visibility": None}, shown.headers["etag"])
    assert (hidden.status_code, hidden.json()["visibility"]) == (200, None)
    assert (await town.call("GET", org.path + at(app))).status_code == 401
    assert (await org.change("PATCH", at(app), {"visibility": "public"}, shown.headers["etag"])).status_code == 412


async def test_the_old_name_of_a_repository_leads_to_it(org: Org) -> None:
    app, other = await org.repository("app"), await org.repository("other")
    renamed = await org.call("PATCH", at(app), {"name": f"orgs/{org.slug}/tool"})
    assert renamed.json()["name"] == f"orgs/{org.slug}/tool"
    assert (await org.call("GET", at(app))).json()["name"] == f"orgs/{org.slug}/tool"
    assert (await org.call("PATCH", at(app), {"name": other})).status_code == 409
    assert (await org.call("PATCH", at(app), {"name": "orgs/elsewhere/tool"})).status_code == 422
    assert (await org.call("PATCH", at(app), {"name": f"orgs/{org.slug}/Tool"})).status_code == 400


async def test_a_deleted_repository_is_gone_at_once(town: Town, org: Org) -> None:
    app = await org.repository("app")
    assert (await org.call("DELETE", at(app), by=org.writer)).status_code == 403
    assert (await org.call("DELETE", at(app), by=org.admin)).status_code == 202
    assert (await org.call("GET", at(app))).status_code == 404
    assert (await org.call("DELETE", at(app))).status_code == 404
    statement = "SELECT actor_name FROM audit_events WHERE action = 'repository.deleted' AND namespace = $1"
    assert await town.run(statement, org.id) == org.admin.name


@pytest.mark.parametrize(("delete", "admin", "owner"), [("owner", 403, 202), ("nobody", 403, 403)])
async def test_whom_the_policy_does_not_let_deletes_no_repository(
    org: Org, delete: str, admin: int, owner: int
) -> None:
    app = await org.repository("app")
    await org.call("PUT", "/policies", {"delete": delete})
    assert (await org.call("DELETE", at(app), by=org.admin)).status_code == admin
    assert (await org.call("DELETE", at(app))).status_code == owner


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_a_repository_of_others_is_as_none(town: Town, org: Org, method: str) -> None:
    other = await org_of(town, owner=org.owner)
    mine, hidden = await other.repository("app"), await (await org_of(town)).repository("app")
    told = set()
    for name in (mine, hidden, f"orgs/{org.slug}/none", f"orgs/{org.slug}", "nowhere"):
        answer = await org.call(method, at(name), {"visibility": "public"} if method == "PATCH" else None)
        told.add((answer.status_code, answer.json()["message"].replace(name, "…")))
    assert told == {(404, f"… does not exist, or {org.owner.name} may not see it.")}
    assert await town.run("SELECT count(*) FROM repositories WHERE state = 'live' AND visibility IS NULL") == 2


async def test_a_repository_is_reached_by_every_name_of_its_namespace(town: Town, org: Org) -> None:
    app = await org.repository("app")
    await org.call("POST", "/rename", {"slug": f"{org.slug}-new"})
    for ns in (org.slug, f"orgs~{org.slug}", f"{org.slug}-new", f"orgs~{org.slug}-new"):
        answer = await town.call("GET", f"/v1/namespaces/{ns}{at(app)}", key=org.reader)
        assert (answer.status_code, answer.json().get("name")) == (200, f"orgs/{org.slug}-new/app")
    assert (await town.call("GET", f"/v1/namespaces/users~{org.slug}{at(app)}", key=org.reader)).status_code == 404
