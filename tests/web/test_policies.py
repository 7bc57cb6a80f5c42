"""Policies over /v1, and what retention would take."""

from typing import Any

import pytest

from registry.audit.model import By
from registry.auth.accounts import set_administrator
from tests.web.spaces import Org
from tests.web.town import Town

ALL: dict[str, Any] = {
    "immutableTags": ["v*"],
    "delete": "owner",
    "addresses": ["192.0.2.0/24"],
    "tokenSeconds": 120,
    "keyDays": 30,
    "bytes": 1000,
    "repositories": 5,
    "retention": {"rules": [{"pattern": "nightly-*", "keep": 3}], "untaggedDays": 7, "pulledDays": None},
}
NONE: dict[str, Any] = dict.fromkeys(ALL) | {"immutableTags": [], "delete": "admin", "addresses": []}


async def test_what_was_read_can_be_set_again(org: Org) -> None:
    assert (await org.call("GET", "/policies")).json() == NONE
    for wanted in (ALL | {"bytes": None, "repositories": None}, NONE):
        assert (await org.call("PUT", "/policies", wanted, by=org.admin)).json() == wanted
        assert (await org.call("GET", "/policies")).json() == wanted
    assert (await org.call("PUT", "/policies", dict.fromkeys(ALL))).json() == NONE
    assert (await org.call("PUT", "/policies", {})).json() == NONE


async def test_policies_that_were_changed_meanwhile_are_not_overwritten(org: Org) -> None:
    seen = await org.call("GET", "/policies")
    assert seen.headers["etag"] == (await org.call("GET", "")).headers["etag"]
    told = await org.at_once(
        *(org.change("PUT", "/policies", {"keyDays": days}, seen.headers["etag"]) for days in (1, 2))
    )
    assert sorted(answer.status_code for answer in told) == [200, 412]
    fresh = next(answer for answer in told if answer.status_code == 200).headers["etag"]
    assert (await org.change("PUT", "/policies", {}, fresh)).status_code == 200
    assert (await org.change("PUT", "/policies", {}, fresh)).status_code == 412


async def test_quotas_are_set_by_administrators_of_the_registry_alone(org: Org) -> None:
    quotas = {"bytes": 1000, "repositories": 5}
    assert (await org.call("PUT", "/policies", quotas)).status_code == 403
    boss = org.stranger
    await set_administrator(org.town.realm, By(None, "operator"), boss.id, is_administrator=True)
    assert (await org.call("PUT", "/policies", ALL, by=boss)).json() == ALL
    assert (await org.call("PUT", "/policies", {})).status_code == 403
    assert (await org.call("PUT", "/policies", quotas)).json() == NONE | quotas


async def test_nobody_shuts_the_own_address_out(org: Org) -> None:
    answer = await org.call("PUT", "/policies", {"addresses": ["198.51.100.0/24"]})
    assert (answer.status_code, answer.json()["details"]["pointer"]) == (422, "/addresses")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"delete": "anybody"}, "/delete"),
        ({"immutableTags": ["a b"]}, "/immutableTags/0"),
        ({"addresses": ["10.0.0.1/8"]}, "/addresses/0"),
        ({"tokenSeconds": 301}, "/tokenSeconds"),
        ({"bytes": -1}, "/bytes"),
        ({"bytes": True}, "/bytes"),
        ({"retention": {"rules": [{"pattern": "*"}]}}, "/retention/rules/0/keep"),
        ({"retention": {"rules": [{"pattern": "", "keep": 1}]}}, "/retention/rules/0/pattern"),
        ({"colour": "red"}, "/colour"),
    ],
)
async def test_a_policy_that_cannot_be_is_422_and_says_where(org: Org, body: dict[str, Any], pointer: str) -> None:
    answer = await org.call("PUT", "/policies", body)
    assert (answer.status_code, answer.json()["details"]["pointer"]) == (422, pointer)


async def test_what_retention_would_take_is_told_in_pages_and_stays(town: Town, org: Org) -> None:
    app = await org.repository("app")
    for number in range(4):
        await town.run(
            "WITH r AS (SELECT id FROM repositories WHERE name = $1), m AS (INSERT INTO manifests "
            "(repo, digest, type, bytes) SELECT id, $2, 'application/vnd.oci.image.manifest.v1+json', $3 FROM r) "
            "INSERT INTO tags (repo, name, digest) SELECT id, $4, $2 FROM r",
            app,
            f"sha256:{number:064}",
            b"{}",
            f"t{number}",
        )
    assert (await org.call("GET", "/retention/preview")).json() == {"items": []}
    await org.call("PUT", "/policies", {"retention": {"rules": [{"pattern": "t*", "keep": 1}]}})
    first = await org.call("GET", "/retention/preview?limit=2")
    rest = await town.call("GET", first.links["next"]["url"], key=org.owner)
    found = [*first.json()["items"], *rest.json()["items"]]
    assert {one["tag"] for one in found} == {"t0", "t1", "t2"}
    assert {one["repository"] for one in found} == {app}
    assert found[0]["reason"] == "'t*' keeps the last 1 tags"
    assert await town.run("SELECT count(*) FROM tags") == 4
