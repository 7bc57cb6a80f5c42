"""What a version is made of, as clients of /v1 read it."""

import json
from typing import Any

import httpx
import pytest

from tests.web.artifact_rows import Made
from tests.web.spaces import Org
from tests.web.test_artifacts import put


@pytest.fixture
async def hello(org: Org) -> str:
    """The path of a version that has everything."""
    home = f"orgs/{org.slug}"
    more = {
        "env": [{"name": "PORT", "default": "80", "secret": "x"}],
        "secrets": [{"name": "KEY", "required": True, "default": "canary-never-shown"}],
        "resources": {"cpu": "500m", "mem": "512Mi"},
        "config": {"type": "node", "entry": "dist/index.js", "ports": [8080], "recipe": "recipe.yaml"},
        "networkAccess": {"egress": True, "allowedHosts": ["example.com"]},
        "modelCard": {"dataset": "d"},
        "gtypes": [{"name": "Input", "fields": {"text": "string"}}],
    }
    columns: dict[str, Any] = {
        "readme": "# Hello",
        "capabilities": ["db:read"],
        "deprecation": json.dumps({"reason": 'It is "old"', "replacement": "@a/b"}),
    }
    needs = ((f"{home}/base", "^1.0.0"), (f"{home}/never", "*"), (f"{home}/base", "^3.0.0"))
    await put(
        org.town,
        Made(f"{home}/base", "1.0.0", is_latest=False),
        Made(f"{home}/base", "1.5.0"),
        Made(f"{home}/base", "2.0.0", is_latest=False),
        Made(f"{home}/base", "1.9.0", state="received"),
        Made(f"{home}/hello", "1.0.0", tags=("latest", "stable"), needs=needs, more=more, columns=columns),
    )
    return f"/v1/artifacts/{org.slug}/hello"


async def read(org: Org, path: str, status: int = 200) -> Any:
    """What is there for the reader."""
    answer = await org.town.call("GET", path, key=org.reader)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_a_version_is_found_by_number_by_v_and_number_by_floating_tag_and_by_digest(org: Org, hello: str) -> None:
    first = await read(org, f"{hello}/1.0.0/metadata")
    assert (first["state"], first["tags"], first["name"]) == ("published", ["latest", "stable"], "hello")
    for reference in ("v1.0.0", "latest", "stable", first["digest"]):
        assert await read(org, f"{hello}/{reference}/metadata") == first
    for reference in ("1.0.1", "beta", f"sha256:{'0' * 64}"):
        assert (await read(org, f"{hello}/{reference}/metadata", 404))["code"] == "VERSION_NOT_FOUND"
    assert (await read(org, f"{hello}/sha256:x/metadata", 400))["code"] == "DIGEST_INVALID"


async def test_each_part_has_an_etag_and_is_not_sent_twice_and_a_deprecated_version_warns(org: Org, hello: str) -> None:
    for part in ("metadata", "manifest", "oci", "layers", "gtypes", "readme", "capabilities", "dependencies"):
        answer = await org.town.call("GET", f"{hello}/1.0.0/{part}", key=org.reader)
        assert answer.status_code == 200, (part, answer.text)
        assert answer.headers["warning"] == (
            rf'299 - "orgs/{org.slug}/hello@1.0.0 is deprecated: It is \"old\". Use @a/b instead."'
        )
        transport = httpx.ASGITransport(org.town.door, raise_app_exceptions=False)
        headers = {"Authorization": f"Bearer {org.reader.token}", "If-None-Match": answer.headers["etag"]}
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as client:
            assert (await client.get(f"{hello}/1.0.0/{part}")).status_code == 304


async def test_parts_say_what_the_publisher_wrote(org: Org, hello: str) -> None:
    version = f"{hello}/latest"
    assert (await read(org, f"{version}/readme"))["readme"] == "# Hello"
    assert (await read(org, f"{version}/manifest"))["resources"] == {"cpu": "500m", "mem": "512Mi"}
    assert (await read(org, f"{version}/oci"))["schemaVersion"] == 2
    (layer,) = (await read(org, f"{version}/layers"))["items"]
    assert layer["url"] == f"/v2/orgs/{org.slug}/hello/blobs/{layer['digest']}"
    found = await read(org, f"{version}/capabilities")
    assert (found["capabilities"], found["networkAccess"]["egress"]) == (["db:read"], True)
    assert (await read(org, f"{version}/model-card")) == {"dataset": "d"}
    assert "Input" in json.dumps(await read(org, f"{version}/gtypes"))
    for part in ("signatures", "sbom", "provenance"):
        told = await read(org, f"{version}/{part}")
        assert (told["items"], told["verified"]) == ([], False)
    for part in ("benchmarks", "recipe", "skill-graph", "files"):
        assert (await read(org, f"{version}/{part}", 404))["code"] == "NOT_FOUND"


async def test_dependencies_resolve_to_the_highest_published_version_that_the_caller_may_see(
    org: Org, hello: str
) -> None:
    plain = (await read(org, f"{hello}/1.0.0/dependencies"))["items"]
    assert [one["range"] for one in plain] == ["^1.0.0", "*", "^3.0.0"]
    assert all("version" not in one for one in plain)
    found = (await read(org, f"{hello}/1.0.0/dependencies?resolve=true"))["items"]
    assert [one.get("version") for one in found] == ["1.5.0", None, None]
    assert found[0]["digest"].startswith("sha256:")


async def test_a_deployment_is_described_without_the_values_of_secrets(org: Org, hello: str) -> None:
    answer = await org.town.call("GET", f"{hello}/1.0.0/deploy-descriptor", key=org.reader)
    assert answer.status_code == 200, answer.text
    assert "canary" not in answer.text
    found = answer.json()
    assert found["reference"] == f"orgs/{org.slug}/hello@{found['digest']}"
    assert found["env"] == [{"name": "PORT", "default": "80"}]
    assert found["secrets"] == [{"name": "KEY", "required": True}]
    assert (found["ports"], found["runtime"]["entry"]) == ([8080], "dist/index.js")
    assert found["networkAccess"] == {"egress": True, "allowedHosts": ["example.com"]}
    assert found["dependencies"][0]["version"] == "1.5.0"
    plain = await read(org, f"/v1/artifacts/{org.slug}/base/1.5.0/deploy-descriptor")
    assert (plain["networkAccess"], plain["env"], plain["secrets"]) == ({"egress": False}, [], [])


async def test_a_failed_deployment_is_reported_into_the_audit_log(org: Org) -> None:
    body = {"artifacts": [{"reference": f"orgs/{org.slug}/hello@1.0.0", "phase": "pull", "code": "TIMEOUT"}]}
    path = "/v1/deployments/reports"
    assert (await org.town.call("POST", path, body, key=org.reader)).status_code == 202
    detail = await org.town.run("SELECT detail FROM audit_events WHERE action = 'deployment.failed'")
    assert json.loads(detail) == body
    assert (await org.town.call("POST", path, body)).status_code == 401
    assert (await org.town.call("POST", path, {"artifacts": []}, key=org.reader)).status_code == 422
