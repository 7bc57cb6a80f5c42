from typing import Any

import httpx
import pytest

from registry.artifacts.catalogue import KINDS
from tests.artifacts.publishing import Artifact, publish, state, tags
from tests.pushing import digest

SIMPLE = [kind.name for kind in KINDS if not kind.config_in_referrer]


@pytest.mark.parametrize("kind", SIMPLE)
async def test_an_artifact_of_each_type_is_published_at_once_and_read_back_byte_for_byte(
    client: httpx.AsyncClient, shelf: Any, kind: str
) -> None:
    await publish(client, Artifact())  # the example of a transformer turns its data
    artifact = Artifact(kind=kind, name=f"users/alice/{kind}")
    named = await publish(client, artifact)
    assert await state(shelf, artifact) == "published"
    assert await tags(client, artifact.name) == {"1.0.0": named, "latest": named}
    assert (await client.get(f"/v2/{artifact.name}/manifests/1.0.0")).content == artifact.raw
    for content in (artifact.config, *(content for _, _, content in artifact.files)):
        assert (await client.get(f"/v2/{artifact.name}/blobs/{digest(content)}")).content == content
