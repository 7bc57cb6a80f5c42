"""What retention policies keep and let go."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from registry.admission.push import Pushed, push
from registry.content import manifests, retention
from registry.content.keeping import Tagged, Untagged, expired_manifests, expired_tags
from registry.content.pulls import Pulls
from registry.content.terms import OPEN_TERMS, Terms
from registry.core.digest import parse_digest
from registry.infra.http.lane import Hits, Label
from registry.namespaces.model import Kept, Retention
from tests.content.faults import before
from tests.content.spaces import accounts, execute, fetch, make_namespace, put_blob, put_manifest
from tests.pushing import EMPTY, OCI_INDEX, OCI_MANIFEST, descriptor, digest, image

NOW = datetime(2030, 1, 31, tzinfo=UTC)
VERSIONS = {"rules": [{"pattern": "v*", "keep": 2}]}
PUSHED_LONG_AGO = "UPDATE manifests SET pushed_at = pushed_at - interval '40 days'"


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def tagged(name: str, moved: float, pulled: float | None = None) -> Tagged:
    return Tagged(name, digest(name.encode()), days_ago(moved), None if pulled is None else days_ago(pulled))


def names(policy: Retention, *tags: Tagged, terms: Terms = OPEN_TERMS) -> list[str | None]:
    return [expiry.tag for expiry in expired_tags(policy, terms, tags, NOW)]


def test_of_the_tags_of_a_pattern_those_that_moved_last_stay() -> None:
    policy = Retention((Kept("v*", 2),))
    tags = (tagged("v1", 9), tagged("v2", 3), tagged("v3", 5), tagged("v4", 1), tagged("latest", 99))
    assert names(policy, *tags) == ["v3", "v1"]


def test_a_tag_is_judged_by_the_first_rule_that_fits() -> None:
    policy = Retention((Kept("v1.*", 1), Kept("v*", 1)))
    assert names(policy, tagged("v1.0", 1), tagged("v1.1", 2), tagged("v2", 3), tagged("v3", 4)) == ["v1.1", "v3"]


def test_what_was_pulled_lately_or_is_immutable_stays_and_takes_its_place_among_those_that_stay() -> None:
    policy = Retention((Kept("v*", 1),), pulled_days=7)
    tags = (tagged("v1", 1), tagged("v2", 2, pulled=6), tagged("v3", 3, pulled=8), tagged("v4", 4))
    assert names(policy, *tags, terms=Terms(immutable=("v4",))) == ["v3"]


def test_manifests_without_a_tag_go_so_many_days_after_their_push() -> None:
    found = [Untagged("a", days_ago(31), None), Untagged("b", days_ago(29), None), Untagged("c", days_ago(31), NOW)]
    assert [one.digest for one in expired_manifests(Retention(untagged_days=30, pulled_days=1), found, NOW)] == ["a"]
    assert expired_manifests(Retention((Kept("*", 0),)), found, NOW) == []


@pytest.fixture(autouse=True)
async def with_accounts(shelf: Any) -> AsyncIterator[None]:
    async with accounts(shelf):
        yield


async def versions(shelf: Any, *tags: str) -> list[str]:
    """An image for each tag, one after the other; their digests."""
    await put_blob(shelf, "team/app", EMPTY)
    raws = [image(annotations={"tag": tag}) for tag in tags]
    for raw, tag in zip(raws, tags, strict=True):
        await put_manifest(shelf, "team/app", raw, tag)
    return [digest(raw) for raw in raws]


async def tags_of(shelf: Any) -> list[str]:
    async with shelf.db.connection() as connection:
        return [row["name"] for row in await connection.fetch("SELECT name FROM tags ORDER BY name")]


async def manifests_of(shelf: Any) -> set[str]:
    async with shelf.db.connection() as connection:
        return {row["digest"] for row in await connection.fetch("SELECT digest FROM manifests")}


async def test_without_a_policy_nothing_goes(shelf: Any) -> None:
    team = await make_namespace(shelf, "team")
    await versions(shelf, "v1", "v2", "v3")
    await execute(shelf, PUSHED_LONG_AGO)
    assert (await retention.run(shelf), await retention.dry_run(shelf, team)) == (0, [])


async def test_a_dry_run_tells_what_a_run_takes_and_takes_nothing(shelf: Any) -> None:
    team = await make_namespace(shelf, "team", retention=VERSIONS)
    await versions(shelf, "v1", "v2", "v3", "latest")
    [leaving] = await retention.dry_run(shelf, team)
    assert (leaving.name, leaving.expiry.tag) == ("team/app", "v1")
    assert leaving.expiry.why == "'v*' keeps the last 2 tags"
    assert len(await tags_of(shelf)) == 4
    assert await retention.run(shelf) == 1
    assert await tags_of(shelf) == ["latest", "v2", "v3"]
    assert await fetch(shelf, "SELECT actor_name || ' ' || action || ' ' || target FROM audit_events") == (
        "retention tag.deleted team/app:v1"
    )


async def test_untagged_manifests_go_but_none_that_something_keeps(shelf: Any) -> None:
    """A tag, an index that holds it, or a subject that is here."""
    await make_namespace(shelf, "team", retention={"untaggedDays": 30})
    await put_blob(shelf, "team/app", EMPTY)
    child, lone, kept = (image(annotations={"n": str(number)}) for number in range(3))
    signature = image(subject=descriptor(kept, OCI_MANIFEST))
    orphan = image(subject=descriptor(b"absent", OCI_MANIFEST))
    for raw in (child, lone, signature, orphan):
        await put_manifest(shelf, "team/app", raw)
    await put_manifest(shelf, "team/app", kept, "latest")
    index = b'{"schemaVersion":2,"manifests":[%s]}' % str(descriptor(child, OCI_MANIFEST)).replace("'", '"').encode()
    await push(shelf, "team/app", Pushed(index, OCI_INDEX, "all", ()))
    assert await retention.run(shelf) == 0
    await execute(shelf, PUSHED_LONG_AGO)
    assert await retention.run(shelf) == 2
    assert await manifests_of(shelf) == {digest(raw) for raw in (child, signature, kept, index)}


async def test_an_immutable_tag_never_goes(shelf: Any) -> None:
    await make_namespace(shelf, "team", retention=VERSIONS, immutableTags=["v1"])
    await versions(shelf, "v1", "v2", "v3", "v4")
    assert await retention.run(shelf) == 1
    assert await tags_of(shelf) == ["v1", "v3", "v4"]


@pytest.mark.parametrize("kind", ["tag", "manifest"])
async def test_what_is_pushed_again_after_it_was_chosen_stays(
    shelf: Any, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    policy = {"rules": [{"pattern": "v*", "keep": 0}]} if kind == "tag" else {"untaggedDays": 30}
    await make_namespace(shelf, "team", retention=policy)
    [named] = await versions(shelf, "v1")
    if kind == "manifest":
        await manifests.delete_tag(shelf, "team/app", "v1")
    await execute(shelf, PUSHED_LONG_AGO)
    action = "delete_tag" if kind == "tag" else "delete"

    async def push_again() -> None:
        await put_manifest(shelf, "team/app", image(annotations={"tag": "v1"}), *(["v1"] if kind == "tag" else []))

    monkeypatch.setattr(manifests, action, before(getattr(manifests, action), push_again))
    assert await retention.run(shelf) == 0
    assert await manifests_of(shelf) == {named}


async def test_what_is_pulled_is_noted_where_a_policy_asks_for_it(shelf: Any) -> None:
    """By tag, by digest, from memory, and under a former name; elsewhere nothing is written."""
    await make_namespace(shelf, "team", retention={"pulledDays": 7, **VERSIONS})
    await make_namespace(shelf, "other")
    found = await versions(shelf, "v1", "v2", "v3", "v4", "v5")
    await put_blob(shelf, "other/app", EMPTY)
    await put_manifest(shelf, "other/app", image(), "latest")
    alias = "INSERT INTO repository_aliases SELECT 'team/former', id FROM repositories WHERE name = 'team/app'"
    await execute(shelf, alias)
    await manifests.find(shelf, "team/app", "v1")
    await manifests.find(shelf, "team/app", parse_digest(found[1]))
    await manifests.find(shelf, "other/app", "latest")
    shelf.pulls.note_paths(["/v2/team/former/manifests/v3", f"/v2/team/absent/manifests/{found[3]}", "/v2/"])
    await shelf.pulls.flush(shelf.db)
    async with shelf.db.connection() as connection:
        rows = await connection.fetch("SELECT digest FROM manifests WHERE pulled_at IS NOT NULL")
    assert {row["digest"] for row in rows} == set(found[:3])
    assert await retention.run(shelf) == 0
    await execute(shelf, "UPDATE manifests SET pulled_at = pulled_at - interval '8 days'")
    assert await retention.run(shelf) == 3


async def test_pulls_from_memory_are_noted_with_those_of_the_way_through(server: Any, shelf: Any) -> None:
    label = Label("manifests", "GET", "/v2/team/app/manifests/v1")

    class Hot:
        def tick(self, _: Any) -> list[Hits]:
            return [Hits(label, 3, 100), Hits(Label("tags", "GET", "/v2/team/app/tags/list"), 1, 2)]

    server.oci.lane = Hot()
    server._tick([])
    server.oci.lane = None
    assert shelf.pulls._noted == {("team/app", "v1")}


async def test_pulls_are_written_once_a_minute_at_most_and_never_more_than_memory_holds(
    shelf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_namespace(shelf, "team", retention=VERSIONS)
    await versions(shelf, "v1")
    pulls = Pulls()
    pulls.note("team/app", "v1")
    pulls.tick(shelf.db)
    assert pulls._task is None
    monkeypatch.setattr("registry.content.pulls._PAUSE", 0.0)
    monkeypatch.setattr("registry.content.pulls._MOST", 2)
    pulls.tick(shelf.db)
    for number in range(5):
        pulls.note("team/app", f"n{number}")
    assert len(pulls._noted) <= 2
    await pulls.close(shelf.db)
    assert await fetch(shelf, "SELECT count(*) FROM manifests WHERE pulled_at IS NOT NULL") == 1


async def test_the_policies_are_run_again_and_again(shelf: Any) -> None:
    await make_namespace(shelf, "team", retention=VERSIONS)
    stop = asyncio.Event()
    task = asyncio.create_task(retention.keep_retention(shelf, stop, 0.001))
    await versions(shelf, "v1", "v2", "v3")
    async with asyncio.timeout(30):
        while len(await tags_of(shelf)) > 2:  # noqa: ASYNC110 - let the other run
            await asyncio.sleep(0)
    stop.set()
    await task
    assert await tags_of(shelf) == ["v2", "v3"]
