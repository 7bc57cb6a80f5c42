import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from registry.artifacts import deprecation, metadata
from registry.artifacts.deprecation import Deprecation
from registry.artifacts.metadata import Change
from registry.content.terms import OPEN_TERMS
from registry.core.errors import ArtifactUnknown, PreconditionFailed, Unprocessable, VersionUnknown
from tests.artifacts.publishing import Artifact, publish
from tests.content.spaces import fetch
from tests.pushing import push_image

HELLO = "users/alice/hello"
WHY = Deprecation('It says "hello" twice.', datetime(2027, 1, 31, tzinfo=UTC), "@alice/hi@2.0.0")


async def test_whoever_pulls_a_deprecated_version_is_told_and_gets_it(client: httpx.AsyncClient, shelf: Any) -> None:
    named = await publish(client, Artifact())
    await deprecation.deprecate(shelf, HELLO, "1.0.0", WHY, OPEN_TERMS)
    for reference in ("1.0.0", "latest", named):
        answer = await client.get(f"/v2/{HELLO}/manifests/{reference}")
        assert answer.content == Artifact().raw
        assert "twice" in answer.headers["warning"]
        assert "2027-01-31" in answer.headers["warning"]
        assert "@alice/hi@2.0.0" in answer.headers["warning"]
    kept = json.loads(await fetch(shelf, "SELECT deprecation::text FROM releases"))
    assert kept.keys() == {"reason", "sunset", "replacement", "at"}
    await deprecation.undeprecate(shelf, HELLO, "1.0.0", OPEN_TERMS)
    assert "warning" not in (await client.get(f"/v2/{HELLO}/manifests/1.0.0")).headers


@pytest.mark.parametrize(
    "given",
    [
        Deprecation(""),
        Deprecation("  "),
        Deprecation("x" * 2001),
        Deprecation("a\0b"),
        Deprecation("a\u202eb"),
        Deprecation("Old.", datetime(2027, 1, 31)),  # noqa: DTZ001 - that is what is refused
        Deprecation("Old.", None, "No Name"),
    ],
)
async def test_a_deprecation_can_be_shown(client: httpx.AsyncClient, shelf: Any, given: Deprecation) -> None:
    await publish(client, Artifact())
    with pytest.raises(Unprocessable):
        await deprecation.deprecate(shelf, HELLO, "1.0.0", given, OPEN_TERMS)


async def test_only_what_is_published_is_deprecated(client: httpx.AsyncClient, shelf: Any) -> None:
    await publish(client, Artifact())
    with pytest.raises(VersionUnknown):
        await deprecation.deprecate(shelf, HELLO, "2.0.0", WHY, OPEN_TERMS)


async def test_what_is_said_of_an_artifact_changes_and_its_bytes_do_not(client: httpx.AsyncClient, shelf: Any) -> None:
    await publish(client, Artifact())
    before = await fetch(shelf, "SELECT revision FROM artifacts")
    wanted = Change("Says hello.", "https://example.org/", "", ("greeting", "greeting"), ("a", "b"))
    after = await metadata.change(shelf, HELLO, wanted, before, OPEN_TERMS)
    row = await fetch(
        shelf, "SELECT ARRAY[description, homepage, category, topics::text, keywords::text] FROM artifacts"
    )
    assert row == ["Says hello.", "https://example.org/", None, "{greeting}", "{a,b}"]
    assert after == before + 1
    with pytest.raises(PreconditionFailed):
        await metadata.change(shelf, HELLO, Change("Late."), before, OPEN_TERMS)
    await metadata.change(shelf, HELLO, Change(), None, OPEN_TERMS)
    assert (await client.get(f"/v2/{HELLO}/manifests/1.0.0")).content == Artifact().raw


@pytest.mark.parametrize(
    "wanted",
    [
        Change("x" * 2001),
        Change(homepage="javascript:alert(1)"),
        Change(homepage="https://a b"),
        Change(category="x" * 41),
        Change(topics=("x" * 41,)),
        Change(keywords=tuple(map(str, range(51)))),
        Change(keywords=("",)),
        Change("a\x01"),
        Change("a\u202eb"),
        Change(homepage="http://"),
    ],
)
async def test_what_is_said_of_an_artifact_can_be_shown(client: httpx.AsyncClient, shelf: Any, wanted: Change) -> None:
    await publish(client, Artifact())
    with pytest.raises(Unprocessable):
        await metadata.change(shelf, HELLO, wanted, None, OPEN_TERMS)


async def test_plain_repositories_hold_no_artifact(client: httpx.AsyncClient, shelf: Any) -> None:
    await push_image(client, "a")
    with pytest.raises(ArtifactUnknown):
        await metadata.change(shelf, "a", Change("x"), None, OPEN_TERMS)


async def test_a_homepage_of_any_form_is_taken_or_refused(client: httpx.AsyncClient, shelf: Any) -> None:
    await publish(client, Artifact())
    answer = await client.patch("/v1/artifacts/alice/hello", json={"homepage": "http://[::1"})
    assert answer.status_code in {200, 422}
