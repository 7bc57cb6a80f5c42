"""Statements on artifacts and their releases, as they are written. Each takes a connection.

Whoever changes a release holds the row of its artifact (`lock_artifact`).
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from registry.artifacts.model import Extract
from registry.artifacts.states import State
from registry.artifacts.versions import precedence

CHANNEL: Final = "releases"
AGAIN: Final = timedelta(minutes=10)
_COLUMNS: Final = (
    "id, upload::text, version, tag, digest, type, state, reason::text, config, floating, pushed_by, pushed_at, "
    "published_at, due, attempts"
)


@dataclass(frozen=True, slots=True)
class Artifact:
    """The locked row of an artifact; `latest` is the version that its tag `latest` follows."""

    repo: int
    name: str
    type: str
    latest: str | None
    revision: int


@dataclass(frozen=True, slots=True)
class Release:
    """One version, as it is recorded."""

    id: int
    upload: str
    version: str
    tag: str
    digest: str
    type: str
    state: State
    reason: str | None
    config: str | None
    floating: list[str]
    pushed_by: int | None
    pushed_at: datetime
    published_at: datetime | None
    due: datetime | None
    attempts: int


@dataclass(frozen=True, slots=True)
class New:
    """A release that is to be recorded: `config` is the text of its Gati manifest, `size` the bytes of all layers."""

    version: str
    tag: str
    digest: str
    type: str
    floating: tuple[str, ...]
    config: str | None
    size: int
    pushed_by: int | None


@dataclass(frozen=True, slots=True)
class Dependency:
    """What a release names, resolved: `release` is the one that was found for it, None for an optional one without."""

    reference: str
    target: str
    wanted: str
    relation: str
    is_optional: bool
    digest: str | None
    release: int | None


def _release(row: Any) -> Release:
    return Release(**dict(row) | {"state": State(row["state"])})


async def ensure_repository(connection: Any, name: str, who: str | None) -> tuple[int, str]:
    """The repository, made when absent, that has or gets releases: its id, and the name that it has now."""
    repo = await connection.fetchval("SELECT ensure_repository($1, $2)", name, who)
    await connection.execute("UPDATE repositories SET gated = true WHERE id = $1 AND NOT gated", repo)
    return int(repo), str(await connection.fetchval("SELECT name FROM repositories WHERE id = $1", repo))


async def ensure_artifact(connection: Any, repo: int, kind: str) -> None:
    """A row for the artifact, of this type where it is new."""
    await connection.execute("INSERT INTO artifacts (repo, type) VALUES ($1, $2) ON CONFLICT DO NOTHING", repo, kind)


async def lock_artifact(connection: Any, repo: int) -> Artifact | None:
    """The artifact, locked for a change of its releases; None where the repository has none."""
    row = await connection.fetchrow(
        "SELECT repo, type, latest, revision FROM artifacts WHERE repo = $1 FOR NO KEY UPDATE", repo
    )
    if row is None:
        return None
    name = await connection.fetchval("SELECT name FROM repositories WHERE id = $1", repo)
    return Artifact(**dict(row), name=str(name))


async def set_type(connection: Any, repo: int, kind: str) -> bool:
    """Give the locked artifact another type, where nothing was ever published of it; False where something was."""
    done = await connection.fetchval(
        "UPDATE artifacts SET type = $2 WHERE repo = $1 AND NOT EXISTS "
        "(SELECT FROM releases WHERE repo = $1 AND state NOT IN ('rejected', 'expired')) RETURNING true",
        repo,
        kind,
    )
    return bool(done)


async def of_version(connection: Any, repo: int, version: str) -> Release | None:
    """The release of a version."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM releases WHERE repo = $1 AND version = $2", repo, version)
    return _release(row) if row else None


async def of_id(connection: Any, release: int) -> Release | None:
    """The release of this id."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM releases WHERE id = $1", release)
    return _release(row) if row else None


async def of_digest(connection: Any, repo: int, digest: str) -> list[Release]:
    """The releases of a manifest that have not ended."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM releases WHERE repo = $1 AND digest = $2 "
        "AND state NOT IN ('unpublished', 'expired') ORDER BY id",
        repo,
        digest,
    )
    return [_release(row) for row in rows]


async def is_known(connection: Any, name: str, digest: str) -> bool:
    """Whether a release of the repository has this manifest."""
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM releases WHERE repo = find_repository($1) AND digest = $2)", name, digest
        )
    )


async def standing(connection: Any, name: str, *, version: str | None = None, digest: str | None = None) -> list[str]:
    """The versions of a repository that are this one, or have this manifest, and have not ended."""
    rows = await connection.fetch(
        "SELECT version FROM releases WHERE repo = find_repository($1) AND (version = $2 OR digest = $3) "
        "AND state NOT IN ('unpublished', 'expired') ORDER BY id",
        name,
        version,
        digest,
    )
    return [row["version"] for row in rows]


async def keeps_tag(connection: Any, repo: int, tag: str) -> bool:
    """Whether a tag is the version of a release that has not ended, or `latest` where there is one."""
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM releases WHERE repo = $1 AND ((tag = $2 AND state NOT IN ('unpublished', "
            "'expired')) OR ($2 = 'latest' AND state = 'published')))",
            repo,
            tag,
        )
    )


async def lock_release(connection: Any, release: int) -> None:
    """Keep everybody from recording what depends on the release, once those are done who do."""
    await connection.execute("SELECT 1 FROM releases WHERE id = $1 FOR UPDATE", release)


async def is_buried(connection: Any, repo: int, tag: str) -> bool:
    """Whether a repository that is gone had this version under a name that this one has, or had."""
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM (SELECT name FROM repositories WHERE id = $1 UNION "
            "SELECT name FROM repository_aliases WHERE repo = $1) n "
            "CROSS JOIN LATERAL buried(n.name, ARRAY[$2::text]))",
            repo,
            tag,
        )
    )


async def record(connection: Any, repo: int, new: New) -> Release:
    """Write a release as received, in the place of one of its version that was rejected or has expired."""
    row = await connection.fetchrow(
        "INSERT INTO releases AS l (repo, version, tag, precedence, digest, type, state, floating, config, size, "
        "pushed_by) VALUES ($1, $2, $3, $4, $5, $6, 'received', $7, $8, $9, $10) "
        "ON CONFLICT (repo, version) DO UPDATE SET upload = gen_random_uuid(), digest = excluded.digest, "
        "type = excluded.type, state = 'received', reason = NULL, floating = excluded.floating, "
        "config = excluded.config, size = excluded.size, pushed_by = excluded.pushed_by, "
        "pushed_at = clock_timestamp(), published_at = NULL, ended_at = NULL, due = NULL, attempts = 0, "
        f"deprecation = NULL RETURNING {_COLUMNS}",
        repo,
        new.version,
        new.tag,
        precedence(new.version),
        new.digest,
        new.type,
        list(new.floating),
        new.config,
        new.size,
        new.pushed_by,
    )
    return _release(row)


async def describe(connection: Any, release: int, extract: Extract, config: str) -> None:
    """Write what lists and search show of a release."""
    await connection.execute(
        "UPDATE releases SET description = $2, keywords = $3, capabilities = $4, license = $5, language = $6, "
        "engines = $7, readme = $8, gtype_hash = $9, config = $10 WHERE id = $1",
        release,
        extract.description,
        list(extract.keywords),
        list(extract.capabilities),
        extract.license,
        extract.language,
        extract.engines,
        extract.readme,
        extract.gtype_hash,
        config,
    )


async def set_dependencies(connection: Any, release: int, dependencies: list[Dependency]) -> None:
    """Write what a release names, in the place of what was written before."""
    await connection.execute("DELETE FROM dependencies WHERE release = $1", release)
    rows = [
        (release, ordinal, one.reference, one.target, one.wanted, one.relation, one.is_optional, one.digest)
        for ordinal, one in enumerate(dependencies)
    ]
    await connection.executemany(
        "INSERT INTO dependencies (release, ordinal, reference, target, wanted, relation, is_optional, digest) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        rows,
    )


async def hold_found(connection: Any, releases: list[int]) -> bool:
    """Keep published releases from being unpublished until the end of the transaction; False where one is not there."""
    found = await connection.fetch(
        "SELECT id FROM releases WHERE id = ANY ($1::bigint[]) AND state = 'published' ORDER BY id FOR SHARE", releases
    )
    return len(found) == len(set(releases))


async def enter(connection: Any, release: int, state: State, reason: dict[str, Any] | None = None) -> None:
    """Write the state of a release, when it was entered, and why; nothing is due in it any more."""
    await connection.execute(
        "UPDATE releases SET state = $2, reason = $3, due = NULL, attempts = 0, "
        "published_at = CASE WHEN $2 = 'published' THEN coalesce(published_at, clock_timestamp()) "
        "ELSE published_at END, "
        "ended_at = CASE WHEN $2 IN ('rejected', 'unpublished', 'expired') THEN clock_timestamp() ELSE NULL END "
        "WHERE id = $1",
        release,
        state.value,
        None if reason is None else json.dumps(reason),
    )


async def note_floating(connection: Any, release: int, floating: list[str]) -> None:
    """Write which tags move to a release when it is published."""
    await connection.execute("UPDATE releases SET floating = $2 WHERE id = $1", release, floating)


async def wake(connection: Any, release: int) -> None:
    """Let a worker look at a release at once, when this is committed."""
    await connection.execute("UPDATE releases SET due = clock_timestamp() WHERE id = $1", release)
    await connection.execute("SELECT pg_notify($1, '')", CHANNEL)


async def look_again(connection: Any, release: int, reason: dict[str, Any], wait: timedelta = AGAIN) -> None:
    """Let a worker look at a release in a while, and say what it waits for."""
    await connection.execute(
        "UPDATE releases SET due = clock_timestamp() + $2::interval, reason = $3, attempts = 0 WHERE id = $1",
        release,
        wait,
        json.dumps(reason),
    )


async def delete(connection: Any, release: int) -> None:
    """Forget a release that was never published."""
    await connection.execute("DELETE FROM releases WHERE id = $1", release)


async def set_content(connection: Any, repo: int, digest: str, state: str, notice: str | None) -> None:
    """Write what a manifest is to those who pull it: `live`, `held` or `blocked`, and what is said of it."""
    await connection.execute(
        "UPDATE manifests SET state = $3, notice = $4 WHERE repo = $1 AND digest = $2", repo, digest, state, notice
    )


async def hold_loose(connection: Any, repo: int, digest: str) -> None:
    """Hold a manifest of an artifact that is no release: it is part of one, or will be."""
    await connection.execute(
        "UPDATE manifests SET state = 'held' WHERE repo = $1 AND digest = $2 AND NOT is_released(repo, digest)",
        repo,
        digest,
    )


async def move_tags(connection: Any, repo: int, digest: str, tags: list[str]) -> None:
    """Let tags name a manifest, and tell of those that named another one."""
    await connection.execute(
        "WITH moved AS (INSERT INTO tags AS t (repo, name, digest) "
        'SELECT $1, n, $2 FROM unnest($3::text[]) n ORDER BY n COLLATE "C" '
        "ON CONFLICT (repo, name) DO UPDATE "
        "SET digest = excluded.digest, moved_at = clock_timestamp(), ver = t.ver + 1 "
        "WHERE t.digest <> excluded.digest RETURNING new.name, old.digest AS was, new.ver) "
        "INSERT INTO outbox (kind, repo, body) SELECT 'tag.moved', $1, "
        "jsonb_build_object('tag', name, 'from', was, 'to', $2::text, 'version', ver) FROM moved ORDER BY name",
        repo,
        digest,
        tags,
    )


async def tagged_otherwise(connection: Any, repo: int, digest: str, tags: list[str]) -> list[str]:
    """Those of the tags that name another manifest."""
    rows = await connection.fetch(
        "SELECT name FROM tags WHERE repo = $1 AND digest <> $2 AND name = ANY ($3::text[]) ORDER BY name",
        repo,
        digest,
        tags,
    )
    return [row["name"] for row in rows]


async def highest(connection: Any, repo: int) -> Release | None:
    """The published release that `latest` follows: the highest stable one, else the highest."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM releases WHERE repo = $1 AND state = 'published' "
        "ORDER BY precedence LIKE '%~' DESC, precedence DESC, version DESC LIMIT 1",
        repo,
    )
    return _release(row) if row else None


async def set_latest(connection: Any, repo: int, release: int | None) -> None:
    """Write which release an artifact's `latest` is, and what that says of it; None: it has none any more."""
    await connection.execute(
        "UPDATE artifacts a SET latest = l.version, description = l.description, keywords = l.keywords, "
        "capabilities = l.capabilities, license = l.license, language = l.language, engines = l.engines, "
        "homepage = coalesce(l.config::jsonb ->> 'homepage', a.homepage), "
        "category = coalesce(l.config::jsonb ->> 'category', a.category), "
        "topics = CASE WHEN a.topics = '{}' AND jsonb_typeof(l.config::jsonb -> 'tags') = 'array' "
        "THEN ARRAY(SELECT jsonb_array_elements_text(l.config::jsonb -> 'tags')) ELSE a.topics END "
        "FROM releases l WHERE a.repo = $1 AND l.id = $2",
        repo,
        release,
    )
    if release is None:
        await connection.execute("UPDATE artifacts SET latest = NULL WHERE repo = $1", repo)


async def touch(connection: Any, repo: int) -> None:
    """The artifact is not any more as it was: another revision."""
    await connection.execute(
        "UPDATE artifacts SET revision = revision + 1, updated_at = clock_timestamp() WHERE repo = $1", repo
    )


async def set_metadata(connection: Any, repo: int, columns: dict[str, Any]) -> None:
    """Write columns of an artifact; their names are those of its `metadata`, never a caller's."""
    if not columns:
        return
    named = ", ".join(f"{name} = ${place}" for place, name in enumerate(columns, 2))
    await connection.execute(f"UPDATE artifacts SET {named} WHERE repo = $1", repo, *columns.values())


async def set_deprecation(connection: Any, release: int, deprecation: str | None) -> None:
    """Write why a release is discouraged, as JSON, with the time; None: it is not."""
    await connection.execute(
        "UPDATE releases SET deprecation = $2::jsonb || jsonb_build_object('at', "
        "to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')) WHERE id = $1",
        release,
        deprecation,
    )
