import uuid
from collections.abc import Awaitable, Callable
from typing import Final

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.artifacts.publishing import Artifact, publish, push_parts, put, reason
from tests.pushing import EMPTY, digest, image, push_blob, push_manifest

VERSIONS = ("1.0.0", "1.0.0+build.7", "2.0.0-rc.1")
REFUSALS = {"ARTIFACT_ALREADY_EXISTS", "VERSION_RETIRED"}
Attempt = Callable[[httpx.AsyncClient, Artifact], Awaitable[httpx.Response]]


def tag_of(artifact: Artifact) -> str:
    """The tag of its version."""
    return artifact.version.replace("+", "_")


async def put_tag(client: httpx.AsyncClient, other: Artifact) -> httpx.Response:
    return await put(client, other)


async def put_digest(client: httpx.AsyncClient, other: Artifact) -> httpx.Response:
    return await put(client, other, other.digest, (tag_of(other), "stable"))


async def put_with_v(client: httpx.AsyncClient, other: Artifact) -> httpx.Response:
    return await put(client, other, "v" + tag_of(other))


async def put_floating(client: httpx.AsyncClient, other: Artifact) -> httpx.Response:
    return await put(client, other, "stable")


async def put_latest(client: httpx.AsyncClient, other: Artifact) -> httpx.Response:
    return await put(client, other, "latest")


async def delete_and_put(client: httpx.AsyncClient, other: Artifact) -> httpx.Response:
    assert (await client.delete(f"/v2/{other.name}/manifests/{tag_of(other)}")).status_code == 202
    await push_parts(client, other)
    return await put(client, other)


# Every way to write a version, each with whether the version is still there after it.
ATTEMPTS: Final[dict[str, tuple[Attempt, bool]]] = {
    "PUT tag": (put_tag, True),
    "PUT digest with ?tag=": (put_digest, True),
    "v prefix": (put_with_v, True),
    "floating tag": (put_floating, True),
    "latest": (put_latest, True),
    "delete + PUT": (delete_and_put, False),
}


async def seen(client: httpx.AsyncClient, artifact: Artifact) -> tuple[bytes, ...]:
    """All that is read of a version."""
    base = f"/v2/{artifact.name}"
    paths = [f"{base}/manifests/{tag_of(artifact)}", f"{base}/manifests/{artifact.digest}"]
    paths += [f"{base}/blobs/{digest(content)}" for content in (artifact.config, artifact.files[0][2])]
    return tuple([(await client.get(path)).content for path in paths])


# Feature: gati-registry, Property 14: Artifact immutability
@pytest.mark.timeout(300)
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    version=st.sampled_from(VERSIONS),
    said=st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(["a", "b"])),
    attempts=st.lists(st.sampled_from(sorted(ATTEMPTS)), min_size=1, max_size=2),
)
async def test_a_published_version_never_has_other_bytes(
    client: httpx.AsyncClient, version: str, said: tuple[str, str], attempts: list[str]
) -> None:
    """The same again is a success, other bytes are refused, and what is read stays as it was, or is gone for ever."""
    name = f"users/pr14/x{uuid.uuid4().hex}"
    first, other = (Artifact(name, version, more={"description": one}) for one in said)
    await publish(client, first)
    await push_parts(client, other)
    before, is_there = await seen(client, first), True
    for attempt in attempts:
        act, stays = ATTEMPTS[attempt]
        if not stays and not is_there:
            continue
        answer = await act(client, other)
        is_there = is_there and stays
        if is_there and said[0] == said[1]:
            assert answer.status_code == 201
        else:
            assert (answer.status_code, reason(answer)[1] in REFUSALS) == (409, True)
        if is_there:
            assert await seen(client, first) == before
        else:
            gone = await client.get(f"/v2/{name}/manifests/{tag_of(first)}")
            assert gone.status_code == 404


@pytest.mark.parametrize("tag", ["1.0.0", "v1.0.0", "latest"])
async def test_plain_content_never_takes_the_place_of_a_version(client: httpx.AsyncClient, tag: str) -> None:
    artifact = Artifact()
    await publish(client, artifact)
    await push_blob(client, artifact.name, EMPTY)
    before = await seen(client, artifact)
    assert (await push_manifest(client, artifact.name, image(), tag)).status_code == 409
    assert await seen(client, artifact) == before
