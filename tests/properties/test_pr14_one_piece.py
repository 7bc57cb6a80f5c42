"""Artifact immutability, by all ways that lead to a version."""

import uuid

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.pushing import OCI_MANIFEST, digest, push_blob
from tests.web.layouts import Piece, packed

PROPERTY = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
WAYS = st.sampled_from(["post", "put", "put by digest", "put with v", "unpublish and post"])


async def post(client: httpx.AsyncClient, piece: Piece) -> httpx.Response:
    """Send it in one piece."""
    body = packed(piece.files)
    headers = {"Content-Type": "application/octet-stream", "X-Artifact-Digest": digest(body)}
    version = piece.version.replace("+", "%2B")
    return await client.post(f"/v1/artifacts/users~pr14/{piece.name}/{version}", content=body, headers=headers)


async def put(client: httpx.AsyncClient, piece: Piece, reference: str, **query: str) -> httpx.Response:
    """Push it."""
    name = f"users/pr14/{piece.name}"
    for content in (piece.config, *piece.layers):
        await push_blob(client, name, content)
    headers = {"Content-Type": OCI_MANIFEST}
    return await client.put(f"/v2/{name}/manifests/{reference}", content=piece.manifest, headers=headers, params=query)


async def attempt(client: httpx.AsyncClient, piece: Piece, way: str) -> httpx.Response:
    """Try to make these bytes the version."""
    tag = piece.version.replace("+", "_")
    match way:
        case "put":
            return await put(client, piece, tag)
        case "put by digest":
            return await put(client, piece, digest(piece.manifest), tag=tag)
        case "put with v":
            return await put(client, piece, f"v{tag}")
        case "unpublish and post":
            version = piece.version.replace("+", "%2B")
            gone = await client.delete(f"/v1/artifacts/users~pr14/{piece.name}/{version}")
            assert gone.status_code == 204, gone.text
    return await post(client, piece)


# Feature: gati-registry, Property 14: Artifact immutability
@pytest.mark.timeout(300)
@PROPERTY
@given(
    texts=st.tuples(st.sampled_from("ab"), st.sampled_from("ab")),
    builds=st.sampled_from([("", ""), ("", ""), ("+x", "+x"), ("+x.1", "+x.1")]),
    ways=st.tuples(st.sampled_from(["post", "put"]), WAYS),
)
async def test_a_version_keeps_its_bytes_whichever_way_others_come(
    client: httpx.AsyncClient, texts: tuple[str, str], builds: tuple[str, str], ways: tuple[str, str]
) -> None:
    """The same bytes are taken again; others never, and not once the version is gone."""
    name = f"p{uuid.uuid4().hex[:20]}"
    pieces = [
        Piece(name, f"1.0.0{build}", more={"description": text}) for text, build in zip(texts, builds, strict=True)
    ]
    first = await attempt(client, pieces[0], ways[0])
    assert first.status_code in {201, 202}, first.text
    second = await attempt(client, pieces[1], ways[1])
    path = f"/v1/artifacts/users~pr14/{name}/{pieces[0].version.replace('+', '%2B')}/metadata"
    found = await client.get(path)
    if ways[1] == "unpublish and post":
        assert (second.status_code, second.json()["code"]) == (409, "VERSION_RETIRED")
        assert found.status_code == 410
        return
    assert found.json()["digest"] == digest(pieces[0].manifest)
    if texts[0] == texts[1]:
        assert second.status_code in {201, 202}, second.text
    else:
        assert second.status_code == 409
        told = second.json().get("code") or second.json()["errors"][0]["detail"]["reason"]
        assert told == "ARTIFACT_ALREADY_EXISTS"
