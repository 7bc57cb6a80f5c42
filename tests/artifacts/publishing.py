"""Artifacts as the tests push them: through /v2, blob by blob, then the manifest."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from registry.artifacts.catalogue import BY_NAME
from registry.artifacts.model import Kind
from tests.pushing import OCI_MANIFEST, digest

TITLE = "org.opencontainers.image.title"


@dataclass(frozen=True)
class Artifact:
    """What is pushed: the example of a type, under a name and a version, with `more` in its Gati manifest."""

    name: str = "users/alice/hello"
    version: str = "1.0.0"
    kind: str = "module-external"
    more: Mapping[str, Any] = field(default_factory=dict)
    layers: tuple[tuple[str, str, bytes], ...] | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def row(self) -> Kind:
        """Its type."""
        return BY_NAME[self.kind]

    @property
    def config(self) -> bytes:
        """Its Gati manifest."""
        named = {"name": self.name.rpartition("/")[2], "version": self.version}
        return json.dumps(dict(self.row.example) | named | dict(self.more)).encode()

    @property
    def files(self) -> tuple[tuple[str, str, bytes], ...]:
        """Title, media type and bytes of its layers."""
        return self.row.example_layers if self.layers is None else self.layers

    @property
    def raw(self) -> bytes:
        """Its OCI manifest."""
        layers = [
            described(content, media_type, {TITLE: title} if title else None)
            for title, media_type, content in self.files
        ]
        body = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": self.row.artifact_type,
            "config": described(self.config, self.row.config_type),
            "layers": layers,
        }
        return json.dumps(body | ({"annotations": dict(self.annotations)} if self.annotations else {})).encode()

    @property
    def digest(self) -> str:
        """That of its OCI manifest."""
        return digest(self.raw)


def described(content: bytes, media_type: str, annotations: Mapping[str, str] | None = None) -> dict[str, Any]:
    """A descriptor."""
    body: dict[str, Any] = {"mediaType": media_type, "digest": digest(content), "size": len(content)}
    return body | ({"annotations": dict(annotations)} if annotations else {})


async def push_parts(client: httpx.AsyncClient, artifact: Artifact) -> None:
    """Push its config and layers."""
    for content in {artifact.config, *(content for _, _, content in artifact.files)}:
        place = f"/v2/{artifact.name}/blobs/uploads/"
        answer = await client.post(place, params={"digest": digest(content)}, content=content)
        assert answer.status_code == 201, answer.text


async def put(
    client: httpx.AsyncClient, artifact: Artifact, reference: str | None = None, tags: tuple[str, ...] = ()
) -> httpx.Response:
    """PUT its manifest, under its version where nothing else is said; the answer."""
    place = f"/v2/{artifact.name}/manifests/{reference or artifact.version.replace('+', '_')}"
    headers = {"Content-Type": OCI_MANIFEST}
    return await client.put(place, content=artifact.raw, headers=headers, params=[("tag", tag) for tag in tags])


async def publish(
    client: httpx.AsyncClient, artifact: Artifact, reference: str | None = None, tags: tuple[str, ...] = ()
) -> str:
    """Push all of it; the digest."""
    await push_parts(client, artifact)
    answer = await put(client, artifact, reference, tags)
    assert answer.status_code == 201, answer.text
    return artifact.digest


async def state(shelf: Any, artifact: Artifact) -> str | None:
    """The state of its release."""
    async with shelf.db.connection() as connection:
        found = await connection.fetchval(
            "SELECT l.state FROM releases l JOIN repositories r ON r.id = l.repo "
            "WHERE r.name = $1 AND r.state = 'live' AND l.version = $2",
            artifact.name,
            artifact.version,
        )
    return None if found is None else str(found)


async def tags(client: httpx.AsyncClient, name: str = "users/alice/hello") -> dict[str, str]:
    """The tags of a repository, and what they name."""
    listed = (await client.get(f"/v2/{name}/tags/list")).json()["tags"]
    return {tag: (await client.head(f"/v2/{name}/manifests/{tag}")).headers["docker-content-digest"] for tag in listed}


def reason(answer: httpx.Response) -> Any:
    """The status of a refusal, and why."""
    detail = answer.json()["errors"][0]["detail"]
    return answer.status_code, detail.get("reason"), detail.get("pointer")
