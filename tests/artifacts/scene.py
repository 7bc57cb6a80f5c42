"""Releases in every state, for tests of who may see them: pushed as plain content, then judged in the database."""

from dataclasses import dataclass
from typing import Any

import httpx

from tests.access.world import One, World
from tests.pushing import digest, image, push_blob, push_manifest

CONTENT = {"published": "live", "scanning": "held", "rejected": "blocked"}


@dataclass(frozen=True, slots=True)
class Release:
    """What was pushed: `layer` is in no other release."""

    name: str
    tag: str
    digest: str
    layer: bytes

    @property
    def blob(self) -> str:
        """The digest of the layer."""
        return digest(self.layer)

    def paths(self) -> dict[str, str]:
        """Every path that leads to its bytes."""
        base = f"/v2/{self.name}"
        return {
            "tag": f"{base}/manifests/{self.tag}",
            "digest": f"{base}/manifests/{self.digest}",
            "blob": f"{base}/blobs/{self.blob}",
        }


async def execute(world: World, name: str, statement: str, *values: Any) -> None:
    """Change the content of a repository, announced as every change is."""
    async with world.realm.changes.of(name), world.realm.db.connection() as connection:
        await connection.execute(statement, *values)


async def judge(world: World, name: str, found: str, state: str, notice: str | None = None, tag: str = "") -> None:
    """Let a manifest be a release of this state."""
    await execute(world, name, "UPDATE repositories SET gated = true WHERE name = $1", name)
    await execute(
        world,
        name,
        "INSERT INTO releases (repo, version, tag, precedence, digest, type, state) "
        "SELECT id, $2, $2, $2, $3, 'module-binary', $4 FROM repositories WHERE name = $1 "
        "ON CONFLICT (repo, version) DO UPDATE SET state = excluded.state",
        name,
        tag or found,
        found,
        state,
    )
    await mark(world, name, found, CONTENT[state], notice)


async def mark(world: World, name: str, found: str, state: str, notice: str | None = None) -> None:
    """Give a manifest a state of its own."""
    await execute(
        world,
        name,
        "UPDATE manifests m SET state = $3, notice = $4 FROM repositories r "
        "WHERE m.repo = r.id AND r.name = $1 AND m.digest = $2",
        name,
        found,
        state,
        notice,
    )


async def release(
    world: World, client: httpx.AsyncClient, name: str, tag: str = "1.0.0", state: str = "scanning"
) -> Release:
    """A release of one layer."""
    layer = f"the layer of {name} {tag}".encode()
    for content in (b"{}", layer):
        await push_blob(client, name, content)
    answer = await push_manifest(client, name, image(layer), tag)
    assert answer.status_code == 201, answer.text
    found = answer.headers["docker-content-digest"]
    await judge(world, name, found, state, tag=tag)
    return Release(name, tag, found, layer)


@dataclass(frozen=True, slots=True)
class Cast:
    """Who looks at a namespace that everybody may read."""

    home: str
    namespace: int
    owner: One
    reader: One
    stranger: One

    def others(self) -> list[httpx.AsyncClient]:
        """Those who may pull but not push."""
        return [self.reader.client(), self.stranger.client()]


async def cast(world: World, visibility: str = "public") -> Cast:
    """An owner, a member who reads, a stranger."""
    owner, reader, stranger = await world.user(), await world.user(), await world.user()
    namespace, home = await world.org(owner, visibility)
    await world.join(namespace, reader, "read")
    return Cast(home, namespace, owner, reader, stranger)
