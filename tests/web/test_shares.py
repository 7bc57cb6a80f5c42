"""Snapshots that are shown to whoever has a link."""

import json
from typing import Any

import pytest

from tests.web.artifact_rows import Made
from tests.web.spaces import Org
from tests.web.test_artifacts import put

NAMED = {"reference": "orgs/x/one", "version": "1.0.0", "digest": f"sha256:{'1' * 64}"}
SETTINGS = {
    "files": {"app.json": {"port": 80, "urls": ["${DATABASE_URL}"], "title": "Hello ${user}"}},
    "secrets": [{"name": "TOKEN"}, {"name": "API_KEY"}],
}
SNAPSHOT = {
    "config": {
        "cliVersion": "1.0.0",
        "modules": [NAMED, NAMED],
        "plugins": [],
        "agents": [],
        "models": [NAMED | {"reference": "orgs/x/two"}],
        "templates": [],
        "config": SETTINGS,
    },
    "secrets": [{"name": "API_KEY"}],
}


@pytest.fixture
async def path(org: Org) -> str:
    """Where the shares of a private snapshot are."""
    home = f"orgs/{org.slug}"
    await put(
        org.town,
        Made(f"{home}/env", type="snapshot", more=SNAPSHOT),
        Made(f"{home}/env", "2.0.0", type="snapshot", state="received"),
        Made(f"{home}/code"),
    )
    return f"/v1/artifacts/{org.slug}/env/1.0.0/share"


async def share(org: Org, path: str, **body: Any) -> dict[str, Any]:
    """A new link of the writer."""
    answer = await org.town.call("POST", path, body, key=org.writer)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def test_a_link_shows_the_document_without_a_login_and_nothing_of_what_it_names(org: Org, path: str) -> None:
    made = await share(org, path, expiresInSeconds=3600)
    answer = await org.town.call("GET", made["url"])
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["repository"], found["version"]) == (f"orgs/{org.slug}/env", "1.0.0")
    assert found["snapshot"]["config"]["modules"] == [NAMED, NAMED]
    assert found["expiresAt"] == made["expiresAt"]
    assert answer.headers["cache-control"] == "no-store"
    assert (await org.town.call("GET", f"/v1/artifacts/{org.slug}/env")).status_code == 401
    plan = (await org.town.call("GET", f"{made['url']}/restore")).json()
    assert [one["reference"] for one in plan["pulls"]] == ["orgs/x/one", "orgs/x/two"]
    assert (plan["config"], plan["missingSecrets"]) == (SETTINGS, ["API_KEY", "TOKEN", "DATABASE_URL"])


async def test_a_link_that_is_over_is_gone_and_one_that_never_was_is_not_found(org: Org, path: str) -> None:
    made = await share(org, path)
    assert (await org.town.call("DELETE", f"{path}/{made['id']}", key=org.writer)).status_code == 204
    assert (await org.town.call("GET", made["url"])).status_code == 410
    late = await share(org, path)
    await org.town.run("UPDATE shares SET expires_at = clock_timestamp() WHERE id = $1", late["id"])
    over = await org.town.call("GET", f"{late['url']}/restore")
    assert (over.status_code, over.json()["code"]) == (410, "SHARE_OVER")
    assert (await org.town.call("GET", "/s/never")).status_code == 404
    listed = (await org.town.call("GET", path, key=org.writer)).json()["items"]
    assert [one["id"] for one in listed] == [made["id"], late["id"]]
    assert ["revokedAt" in one for one in listed] == [True, False]
    assert all("url" not in one for one in listed)


async def test_guesses_are_counted_as_those_of_passwords(org: Org, path: str) -> None:
    made = await share(org, path)
    statuses = [(await org.town.call("GET", f"/s/guess{at}", address="192.0.2.99")).status_code for at in range(21)]
    assert (set(statuses[:20]), statuses[20]) == ({404}, 429)
    assert (await org.town.call("GET", made["url"], address="192.0.2.98")).status_code == 200


async def test_writers_share_what_is_a_published_snapshot(org: Org, path: str) -> None:
    for one, status in ((org.reader, 403), (org.stranger, 404), (None, 401)):
        assert (await org.town.call("POST", path, {}, key=one)).status_code == status
        assert (await org.town.call("GET", path, key=one)).status_code == status
    assert (await org.town.call("POST", path.replace("1.0.0", "2.0.0"), {}, key=org.writer)).status_code == 409
    assert (await org.town.call("POST", path.replace("env", "code"), {}, key=org.writer)).status_code == 422
    assert (await org.town.call("POST", path, {"expiresInSeconds": 1}, key=org.writer)).status_code == 422
    assert (await org.town.call("DELETE", f"{path}/9", key=org.writer)).status_code == 404


async def test_the_secret_of_a_link_is_in_no_row_and_no_log(
    org: Org, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    made = await share(org, path)
    secret = made["url"].removeprefix("/s/")
    await org.town.call("GET", made["url"])
    kept = await org.town.run("SELECT json_agg(s)::text FROM shares s")
    audited = await org.town.run("SELECT json_agg(e)::text FROM audit_events e")
    logged = "".join(capsys.readouterr())
    assert json.loads(kept)[0]["id"] == made["id"]
    assert "snapshot.shared" in audited
    assert all(secret not in text for text in (kept, audited, logged))
