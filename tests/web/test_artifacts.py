"""Artifacts and their versions, as clients of /v1 read them."""

import json
from typing import Any

import httpx

from tests.web.artifact_rows import Made, release
from tests.web.spaces import Org
from tests.web.town import Person, Town


async def put(town: Town, *made: Made) -> list[str]:
    """Releases in the database; their digests."""
    async with town.realm.db.connection() as connection:
        return [await release(connection, one) for one in made]


async def test_an_artifact_is_shown_to_whoever_may_pull_it_and_absent_for_all_others(org: Org) -> None:
    hidden = f"orgs/{org.slug}/hello"
    await put(org.town, Made(hidden, tags=("latest",), columns={"description": "Says hello", "keywords": ["greet"]}))
    path = f"/v1/artifacts/{org.slug}"
    answer = await org.town.call("GET", f"{path}/hello", key=org.reader)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["repository"], found["namespace"], found["name"]) == (hidden, f"orgs/{org.slug}", "hello")
    assert (found["latest"], found["deprecated"], found["keywords"]) == ("1.0.0", False, ["greet"])
    assert (found["description"], found["type"], found["visibility"]) == ("Says hello", "module-node", "private")
    told = []
    for name in ("hello", "never"):
        refused = await org.town.call("GET", f"{path}/{name}", key=org.stranger)
        assert refused.status_code == 404
        told.append({key: value for key, value in refused.json().items() if key not in {"timestamp", "requestId"}})
        assert (await org.town.call("GET", f"{path}/{name}")).status_code == 401
    assert json.dumps(told[0]).replace("hello", "never") == json.dumps(told[1])
    absent = await org.town.call("GET", f"{path}/never", key=org.reader)
    assert (absent.status_code, absent.json()["code"]) == (404, "ARTIFACT_NOT_FOUND")
    assert absent.json()["message"].startswith(f"{org.slug}/never does not exist, or ")


async def test_versions_are_listed_the_highest_first_and_only_writers_see_what_is_not_published(org: Org) -> None:
    home = f"orgs/{org.slug}/hello"
    order = ["2.0.0", "2.0.0-rc.2", "2.0.0-rc.1", "1.10.0", "1.9.0", "1.0.0"]
    held = {"2.0.0": "received", "1.9.0": "rejected", "1.0.0": "unpublished"}
    made = [Made(home, version, state=held.get(version, "published")) for version in reversed(order)]
    await put(org.town, *made)
    path = f"/v1/artifacts/{org.slug}/hello/versions"

    async def walk(by: Person, query: str = "") -> list[tuple[str, str]]:
        found, after = [], ""
        while True:
            answer = await org.town.call("GET", f"{path}?limit=2{query}{after}", key=by)
            assert answer.status_code == 200, answer.text
            found += [(one["version"], one["state"]) for one in answer.json()["items"]]
            if "next" not in answer.json():
                return found
            assert answer.json()["next"] in answer.headers["link"]
            after = f"&after={answer.json()['next']}"

    assert [version for version, _ in await walk(org.writer)] == order
    shown = [one for one in order if held.get(one, "published") in {"published", "unpublished"}]
    assert [version for version, _ in await walk(org.reader)] == shown
    assert await walk(org.reader, "&state=unpublished") == [("1.0.0", "unpublished")]
    assert await walk(org.reader, "&state=received&state=rejected") == []
    last = (await org.town.call("GET", path, key=org.reader)).json()["items"][-1]
    assert last == {"version": "1.0.0", "state": "unpublished"}
    for version, status in (("2.0.0", 404), ("1.9.0", 404), ("1.0.0", 410), ("1.10.0", 200)):
        answer = await org.town.call("GET", f"{path.removesuffix('versions')}{version}/metadata", key=org.reader)
        assert answer.status_code == status, version
    assert answer.status_code == 200
    wrong = await org.town.call("GET", f"{path}?after=x", key=org.reader)
    assert wrong.status_code == 400


async def test_an_artifact_without_a_published_version_is_absent_for_all_but_writers(org: Org) -> None:
    await put(org.town, Made(f"orgs/{org.slug}/later", state="received"), Made(f"orgs/{org.slug}/now"))
    path = f"/v1/artifacts/{org.slug}"
    for one, names in ((org.writer, ["later", "now"]), (org.reader, ["now"])):
        listed = (await org.town.call("GET", path, key=one)).json()["items"]
        assert [found["name"] for found in listed] == names
    statuses = [
        (await org.town.call("GET", f"{path}/later{rest}", key=org.reader)).status_code
        for rest in ("", "/versions", "/dependents", "/1.0.0/metadata", "/1.0.0", "/1.0.0/layers")
    ]
    assert statuses == [404] * 6
    assert (await org.town.call("GET", f"{path}/later/1.0.0/metadata", key=org.writer)).json()["state"] == "received"


async def test_artifacts_of_a_namespace_come_in_pages_by_name_and_by_type(org: Org) -> None:
    home, other = f"orgs/{org.slug}", f"orgs/{org.slug}-other"
    names = ["a", "b", "c"]
    await put(org.town, *(Made(f"{home}/{name}", type="plugin" if name == "b" else "module-wasm") for name in names))
    async with org.town.realm.db.connection() as connection:
        await connection.execute("INSERT INTO repositories (name, gated) VALUES ($1, true)", f"{other}/z")
    path = f"/v1/artifacts/orgs~{org.slug}"
    first = (await org.town.call("GET", f"{path}?limit=2", key=org.writer)).json()
    assert [one["name"] for one in first["items"]] == ["a", "b"]
    second = (await org.town.call("GET", f"{path}?limit=2&after={first['next']}", key=org.writer)).json()
    assert [one["name"] for one in second["items"]] == ["c"]
    assert [one["name"] for one in (await read(org, f"{path}?type=plugin"))["items"]] == ["b"]
    assert [one["name"] for one in (await read(org, f"{path}?type=module"))["items"]] == ["a", "c"]
    assert [one["name"] for one in (await read(org, f"{path}?after=a"))["items"]] == ["b", "c"]
    assert (await org.town.call("GET", path, key=org.stranger)).status_code == 404


async def read(org: Org, path: str) -> Any:
    """What is there for the reader."""
    answer = await org.town.call("GET", path, key=org.reader)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_who_depends_on_an_artifact_is_told_as_far_as_they_may_be_seen(org: Org) -> None:
    home = f"orgs/{org.slug}"
    await put(
        org.town,
        Made(f"{home}/base"),
        Made(f"{home}/one", needs=((f"{home}/base", "^1.0.0"),)),
        Made(f"{home}/two", "2.0.0", needs=((f"{home}/other", "*"), (f"{home}/base", ">=1"))),
        Made(f"{home}/held", state="received", needs=((f"{home}/base", "*"),)),
        Made("users/somebody/hidden", needs=((f"{home}/base", "*"),)),
    )
    path = f"/v1/artifacts/{org.slug}/base/dependents"
    found = (await read(org, path))["items"]
    assert [(one["repository"], one["version"], one["range"]) for one in found] == [
        (f"{home}/one", "1.0.0", "^1.0.0"),
        (f"{home}/two", "2.0.0", ">=1"),
    ]
    first = await read(org, f"{path}?limit=1")
    second = await read(org, f"{path}?limit=1&after={first['next']}")
    assert [one["repository"] for one in first["items"] + second["items"]] == [f"{home}/one", f"{home}/two"]
    for after in ("x", "1-", "99999999999999999999-1", "-1-1"):
        assert (await org.town.call("GET", f"{path}?after={after}", key=org.reader)).status_code == 400


async def test_many_artifacts_are_looked_up_at_once_also_by_former_names_and_short_ones(org: Org) -> None:
    home = f"orgs/{org.slug}"
    await put(
        org.town,
        Made(f"{home}/one", "1.0.0", is_latest=False),
        Made(f"{home}/one", "1.1.0", needs=((f"{home}/two", "^1.0.0"),), columns={"engines": "^2.0.0"}),
        Made(f"{home}/one", "1.2.0", state="received"),
        Made(f"{home}/two"),
        Made("users/somebody/hidden"),
    )
    await org.town.run(
        "INSERT INTO repository_aliases (name, repo) SELECT $1, id FROM repositories WHERE name = $2",
        *(f"{home}/former", f"{home}/two"),
    )
    names = [f"{home}/one", f"@{org.slug}/two", f"{home}/former", f"{home}/never", "users/somebody/hidden", "@x/y", "!"]
    answer = await org.town.call("POST", "/v1/artifacts/batch", {"names": names}, key=org.reader)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert [(one["name"], one["repository"]) for one in found["items"]] == [
        (f"{home}/one", f"{home}/one"),
        (f"@{org.slug}/two", f"{home}/two"),
        (f"{home}/former", f"{home}/two"),
    ]
    assert found["missing"] == names[3:]
    versions = found["items"][0]["versions"]
    assert [one["version"] for one in versions] == ["1.1.0", "1.0.0"]
    assert versions[0]["engines"] == {"gati": "^2.0.0"}
    assert versions[0]["dependencies"] == [
        {"name": f"{home}/two", "range": "^1.0.0", "relation": "dependency", "optional": False}
    ]
    anonymous = await org.town.call("POST", "/v1/artifacts/batch", {"names": names})
    assert (anonymous.status_code, anonymous.json()["missing"]) == (200, names)
    too_many = {"names": [f"users/a/b{at}" for at in range(201)]}
    assert (await org.town.call("POST", "/v1/artifacts/batch", too_many, key=org.reader)).status_code == 422


async def test_an_open_registry_shows_everything_to_everybody_and_existing_repositories_say_what_a_slug_is(
    client: httpx.AsyncClient, shelf: Any
) -> None:
    async with shelf.db.connection() as connection:
        for name in ("users/alice/hello", "orgs/acme/tool", "orgs/alice/other"):
            await release(connection, Made(name))
        await release(connection, Made("users/alice/later", state="received"))
    for ns, name, repository in (
        ("alice", "hello", "users/alice/hello"),
        ("users~alice", "hello", "users/alice/hello"),
        ("acme", "tool", "orgs/acme/tool"),
        ("orgs~acme", "tool", "orgs/acme/tool"),
        ("alice", "other", "orgs/alice/other"),
        ("alice", "later", "users/alice/later"),
    ):
        answer = await client.get(f"/v1/artifacts/{ns}/{name}")
        assert (answer.status_code, answer.json()["repository"]) == (200, repository)
    listed = (await client.get("/v1/artifacts/alice")).json()["items"]
    assert [one["name"] for one in listed] == ["hello", "later"]
    assert (await client.get("/v1/artifacts/nobody/x")).status_code == 404
    found = (await client.get("/v1/search", params={"q": "tool"})).json()
    assert [one["repository"] for one in found["results"]] == ["orgs/acme/tool"]
    batch = (await client.post("/v1/artifacts/batch", json={"names": ["users/alice/hello", "@acme/tool"]})).json()
    assert [one["repository"] for one in batch["items"]] == ["users/alice/hello", "orgs/acme/tool"]
    assert (await client.get("/v1/namespaces/alice")).status_code == 401
