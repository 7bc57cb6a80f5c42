from datetime import timedelta
from typing import Any

import httpx
import pytest

from registry.admission import releasing
from registry.artifacts.unpublishing import Force
from registry.content.terms import OPEN_TERMS, Terms
from registry.core.errors import Conflict, Gone, VersionUnknown
from tests.artifacts.publishing import Artifact, publish, push_parts, put, reason, state, tags
from tests.content.faults import all_time_passes
from tests.content.spaces import execute, fetch

HELLO = "users/alice/hello"
NEEDS = {"dependencies": [{"name": "@alice/hello", "version": "^1.0.0"}]}
APP = Artifact(name="users/bob/app", more=NEEDS)


async def time_passes(shelf: Any) -> None:
    """Everything was published long ago."""
    await execute(shelf, "UPDATE releases SET published_at = published_at - interval '100 hours'")


@pytest.mark.parametrize("reference", ["1.0.0", Artifact().digest])
async def test_a_version_that_is_deleted_is_gone_and_never_comes_back(
    client: httpx.AsyncClient, shelf: Any, reference: str
) -> None:
    old = await publish(client, Artifact(version="0.9.0"))
    await publish(client, Artifact(), tags=())
    assert (await client.delete(f"/v2/{HELLO}/manifests/{reference}")).status_code == 202
    assert await state(shelf, Artifact()) == "unpublished"
    assert await tags(client) == {"0.9.0": old, "latest": old}
    assert (await client.get(f"/v2/{HELLO}/manifests/{Artifact().digest}")).status_code == 404
    await all_time_passes(shelf)
    for again in (Artifact(), Artifact(more={"description": "Another one."})):
        await push_parts(client, again)
        assert reason(await put(client, again)) == (409, "VERSION_RETIRED", None)
    assert (await client.delete(f"/v2/{HELLO}/manifests/{reference}")).status_code == 404


async def test_the_last_version_takes_latest_along(client: httpx.AsyncClient, shelf: Any) -> None:
    await publish(client, Artifact())
    await releasing.unpublish(shelf, HELLO, "1.0.0")
    assert await tags(client) == {}
    assert await fetch(shelf, "SELECT latest FROM artifacts") is None


async def test_after_its_time_a_version_stays_unless_an_admin_forces_it(client: httpx.AsyncClient, shelf: Any) -> None:
    await publish(client, Artifact())
    await time_passes(shelf)
    assert reason(await client.delete(f"/v2/{HELLO}/manifests/1.0.0")) == (409, "UNPUBLISH_WINDOW", None)
    assert await state(shelf, Artifact()) == "published"
    await releasing.unpublish(shelf, HELLO, "1.0.0", force=Force.WINDOW)
    assert await state(shelf, Artifact()) == "unpublished"


async def test_without_a_window_nothing_is_unpublished_without_force(client: httpx.AsyncClient, shelf: Any) -> None:
    object.__setattr__(shelf.policy, "unpublish_window", timedelta())
    await publish(client, Artifact())
    with pytest.raises(Conflict):
        await releasing.unpublish(shelf, HELLO, "1.0.0")


async def test_a_version_that_others_need_stays(client: httpx.AsyncClient, shelf: Any) -> None:
    await publish(client, Artifact())
    await publish(client, APP)
    for force in (Force.NONE, Force.WINDOW):
        with pytest.raises(Conflict) as refused:
            await releasing.unpublish(shelf, HELLO, "1.0.0", force=force)
        assert refused.value.detail == {"reason": "HAS_DEPENDENTS", "dependents": ["users/bob/app@1.0.0"]}
    await publish(client, Artifact(version="1.1.0"))
    await releasing.unpublish(shelf, HELLO, "1.0.0")
    await releasing.unpublish(shelf, HELLO, "1.1.0", force=Force.DEPENDENTS)


async def test_who_is_unpublished_needs_nobody_any_more(client: httpx.AsyncClient, shelf: Any) -> None:
    await publish(client, Artifact())
    await publish(client, APP)
    await releasing.unpublish(shelf, "users/bob/app", "1.0.0")
    await releasing.unpublish(shelf, HELLO, "1.0.0")
    assert await state(shelf, Artifact()) == "unpublished"


async def test_a_policy_of_immutable_tags_keeps_versions_but_lets_latest_follow(
    client: httpx.AsyncClient, shelf: Any
) -> None:
    await publish(client, Artifact())
    for terms in (Terms(immutable=("*",)), Terms(immutable=("1.*",))):
        with pytest.raises(Conflict):
            await releasing.unpublish(shelf, HELLO, "1.0.0", terms)
    await releasing.unpublish(shelf, HELLO, "1.0.0", Terms(immutable=("latest",)))


async def test_what_is_not_published_yet_is_withdrawn_and_its_number_is_free(
    client: httpx.AsyncClient, shelf: Any
) -> None:
    await publish(client, Artifact())
    await execute(shelf, "UPDATE releases SET state = 'scanning', published_at = NULL")
    await releasing.unpublish(shelf, HELLO, "1.0.0")
    assert await state(shelf, Artifact()) is None
    await publish(client, Artifact(more={"description": "Another one."}))


async def test_there_must_be_something_to_unpublish(client: httpx.AsyncClient, shelf: Any) -> None:
    await publish(client, Artifact())
    with pytest.raises(VersionUnknown):
        await releasing.unpublish(shelf, HELLO, "2.0.0")
    await releasing.unpublish(shelf, HELLO, "1.0.0")
    with pytest.raises(Gone):
        await releasing.unpublish(shelf, HELLO, "1.0.0", OPEN_TERMS)


async def test_floating_tags_may_be_deleted_and_their_release_stays(client: httpx.AsyncClient, shelf: Any) -> None:
    named = await publish(client, Artifact(), Artifact().digest, ("stable",))
    assert (await client.delete(f"/v2/{HELLO}/manifests/stable")).status_code == 202
    assert await tags(client) == {"1.0.0": named, "latest": named}
    assert await state(shelf, Artifact()) == "published"
