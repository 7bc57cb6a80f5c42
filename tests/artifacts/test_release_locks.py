"""Two actions on releases at the worst moment of each other: one has done its work and not committed, another comes."""

from typing import Any

import httpx
import pytest

from registry.admission import releasing
from registry.artifacts import judging, releases, submitting, unpublishing
from registry.artifacts import sql_releases as sql
from registry.artifacts.releases import Wanted
from registry.artifacts.steps import NO_STEPS
from registry.content import repositories, sql_manifests
from registry.content.model import parse_manifest
from registry.content.sql_manifests import Rules
from registry.content.terms import OPEN_TERMS
from registry.core.errors import Conflict
from tests.artifacts.publishing import Artifact, publish, push_parts, put, reason, state, tags
from tests.content.spaces import fetch
from tests.content.test_locks import commit_under
from tests.pushing import OCI_MANIFEST, image, push_blob, push_manifest

HELLO = "users/alice/hello"
APP = Artifact(name="users/bob/app", more={"dependencies": [{"name": "@alice/hello", "version": "^1.0.0"}]})


async def recording(shelf: Any, artifact: Artifact) -> Any:
    """As a push does."""
    manifest = parse_manifest(artifact.raw, OCI_MANIFEST)
    found = await submitting.gather(shelf, artifact.row, artifact.name, manifest, (artifact.version,))

    async def yes(_: str) -> bool:
        return True

    judged = await judging.judge(shelf, found, yes)
    wanted = Wanted(manifest, judged, found.size, (), OPEN_TERMS)

    async def record(connection: Any) -> None:
        await releases.record(connection, shelf, artifact.name, wanted, NO_STEPS)

    return record


def unpublishing_of(shelf: Any, artifact: Artifact) -> Any:
    """As `unpublish` does, when everything allows it."""

    async def retire(connection: Any) -> None:
        repo = await sql_manifests.lock_repository(connection, artifact.name)
        assert repo is not None
        locked = await sql.lock_artifact(connection, repo)
        release = await sql.of_version(connection, repo, artifact.version)
        assert locked is not None
        assert release is not None
        await sql.lock_release(connection, release.id)
        await unpublishing._retire(connection, shelf, locked, release, OPEN_TERMS, unpublishing.Force.NONE)

    return retire


async def test_the_second_of_two_pushes_of_a_version_learns_of_the_first(client: httpx.AsyncClient, shelf: Any) -> None:
    other = Artifact(more={"description": "Another one."})
    for artifact in (Artifact(), other):
        await push_parts(client, artifact)
    answer = await commit_under(shelf, await recording(shelf, Artifact()), put(client, other))
    assert reason(answer) == (409, "ARTIFACT_ALREADY_EXISTS", None)
    assert await tags(client) == {"1.0.0": Artifact().digest, "latest": Artifact().digest}


@pytest.mark.parametrize(("first", "second"), [("1.0.0", "1.1.0"), ("1.1.0", "1.0.0")])
async def test_latest_is_right_after_two_publications_at_once(
    client: httpx.AsyncClient, shelf: Any, first: str, second: str
) -> None:
    for version in (first, second):
        await push_parts(client, Artifact(version=version))
    answer = await commit_under(
        shelf, await recording(shelf, Artifact(version=first)), put(client, Artifact(version=second))
    )
    assert answer.status_code == 201
    assert (await tags(client))["latest"] == Artifact(version="1.1.0").digest
    assert await fetch(shelf, "SELECT latest FROM artifacts") == "1.1.0"


async def test_latest_is_right_after_a_publication_while_another_version_goes(
    client: httpx.AsyncClient, shelf: Any
) -> None:
    await publish(client, Artifact(version="2.0.0"))
    await push_parts(client, Artifact())
    answer = await commit_under(shelf, unpublishing_of(shelf, Artifact(version="2.0.0")), put(client, Artifact()))
    assert answer.status_code == 201
    assert await tags(client) == {"1.0.0": Artifact().digest, "latest": Artifact().digest}


async def test_the_same_version_that_comes_while_it_goes_stays_away(client: httpx.AsyncClient, shelf: Any) -> None:
    await publish(client, Artifact())
    answer = await commit_under(shelf, unpublishing_of(shelf, Artifact()), put(client, Artifact()))
    assert answer.status_code in {400, 409}
    assert await state(shelf, Artifact()) == "unpublished"
    assert await tags(client) == {}


async def test_what_somebody_comes_to_depend_on_is_not_unpublished_at_that_moment(
    client: httpx.AsyncClient, shelf: Any
) -> None:
    await publish(client, Artifact())
    await push_parts(client, APP)
    with pytest.raises(Conflict) as refused:
        await commit_under(shelf, await recording(shelf, APP), releasing.unpublish(shelf, HELLO, "1.0.0"))
    assert refused.value.detail["reason"] == "HAS_DEPENDENTS"


async def test_nobody_comes_to_depend_on_what_is_being_unpublished(client: httpx.AsyncClient, shelf: Any) -> None:
    await publish(client, Artifact())
    await push_parts(client, APP)
    answer = await commit_under(shelf, unpublishing_of(shelf, Artifact()), put(client, APP))
    assert reason(answer)[:2] == (422, "MODULE_DEPENDENCY_MISSING")
    assert await state(shelf, APP) is None


@pytest.mark.parametrize("tag", ["1.0.0", "v1.0.0", "latest"])
async def test_a_plain_push_that_waits_for_a_publication_does_not_take_its_tags(
    client: httpx.AsyncClient, shelf: Any, tag: str
) -> None:
    await push_parts(client, Artifact())
    await push_blob(client, HELLO, b"{}")
    answer = await commit_under(shelf, await recording(shelf, Artifact()), push_manifest(client, HELLO, image(), tag))
    if tag != "v1.0.0":  # nobody has that row: the push need not wait, and may have come before
        assert reason(answer) == (409, "TAG_OF_RELEASE", None)
    assert (await tags(client)).items() >= {"1.0.0": Artifact().digest, "latest": Artifact().digest}.items()


async def test_a_publication_that_waits_for_a_plain_push_takes_its_version(
    client: httpx.AsyncClient, shelf: Any
) -> None:
    await push_parts(client, Artifact())
    await push_blob(client, HELLO, b"{}")

    async def plain(connection: Any) -> None:
        await sql_manifests.push(
            connection, HELLO, parse_manifest(image(), OCI_MANIFEST), ["1.0.0"], Rules("none", None)
        )

    answer = await commit_under(shelf, plain, put(client, Artifact()))
    assert answer.status_code == 201
    assert (await tags(client))["1.0.0"] == Artifact().digest


async def test_a_repository_that_is_deleted_while_a_version_is_published_buries_it(
    client: httpx.AsyncClient, shelf: Any, server: Any
) -> None:
    await publish(client, Artifact(version="0.9.0"))
    await push_parts(client, Artifact())
    remove = server._site_of(server._settings).remove_repository
    await commit_under(shelf, await recording(shelf, Artifact()), remove(HELLO))
    while await fetch(shelf, "SELECT count(*) FROM repositories WHERE state = 'deleting'"):
        await repositories.clear(shelf)
    await push_parts(client, Artifact())
    assert reason(await put(client, Artifact())) == (409, "VERSION_RETIRED", None)
