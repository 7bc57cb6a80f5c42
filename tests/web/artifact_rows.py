"""Releases put into the database as the registry writes them, for those who read."""

import json
import uuid
from dataclasses import dataclass, field
from typing import Any

from registry.artifacts.versions import precedence, tag_of
from tests.pushing import OCI_MANIFEST, digest, image


@dataclass(frozen=True)
class Made:
    """A release: `more` are members of its Gati manifest, `columns` of its row."""

    repository: str
    version: str = "1.0.0"
    type: str = "module-node"
    state: str = "published"
    tags: tuple[str, ...] = ()
    layers: tuple[bytes, ...] = (b"a layer",)
    needs: tuple[tuple[str, str], ...] = ()
    more: dict[str, Any] = field(default_factory=dict)
    columns: dict[str, Any] = field(default_factory=dict)
    is_latest: bool = True

    @property
    def config(self) -> bytes:
        """The Gati manifest."""
        name = self.repository.rpartition("/")[2]
        return json.dumps({"name": name, "version": self.version, "config": {}} | self.more).encode()

    @property
    def raw(self) -> bytes:
        """The OCI manifest."""
        return image(*self.layers, config=self.config)


async def release(connection: Any, made: Made) -> str:
    """Its manifest, tags, blobs' rows and itself; the digest."""
    repo = await connection.fetchval(
        "INSERT INTO repositories (name, gated, namespace) VALUES ($1, true, "
        "(SELECT namespace FROM slugs s WHERE s.slug = split_part($1, '/', 2) LIMIT 1)) "
        "ON CONFLICT (name) WHERE state = 'live' DO UPDATE SET gated = true RETURNING id",
        made.repository,
    )
    named = digest(made.raw)
    state = {"published": "live", "received": "held", "scanning": "held"}.get(made.state, "blocked")
    if made.state != "unpublished":
        await connection.execute(
            "INSERT INTO manifests (repo, digest, type, bytes, state) VALUES ($1, $2, $3, $4, $5)",
            *(repo, named, OCI_MANIFEST, made.raw, state),
        )
        for tag in (tag_of(made.version), *made.tags):
            await connection.execute("INSERT INTO tags (repo, name, digest) VALUES ($1, $2, $3)", repo, tag, named)
    await connection.execute(
        "INSERT INTO artifacts (repo, type) VALUES ($1, $2) ON CONFLICT (repo) DO NOTHING", repo, made.type
    )
    await _insert(connection, repo, made, named)
    if made.is_latest and made.state == "published":
        columns = {key: value for key, value in made.columns.items() if key in _OF_ARTIFACT} | {"latest": made.version}
        named_columns = ", ".join(f"{key} = ${at}" for at, key in enumerate(columns, 2))
        await connection.execute(f"UPDATE artifacts SET {named_columns} WHERE repo = $1", repo, *columns.values())
    return named


_OF_ARTIFACT = ("description", "keywords", "capabilities", "license", "language", "engines")


async def _insert(connection: Any, repo: int, made: Made, named: str) -> None:
    columns = {
        "repo": repo,
        "upload": uuid.uuid4(),
        "version": made.version,
        "tag": tag_of(made.version),
        "precedence": precedence(made.version),
        "digest": named,
        "type": made.type,
        "state": made.state,
        "config": made.config.decode(),
        "size": sum(map(len, made.layers)),
    } | made.columns
    places = ", ".join(f"${at}" for at in range(1, len(columns) + 1))
    number = await connection.fetchval(
        f"INSERT INTO releases ({', '.join(columns)}, published_at) VALUES ({places}, clock_timestamp()) RETURNING id",
        *columns.values(),
    )
    for at, (target, wanted) in enumerate(made.needs):
        await connection.execute(
            "INSERT INTO dependencies (release, ordinal, reference, target, wanted, relation) "
            "VALUES ($1, $2, $3, $3, $4, 'dependency')",
            *(number, at, target, wanted),
        )
