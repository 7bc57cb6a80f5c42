"""What the tests push, and how."""

import hashlib
import json
from typing import Any

import httpx

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
EMPTY = b"{}"


def digest(content: bytes, algorithm: str = "sha256") -> str:
    """The digest of `content`."""
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def descriptor(content: bytes, media_type: str = "application/octet-stream") -> dict[str, Any]:
    """A descriptor of `content`."""
    return {"mediaType": media_type, "digest": digest(content), "size": len(content)}


def image(*layers: bytes, config: bytes = EMPTY, **more: Any) -> bytes:
    """An image manifest over `layers`."""
    body = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(config, "application/vnd.oci.empty.v1+json"),
        "layers": [descriptor(layer) for layer in layers],
    }
    return json.dumps(body | more).encode()


async def push_blob(client: httpx.AsyncClient, name: str, content: bytes, algorithm: str = "sha256") -> str:
    """Push by POST and PUT; the digest."""
    named = digest(content, algorithm)
    opened = await client.post(f"/v2/{name}/blobs/uploads/")
    assert opened.status_code == 202, opened.text
    closed = await client.put(opened.headers["location"], params={"digest": named}, content=content)
    assert closed.status_code == 201, closed.text
    assert closed.headers["docker-content-digest"] == named
    return named


async def push_manifest(
    client: httpx.AsyncClient, name: str, raw: bytes, reference: str = "latest", media_type: str = OCI_MANIFEST
) -> httpx.Response:
    """PUT a manifest; the answer."""
    return await client.put(f"/v2/{name}/manifests/{reference}", content=raw, headers={"Content-Type": media_type})


async def push_image(
    client: httpx.AsyncClient, name: str, *layers: bytes, reference: str = "latest", **more: Any
) -> str:
    """Push blobs and manifest; the digest of the manifest."""
    for content in (EMPTY, *layers):
        await push_blob(client, name, content)
    raw = image(*layers, **more)
    answer = await push_manifest(client, name, raw, reference)
    assert answer.status_code == 201, answer.text
    return answer.headers["docker-content-digest"]
