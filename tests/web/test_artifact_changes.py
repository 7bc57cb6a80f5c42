"""What publishers change, as clients of /v1 do it."""

import json
from typing import Any

import httpx
import pytest

from registry.infra.http.boundary import Boundary
from tests.web.layouts import Piece, packed, post
from tests.web.spaces import Org
from tests.web.town import Person


@pytest.fixture
async def path(org: Org) -> str:
    """Where an artifact with two versions is."""
    await org.town.run("TRUNCATE blobs, uploads, doomed, review CASCADE")
    found = f"/v1/artifacts/{org.slug}/hello"
    for version in ("1.0.0", "1.1.0"):
        answer = await post(org.town, f"{found}/{version}", packed(Piece("hello", version).files), org.writer)
        assert (answer.status_code, answer.json()["status"]) == (202, "completed"), answer.text
    return found


async def send(org: Org, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
    """The answer to the writer, with these headers."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    fields["Authorization"] = f"Bearer {org.writer.token}"
    transport = httpx.ASGITransport(Boundary(org.town.door), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=fields) as client:
        return await client.request(method, path, json=body)


async def test_what_is_said_of_an_artifact_changes_for_who_has_seen_it(org: Org, path: str) -> None:
    etag = (await send(org, "GET", path)).headers["etag"]
    body = {"description": "Says hello", "homepage": "https://example.com", "tags": ["x", "y"], "category": "other"}
    answer = await send(org, "PATCH", path, body, If_Match=etag)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["description"], found["homepage"], found["tags"]) == ("Says hello", "https://example.com", ["x", "y"])
    assert found["latest"] == "1.1.0"
    late = await send(org, "PATCH", path, {"description": "Late"}, If_Match=etag)
    assert (late.status_code, late.headers["etag"]) == (412, answer.headers["etag"])
    assert (await send(org, "GET", path, If_None_Match=answer.headers["etag"])).status_code == 304
    emptied = await send(org, "PATCH", path, {"homepage": "", "tags": []})
    assert ("homepage" not in emptied.json(), emptied.json()["tags"]) == (True, [])
    for wrong in ({"homepage": "javascript:alert(1)"}, {"tags": ["x" * 41]}, {"version": "2.0.0"}):
        assert (await send(org, "PATCH", path, wrong)).status_code == 422
    for one, status in ((org.reader, 403), (org.stranger, 404), (None, 401)):
        assert (await org.town.call("PATCH", path, {}, key=one)).status_code == status


async def test_a_deprecated_version_stays_and_warns_on_both_doors_until_that_ends(org: Org, path: str) -> None:
    body = {"reason": "It is slow", "sunset": "2030-01-01T00:00:00Z", "replacement": "@x/better"}
    answer = await org.town.call("POST", f"{path}/1.1.0/deprecation", body, key=org.writer)
    assert answer.status_code == 200, answer.text
    assert answer.json()["deprecation"]["reason"] == "It is slow"
    assert "It is slow" in answer.headers["warning"]
    for where in (f"{path}/latest/metadata", f"{path}/1.1.0", f"/v2/orgs/{org.slug}/hello/manifests/1.1.0"):
        found = await org.town.call("GET", where, key=org.writer.basic if "/v2/" in where else org.reader)
        if found.status_code == 200:
            assert found.headers["warning"].startswith("299 - ")
    assert (await org.town.call("GET", path, key=org.reader)).json()["deprecated"] is True
    assert "warning" not in (await org.town.call("GET", f"{path}/1.0.0/metadata", key=org.reader)).headers
    ended = await org.town.call("DELETE", f"{path}/1.1.0/deprecation", key=org.writer)
    assert ended.status_code == 204
    assert "warning" not in (await org.town.call("GET", f"{path}/1.1.0/metadata", key=org.reader)).headers
    for version, status in (("latest", 404), ("9.9.9", 404)):
        there = await org.town.call("POST", f"{path}/{version}/deprecation", {"reason": "x"}, key=org.writer)
        assert there.status_code == status
    assert (await org.town.call("POST", f"{path}/1.1.0/deprecation", {"reason": ""}, key=org.writer)).status_code == 422


async def test_an_unpublished_version_is_gone_and_its_number_is_never_used_again(org: Org, path: str) -> None:
    assert (await org.town.call("DELETE", f"{path}/1.1.0", key=org.writer)).status_code == 403
    assert (await org.town.call("DELETE", f"{path}/1.1.0", key=org.admin)).status_code == 204
    gone = await org.town.call("GET", f"{path}/1.1.0/metadata", key=org.reader)
    assert (gone.status_code, gone.json()["code"]) == (410, "VERSION_UNPUBLISHED")
    assert (await org.town.call("GET", f"{path}/1.1.0", key=org.reader)).status_code == 410
    assert (await org.town.call("GET", path, key=org.reader)).json()["latest"] == "1.0.0"
    again = await post(org.town, f"{path}/1.1.0", packed(Piece("hello", "1.1.0").files), org.writer)
    assert (again.status_code, again.json()["code"]) == (409, "VERSION_RETIRED")
    listed = (await org.town.call("GET", f"{path}/versions", key=org.reader)).json()["items"]
    assert [(one["version"], one["state"]) for one in listed] == [("1.1.0", "unpublished"), ("1.0.0", "published")]


async def test_an_old_version_is_unpublished_by_force_of_those_who_manage(org: Org, path: str) -> None:
    await org.town.run("UPDATE releases SET published_at = published_at - interval '4 days'")
    late = await org.town.call("DELETE", f"{path}/1.0.0", key=org.admin)
    assert (late.status_code, late.json()["code"]) == (409, "UNPUBLISH_WINDOW")
    assert (await org.town.call("DELETE", f"{path}/1.0.0?force=true", key=org.admin)).status_code == 204


async def test_only_administrators_take_away_what_others_need(org: Org, path: str, boss: Person) -> None:
    needing = Piece("needing", more={"dependencies": [{"name": "hello", "version": "1.0.0"}]})
    answer = await post(org.town, f"/v1/artifacts/{org.slug}/needing/1.0.0", packed(needing.files), org.writer)
    assert answer.status_code == 202, answer.text
    for query in ("", "?force=true"):
        refused = await org.town.call("DELETE", f"{path}/1.0.0{query}", key=org.admin)
        assert (refused.status_code, refused.json()["code"]) == (409, "HAS_DEPENDENTS")
        assert f"orgs/{org.slug}/needing@1.0.0" in json.dumps(refused.json())
    assert (await org.town.call("DELETE", f"{path}/1.0.0?force=true", key=boss)).status_code == 204
