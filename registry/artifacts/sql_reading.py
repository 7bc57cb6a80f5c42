"""Statements that read artifacts and their releases. Each takes a connection; each list is one statement."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from registry.namespaces import sql
from registry.namespaces.catalog import Visible

VERSIONS: Final = 1000
_SHOWN: Final = ("published", "unpublished")


@dataclass(frozen=True, slots=True)
class Artifact:
    """What is known of an artifact; `deprecated` is its latest version."""

    name: str
    visibility: str
    type: str
    description: str
    homepage: str | None
    category: str | None
    topics: list[str]
    keywords: list[str]
    capabilities: list[str]
    license: str | None
    language: str | None
    engines: str | None
    latest: str | None
    deprecated: bool
    revision: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Release:
    """One version; `tags` are floating ones that name it now, `reason`, `deprecation`, `dependencies` are JSON text."""

    id: int
    upload: str
    repository: str
    version: str
    tag: str
    precedence: str
    digest: str
    type: str
    state: str
    reason: str | None
    size: int
    description: str
    keywords: list[str]
    capabilities: list[str]
    license: str | None
    language: str | None
    engines: str | None
    gtype_hash: str | None
    deprecation: str | None
    pushed_at: datetime
    published_at: datetime | None
    tags: list[str]
    dependencies: str


@dataclass(frozen=True, slots=True)
class Dependent:
    """A published release that depends on an artifact; `place` is where a page goes on behind it."""

    repository: str
    version: str
    wanted: str
    relation: str
    is_optional: bool
    place: str


@dataclass(frozen=True, slots=True)
class Asked:
    """An artifact that somebody names: `home` is what its repository's name begins with up to the slug."""

    name: str
    kind: str
    home: str
    slug: str
    rest: str


@dataclass(frozen=True, slots=True)
class Parts:
    """The long parts of a release."""

    config: str | None
    readme: str | None


@dataclass(frozen=True, slots=True)
class Range:
    """A page of a list: at most `limit` behind `after`; `writer`: with what writers alone see."""

    after: tuple[str, str] | None
    limit: int
    writer: bool


ARTIFACT: Final = """r.name, coalesce(r.visibility, n.visibility, 'public') AS visibility, a.type, a.description,
    a.homepage, a.category, a.topics, a.keywords, a.capabilities, a.license, a.language, a.engines, a.latest,
    a.revision, a.created_at, a.updated_at"""
DEPRECATED: Final = """coalesce((SELECT l.deprecation IS NOT NULL FROM releases l
    WHERE l.repo = a.repo AND l.version = a.latest), false) AS deprecated"""
_RELEASE: Final = """l.id, l.upload::text, r.name AS repository, l.version, l.tag, l.precedence, l.digest, l.type,
    l.state, l.reason::text, l.size, l.description, l.keywords, l.capabilities, l.license, l.language, l.engines,
    l.gtype_hash, l.deprecation::text, l.pushed_at, l.published_at,
    ARRAY(SELECT t.name FROM tags t WHERE t.repo = l.repo AND t.digest = l.digest AND t.name <> l.tag
        AND l.state <> 'unpublished' ORDER BY t.name) AS tags,
    coalesce((SELECT json_agg(json_build_object('name', d.target, 'range', d.wanted, 'relation', d.relation,
        'optional', d.is_optional, 'digest', d.digest) ORDER BY d.ordinal) FROM dependencies d WHERE d.release = l.id),
        '[]')::text AS dependencies"""
_REPOSITORY: Final = "repositories r JOIN artifacts a ON a.repo = r.id LEFT JOIN namespaces n ON n.id = r.namespace"


async def artifact(connection: Any, name: str, *, writer: bool) -> Artifact | None:
    """The artifact of a repository; for others than writers, when a version of it is or was published."""
    row = await connection.fetchrow(
        f"SELECT {ARTIFACT}, {DEPRECATED} FROM {_REPOSITORY} WHERE r.name = $1 AND r.state = 'live' "
        "AND ($2 OR a.latest IS NOT NULL OR EXISTS (SELECT FROM releases l WHERE l.repo = a.repo "
        "AND l.state IN ('unpublished', 'quarantined')))",
        name,
        writer,
    )
    return None if row is None else Artifact(**row)


async def artifacts_of(
    connection: Any, home: str, page: Range, kinds: Sequence[str], seen: Visible | None
) -> list[Artifact]:
    """Artifacts of a namespace by name, of these types, of all for none; of those that are seen."""
    condition, values = sql.seen_by(seen, 6, is_published=True)
    rows = await connection.fetch(
        f"SELECT {ARTIFACT}, {DEPRECATED} FROM {_REPOSITORY} WHERE r.state = 'live' AND r.name > $1 AND r.name < $2 "
        f"AND (cardinality($4::text[]) = 0 OR a.type = ANY ($4)) AND ($5 OR a.latest IS NOT NULL) AND {condition} "
        "ORDER BY r.name LIMIT $3",
        page.after[0] if page.after else f"{home}/",
        f"{home}0",
        page.limit,
        list(kinds),
        page.writer,
        *values,
    )
    return [Artifact(**row) for row in rows]


async def versions(connection: Any, name: str, page: Range, states: Sequence[str]) -> list[Release]:
    """Releases, the highest first, behind (precedence, version); of these states, of all that may be seen for none."""
    after = page.after or ("\x7f", "")
    rows = await connection.fetch(
        f"SELECT {_RELEASE} FROM repositories r JOIN releases l ON l.repo = r.id "
        "WHERE r.name = $1 AND r.state = 'live' AND (l.precedence, l.version) < ($2, $3) "
        "AND ($4 OR l.state = ANY ($5::text[])) AND (cardinality($6::text[]) = 0 OR l.state = ANY ($6)) "
        "ORDER BY l.precedence DESC, l.version DESC LIMIT $7",
        name,
        *after,
        page.writer,
        list(_SHOWN),
        list(states),
        page.limit,
    )
    return [Release(**row) for row in rows]


async def by_version(connection: Any, name: str, version: str) -> Release | None:
    """The release of a version."""
    return await _release(connection, "l.version = $2", name, version)


async def by_digest(connection: Any, name: str, digest: str) -> Release | None:
    """The release whose manifest has this digest."""
    return await _release(connection, "l.digest = $2", name, digest)


async def by_tag(connection: Any, name: str, tag: str) -> Release | None:
    """The release that a floating tag names now."""
    where = "l.digest = (SELECT t.digest FROM tags t WHERE t.repo = r.id AND t.name = $2)"
    return await _release(connection, where, name, tag)


async def _release(connection: Any, where: str, *values: str) -> Release | None:
    row = await connection.fetchrow(
        f"SELECT {_RELEASE} FROM repositories r JOIN releases l ON l.repo = r.id "
        f"WHERE r.name = $1 AND r.state = 'live' AND {where} ORDER BY l.id DESC LIMIT 1",
        *values,
    )
    return None if row is None else Release(**row)


async def by_upload(connection: Any, upload: str) -> Release | None:
    """The release that an upload made."""
    row = await connection.fetchrow(
        f"SELECT {_RELEASE} FROM releases l JOIN repositories r ON r.id = l.repo "
        "WHERE l.upload = $1::uuid AND r.state = 'live'",
        upload,
    )
    return None if row is None else Release(**row)


async def parts(connection: Any, release: int) -> Parts:
    """The Gati manifest of a release, and what it says to people."""
    row = await connection.fetchrow("SELECT config, readme FROM releases WHERE id = $1", release)
    return Parts(**row) if row is not None else Parts(None, None)


async def dependents(
    connection: Any, name: str, after: tuple[int, int], limit: int, seen: Visible | None
) -> list[Dependent]:
    """Published releases that name the repository, by this or a former name, in the order in which they came."""
    condition, values = sql.seen_by(seen, 5, is_published=True)
    rows = await connection.fetch(
        "SELECT r.name AS repository, l.version, d.wanted, d.relation, d.is_optional, "
        "d.release || '-' || d.ordinal AS place FROM dependencies d JOIN releases l ON l.id = d.release "
        "JOIN repositories r ON r.id = l.repo WHERE d.target = ANY (SELECT $1::text UNION SELECT a.name FROM "
        "repository_aliases a JOIN repositories o ON o.id = a.repo WHERE o.name = $1 AND o.state = 'live') "
        "AND (d.release, d.ordinal) > ($2, $3) AND l.state = 'published' AND r.state = 'live' "
        f"AND {condition} ORDER BY d.release, d.ordinal LIMIT $4",
        name,
        *after,
        limit,
        *values,
    )
    return [Dependent(**row) for row in rows]


async def batch(connection: Any, asked: Sequence[Asked], seen: Visible | None) -> list[tuple[str, Release]]:
    """Published releases of artifacts by names, former ones too, as far as they are seen; the highest first.

    At most 1,000 of each artifact, each with the name that was asked for.
    """
    condition, values = sql.seen_by(seen, 7, is_published=True)
    rows = await connection.fetch(
        _BATCH.format(seen=condition, release=_RELEASE),
        [one.name for one in asked],
        [one.kind for one in asked],
        [one.home for one in asked],
        [one.slug for one in asked],
        [one.rest for one in asked],
        VERSIONS,
        *values,
    )
    return [(row["asked"], Release(**{key: value for key, value in row.items() if key != "asked"})) for row in rows]


_BATCH: Final = """
WITH asked AS (
    SELECT t.asked, coalesce(t.home || n.slug || t.rest, t.home || t.slug || t.rest) COLLATE "C" AS name
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) AS t (asked, kind, home, slug, rest)
    LEFT JOIN slugs s ON s.kind = t.kind AND s.slug = t.slug AND s.standing <> 'tombstone'
    LEFT JOIN namespaces n ON n.id = s.namespace AND n.state = 'live'
), found AS (
    SELECT DISTINCT ON (q.asked) q.asked, r.id, r.name FROM asked q JOIN LATERAL (
        SELECT o.* FROM repositories o WHERE o.name = q.name AND o.state = 'live'
        UNION ALL
        SELECT o.* FROM repository_aliases x JOIN repositories o ON o.id = x.repo
        WHERE x.name = q.name AND o.state = 'live'
        LIMIT 1
    ) r ON {seen} ORDER BY q.asked, r.name DESC
)
SELECT r.asked, l.* FROM found r CROSS JOIN LATERAL (
    SELECT {release} FROM releases l WHERE l.repo = r.id AND l.state = 'published'
    ORDER BY l.precedence DESC, l.version DESC LIMIT $6
) l ORDER BY r.asked, l.precedence DESC, l.version DESC
"""


@dataclass(frozen=True, slots=True)
class Referrer:
    """A manifest that refers to a release, with its descriptor as JSON text."""

    digest: str
    artifact_type: str | None
    descriptor: str
    bytes: bytes


async def referrers(connection: Any, name: str, digest: str, kinds: Sequence[str], limit: int) -> list[Referrer]:
    """Referrers of these artifact types, the newest first."""
    rows = await connection.fetch(
        "SELECT m.digest, m.artifact_type, m.descriptor, m.bytes FROM manifests m "
        "WHERE m.repo = (SELECT id FROM repositories WHERE name = $1 AND state = 'live') AND m.subject = $2 "
        "AND m.artifact_type = ANY ($3::text[]) ORDER BY m.pushed_at DESC, m.digest DESC LIMIT $4",
        name,
        digest,
        list(kinds),
        limit,
    )
    return [Referrer(**row) for row in rows]


async def family(connection: Any, name: str, digest: str, limit: int) -> list[tuple[str, bytes]]:
    """The digests and bytes of a manifest and, of an index, of its children, as they are here; itself first."""
    rows = await connection.fetch(
        "SELECT m.digest, m.bytes FROM repositories r JOIN manifests m ON m.repo = r.id WHERE r.name = $1 "
        "AND r.state = 'live' AND (m.digest = $2 OR m.digest IN (SELECT f.digest FROM refs f WHERE f.repo = r.id "
        "AND f.parent = $2 AND f.role = 'child')) ORDER BY m.digest <> $2, m.digest LIMIT $3",
        name,
        digest,
        limit,
    )
    return [(row["digest"], row["bytes"]) for row in rows]
