"""What was done in a namespace, read over /v1."""

from registry.audit.sealing import seal
from tests.web.spaces import Org, org_of
from tests.web.town import Town


async def test_those_who_manage_read_what_was_done_there_and_nothing_else(town: Town, org: Org) -> None:
    other = await org_of(town)
    for one in (org, other):
        await one.call("POST", "/teams", {"name": "core"}, by=one.admin)
    assert (await org.call("GET", "/members", by=org.reader)).status_code == 403
    await seal(town.realm.db)
    found = (await org.call("GET", "/audit?limit=100", by=org.admin)).json()["items"]
    assert {one["namespace"] for one in found} == {org.id}
    assert {"namespace.created", "team.created"} <= {one["action"] for one in found}
    assert (await org.call("GET", "/audit", by=org.writer)).status_code == 403


async def test_it_is_read_in_pages_by_who_did_what(town: Town, org: Org) -> None:
    for name in ("a", "b", "c"):
        await org.call("POST", "/teams", {"name": name}, by=org.admin)
    await org.call("POST", "/teams", {"name": "d"})
    await seal(town.realm.db)
    first = await org.call("GET", f"/audit?limit=2&action=team.created&actor={org.admin.name}")
    rest = await town.call("GET", first.links["next"]["url"], key=org.owner)
    found = [*first.json()["items"], *rest.json()["items"]]
    assert [one["target"] for one in found] == ["a", "b", "c"]
    assert (await org.call("GET", "/audit?since=yesterday")).status_code == 400
