"""Statements on manifests, tags and referrers. Each takes a connection."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from registry.content import events, sql_holdings
from registry.content.model import Manifest
from registry.content.terms import OPEN_TERMS, Terms
from registry.content.visibility import LIVE
from registry.core.listing import Listing

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(9999, 12, 31, tzinfo=UTC)
# Whether the tag `t` is of what those may pull who are no writers; releases are judged without a call for each. EXISTS
# would be answered from a table of all releases of all repositories.
_SHOWN: Final = (
    "CASE WHEN (SELECT true FROM releases x WHERE x.repo = t.repo AND x.digest = t.digest LIMIT 1) "
    "THEN (SELECT m.state = 'live' FROM manifests m WHERE m.repo = t.repo AND m.digest = t.digest) "
    "ELSE (content_state(t.repo, t.digest))[1] = 'live' END"
)
_RULING: Final = "CASE WHEN r.gated THEN content_state(r.id, m.digest) END AS ruling"


@dataclass(frozen=True, slots=True)
class Stored:
    """A manifest as it is returned; `watched` when the sweep is about to look at it.

    `ruling` is its state to those who are no writers, and what is said of it, where the repository is gated.
    """

    digest: str
    type: str
    bytes: bytes
    watched: bool
    ruling: list[str | None] | None = None

    @property
    def state(self) -> str:
        """`live`, `held` or `blocked` (`content_state` of migrations/)."""
        return LIVE if self.ruling is None else str(self.ruling[0])

    @property
    def notice(self) -> str | None:
        """What whoever pulls it is told, or why it may not be pulled."""
        return None if self.ruling is None else self.ruling[1]


@dataclass(frozen=True, slots=True)
class Rules:
    """What a push may leave out, how long it waits, and the terms that it is made under."""

    sparse: str
    orphans: timedelta | None
    terms: Terms = OPEN_TERMS


async def lock_repository(connection: Any, name: str) -> int | None:
    """The id of the live repository, locked against deletion. Twice: the name may just have moved to another row."""
    statement = "SELECT id FROM repositories WHERE name = $1 AND state = 'live' FOR KEY SHARE"
    found = await connection.fetchval(statement, name) or await connection.fetchval(statement, name)
    return None if found is None else int(found)


async def by_digest(connection: Any, name: str, digest: str) -> Stored | None:
    """The manifest of this digest."""
    row = await connection.fetchrow(
        "SELECT m.digest, m.type, m.bytes, "
        "EXISTS (SELECT FROM review v WHERE v.kind = 'child' AND v.repo = m.repo AND v.key = m.digest) AS watched, "
        f"{_RULING} "
        "FROM repositories r JOIN manifests m ON m.repo = r.id "
        "WHERE r.name = $1 AND r.state = 'live' AND m.digest = $2",
        name,
        digest,
    )
    return Stored(**dict(row)) if row else None


async def by_tag(connection: Any, name: str, tag: str) -> Stored | None:
    """The manifest that the tag names."""
    row = await connection.fetchrow(
        f"SELECT m.digest, m.type, m.bytes, false AS watched, {_RULING} "
        "FROM repositories r JOIN tags t ON t.repo = r.id JOIN manifests m ON m.repo = t.repo AND m.digest = t.digest "
        "WHERE r.name = $1 AND r.state = 'live' AND t.name = $2",
        name,
        tag,
    )
    return Stored(**dict(row)) if row else None


async def note_pull(connection: Any, name: str, digest: str) -> None:
    """Remember that somebody wants a manifest that the sweep watches."""
    await connection.execute(
        "UPDATE manifests m SET pulled_at = clock_timestamp() FROM repositories r "
        "WHERE r.name = $1 AND r.state = 'live' AND m.repo = r.id AND m.digest = $2",
        name,
        digest,
    )


async def push(connection: Any, name: str, manifest: Manifest, tags: list[str], rules: Rules) -> list[str]:
    """Record a manifest (`push_manifest` of migrations/): the missing references that the rules allow."""
    refs = (*manifest.blobs, *manifest.children)
    row = await connection.fetchrow(
        "SELECT missing FROM push_manifest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
        name,
        str(manifest.digest),
        manifest.media_type,
        manifest.artifact_type,
        manifest.raw,
        manifest.subject,
        manifest.descriptor,
        [ref.digest for ref in manifest.blobs],
        [ref.digest for ref in manifest.children],
        [ref.size for ref in refs],
        [ref.digest for ref in refs if not ref.required],
        tags,
        rules.sparse,
        rules.orphans,
        rules.terms.fixed(tags),
        rules.terms.quota,
        rules.terms.who,
    )
    return list(row["missing"])


async def parents(connection: Any, repo: int, digest: str, limit: int) -> list[str]:
    """At most `limit` indexes that contain the manifest; none of one that is not here."""
    rows = await connection.fetch(
        "SELECT parent FROM refs f WHERE repo = $1 AND digest = $2 AND EXISTS "
        "(SELECT FROM manifests m WHERE m.repo = f.repo AND m.digest = f.digest) ORDER BY parent LIMIT $3",
        repo,
        digest,
        limit,
    )
    return [row["parent"] for row in rows]


async def lock(connection: Any, repo: int, digest: str) -> bool:
    """Lock a manifest for removal; False when there is none."""
    row = await connection.fetchrow("SELECT 1 FROM manifests WHERE repo = $1 AND digest = $2 FOR UPDATE", repo, digest)
    return row is not None


async def lock_tags(connection: Any, repo: int, digest: str) -> list[str]:
    """The tags of a locked manifest, locked for removal."""
    rows = await connection.fetch(
        "SELECT name FROM tags WHERE repo = $1 AND digest = $2 ORDER BY name FOR UPDATE", repo, digest
    )
    return [row["name"] for row in rows]


async def delete(connection: Any, repo: int, digest: str, grace: timedelta) -> None:
    """Remove a locked manifest with its tags, and queue a look at everything that it held, and at what holds it."""
    await lock_tags(connection, repo, digest)
    await connection.execute(
        "WITH gone AS (DELETE FROM tags WHERE repo = $1 AND digest = $2 RETURNING name) "
        "INSERT INTO outbox (kind, repo, body) "
        "SELECT $3, $1, jsonb_build_object('tag', name, 'from', $2::text) FROM gone ORDER BY name",
        repo,
        digest,
        events.TAG_DELETED,
    )
    for kind, role in (("link", "blob"), ("link", "child"), ("child", "child")):
        await connection.execute(
            "SELECT queue_review($1, $2, array(SELECT digest FROM refs WHERE repo = $2 AND parent = $3 AND role = $4), "
            "clock_timestamp() + $5)",
            kind,
            repo,
            digest,
            role,
            grace,
        )
    await connection.execute(
        "SELECT queue_review('subject', $1, ARRAY[$2::text], clock_timestamp() + $3)", repo, digest, grace
    )
    await sql_holdings.queue(connection, repo, [digest])
    await connection.execute("DELETE FROM manifests WHERE repo = $1 AND digest = $2", repo, digest)


async def delete_tag(connection: Any, repo: int, tag: str) -> str | None:
    """Remove a tag; the digest that it named, or None."""
    found = await connection.fetchval("DELETE FROM tags WHERE repo = $1 AND name = $2 RETURNING digest", repo, tag)
    return None if found is None else str(found)


async def emit(connection: Any, kind: str, repo: int, body: str) -> None:
    """Write a fact; `body` is JSON."""
    await connection.execute("INSERT INTO outbox (kind, repo, body) VALUES ($1, $2, $3)", kind, repo, body)


async def tags_after(connection: Any, name: str, last: str, limit: int) -> Listing:
    """At most `limit` tags after `last` of a repository that is not gated, in byte order.

    The grammar of tags needs no escapes.
    """
    row = await connection.fetchrow(
        "WITH page AS MATERIALIZED (SELECT repo, name FROM tags WHERE repo = "
        "(SELECT id FROM repositories WHERE name = $1 AND state = 'live' AND NOT gated) AND name > $2 "
        "ORDER BY name LIMIT $3) "
        "SELECT string_agg('\"' || name || '\"', ',' ORDER BY name) AS items, max(name) AS last, "
        "(SELECT true FROM tags WHERE repo = (SELECT min(repo) FROM page) AND name > (SELECT max(name) FROM page) "
        "ORDER BY name LIMIT 1) IS NOT NULL AS more FROM page",
        name,
        last,
        limit,
    )
    return Listing(**dict(row))


async def shown_tags_after(connection: Any, name: str, last: str, limit: int, *, all_of_them: bool) -> Listing:
    """At most `limit` tags after `last` of a gated repository: all, or those of what others than writers may pull."""
    row = await connection.fetchrow(
        "WITH place AS (SELECT id FROM repositories WHERE name = $1 AND state = 'live' AND gated), "
        "found AS MATERIALIZED (SELECT t.name FROM tags t WHERE t.repo = (SELECT id FROM place) AND t.name > $2 "
        f"AND ($4 OR {_SHOWN}) ORDER BY t.name LIMIT $3 + 1), "
        "page AS MATERIALIZED (SELECT name FROM found ORDER BY name LIMIT $3), "
        "size AS (SELECT max(name) AS last, (SELECT count(*) FROM found) > $3 AS more FROM page) "
        "SELECT (SELECT string_agg('\"' || name || '\"', ',' ORDER BY name) FROM page) AS items, last, more, "
        "NOT EXISTS (SELECT FROM tags t WHERE t.repo = (SELECT id FROM place) AND t.name > $2 "
        f"AND (NOT more OR t.name <= last) AND NOT {_SHOWN}) AS is_for_all FROM size",
        name,
        last,
        limit,
        all_of_them,
    )
    return Listing(**dict(row))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of referrers begins, and how much it holds.

    Attributes:
        is_writer: the page is for who may push there, whatever the state of the subject.
        after: microseconds and digest of the one before; None for the first page.
        limit: referrers at most.
        size: bytes at most, but at least one referrer.
    """

    after: tuple[int, str] | None
    limit: int
    size: int
    is_writer: bool = True


def _before(microseconds: int, digest: str) -> tuple[datetime, str]:
    """A position as its index has it."""
    return _EPOCH + min(timedelta(microseconds=microseconds), _LAST - _EPOCH), digest


async def referrers(connection: Any, name: str, subject: str, artifact_type: str | None, place: Place) -> Listing:
    """Descriptors of referrers of a subject, newest first, as ASCII JSON; `last` is the position of the last."""
    row = await connection.fetchrow(
        "WITH place AS MATERIALIZED (SELECT id, CASE WHEN gated THEN (content_state(id, $2))[1] = 'live' ELSE true END "
        "AS shown FROM repositories WHERE name = $1 AND state = 'live'), "
        "found AS MATERIALIZED (SELECT m.pushed_at, m.digest, m.descriptor "
        "FROM manifests m WHERE m.repo = (SELECT id FROM place WHERE shown OR $8) "
        "AND m.subject = $2 AND ($3::text IS NULL OR m.artifact_type = $3) "
        'AND (m.pushed_at, m.digest) < ($4::timestamptz, $5 COLLATE "C") '
        "ORDER BY m.pushed_at DESC, m.digest DESC LIMIT $6 + 1), "
        "placed AS (SELECT *, row_number() OVER newest AS number, "
        "sum(octet_length(descriptor) + 1) OVER newest AS size "
        "FROM found WINDOW newest AS (ORDER BY pushed_at DESC, digest DESC)), "
        "page AS (SELECT * FROM placed WHERE number <= $6 AND (size <= $7 OR number = 1)) "
        "SELECT string_agg(descriptor, ',' ORDER BY number) AS items, (SELECT "
        "(extract(epoch FROM pushed_at) * 1000000)::bigint || '-' || digest FROM page ORDER BY number DESC LIMIT 1) "
        "AS last, count(*) < (SELECT count(*) FROM found) AS more, coalesce((SELECT shown FROM place), true) "
        "AS is_for_all FROM page",
        name,
        subject,
        artifact_type,
        *(_before(*place.after) if place.after else (_LAST, "")),
        place.limit,
        place.size,
        place.is_writer,
    )
    return Listing(**dict(row))
