"""Artifacts and their versions, as clients of /v1 read them."""

import json

from tests.web.artifact_rows import Made, release
from tests.web.spaces import Org
from tests.web.town import Town


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
