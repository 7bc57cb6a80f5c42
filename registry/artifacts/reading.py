"""What artifacts are there, and what their releases say."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from registry.artifacts import sql_reading as sql
from registry.artifacts import versions
from registry.artifacts.sql_reading import Artifact, Asked, Dependent, Parts, Range, Referrer, Release
from registry.content import blobs
from registry.content.shelf import Shelf
from registry.core import slugs
from registry.core.digest import parse_digest
from registry.core.errors import BadRequest, Blocked, DigestInvalid, Gone, NotFound, VersionUnknown
from registry.core.strict_json import Ambiguous, parse
from registry.infra.db.pool import Database
from registry.namespaces.catalog import Visible

DOCUMENT: Final = 1 << 20
_FAMILY: Final = 200
_HIDDEN: Final = frozenset({"received", "awaiting-signature", "scanning", "rejected", "expired"})


@dataclass(frozen=True, slots=True)
class Resolved:
    """A dependency of a release, and the highest version that it admits of those that may be seen."""

    name: str
    wanted: str
    relation: str
    is_optional: bool
    pinned: str | None
    found: Release | None


async def artifact(db: Database, name: str, *, writer: bool) -> Artifact | None:
    """The artifact of a repository; None where there is none, or nothing of it for others than writers."""
    async with db.connection() as connection:
        return await sql.artifact(connection, name, writer=writer)


async def artifacts_of(
    db: Database, home: str, page: Range, kinds: Sequence[str], seen: Visible | None
) -> list[Artifact]:
    """A page of the artifacts of a namespace, by name, as far as they are seen (None: all)."""
    async with db.connection() as connection:
        return await sql.artifacts_of(connection, home, page, kinds, seen)


async def releases(db: Database, name: str, page: Range, states: Sequence[str]) -> list[Release]:
    """A page of the releases of a repository, the highest version first.

    Raises:
        BadRequest: the page is said to begin behind what is no version.
    """
    if page.after is not None:
        page = Range(_behind(page.after[0]), page.limit, page.writer)
    async with db.connection() as connection:
        return await sql.versions(connection, name, page, states)


def _behind(version: str) -> tuple[str, str]:
    try:
        return versions.precedence(version), version
    except ValueError:
        raise _misplaced() from None


async def release(db: Database, name: str, reference: str, *, writer: bool) -> Release:
    """The release of a version, a floating tag or a digest; for others than writers once it was published.

    Raises:
        Blocked: it is quarantined; writers may read of it.
        DigestInvalid: there is a colon in it, and it is no digest.
        Gone: it was unpublished.
        VersionUnknown: there is none, or not for the caller.
    """
    version = versions.version_of(reference)
    async with db.connection() as connection:
        if ":" in reference:
            found = await sql.by_digest(connection, name, str(parse_digest(reference)))
        elif version is not None:
            found = await sql.by_version(connection, name, version)
        else:
            found = await sql.by_tag(connection, name, reference)
    if found is None or (not writer and found.state in _HIDDEN):
        raise VersionUnknown(
            f"{name} has no version {reference[:200]}.", detail={"repository": name, "version": reference[:200]}
        )
    if found.state == "unpublished":
        raise Gone(
            f"{name}@{found.version} was unpublished: its number is never used again.",
            detail={"repository": name, "version": found.version},
        )
    if found.state == "quarantined" and not writer:
        message = f"{name}@{found.version} is quarantined: its publisher knows why."
        raise Blocked(message, detail={"reason": "ARTIFACT_QUARANTINED", "state": found.state})
    return found


async def upload(db: Database, receipt: str) -> Release | None:
    """The release that an upload made, whoever asks."""
    async with db.connection() as connection:
        return await sql.by_upload(connection, receipt)


async def parts(db: Database, found: Release) -> Parts:
    """The long parts of a release."""
    async with db.connection() as connection:
        return await sql.parts(connection, found.id)


async def config(db: Database, found: Release) -> dict[str, Any]:
    """The Gati manifest of a release; empty where it has none yet."""
    text = (await parts(db, found)).config
    value = json.loads(text) if text else {}
    return value if isinstance(value, dict) else {}


async def dependents(db: Database, name: str, after: str, limit: int, seen: Visible | None) -> list[Dependent]:
    """A page of the published releases that name the repository, as far as they are seen.

    Raises:
        BadRequest: `after` is no place of a page before.
    """
    place = _PLACE.fullmatch(after or "0-0")
    if place is None:
        raise _misplaced()
    async with db.connection() as connection:
        return await sql.dependents(connection, name, (int(place[1]), int(place[2])), limit, seen)


_PLACE: Final = re.compile(r"([0-9]{1,18})-([0-9]{1,9})", re.ASCII)


def _misplaced() -> BadRequest:
    return BadRequest(
        "The query parameter after cannot be taken: it is the next of the page before.",
        detail={"parameter": "after", "expected": "the next of the page before"},
    )


async def batch(db: Database, names: Sequence[str], seen: Visible | None) -> dict[str, list[Release]]:
    """Published releases by the names that were asked for, the highest first; names that lead nowhere are left out."""
    asked = [one for name in dict.fromkeys(names) for one in _asked(name)]
    async with db.connection() as connection:
        rows = await sql.batch(connection, asked, seen)
    found: dict[str, list[Release]] = {}
    for name, one in rows:
        found.setdefault(name, []).append(one)
    return found


def _asked(name: str) -> list[Asked]:
    """What a name may mean: `@slug/name` is of a user or of an organisation, never of both."""
    if name.startswith("@"):
        slug, _, rest = name[1:].partition("/")
        return [Asked(name, kind, f"{path}/", slug, f"/{rest}") for kind, path in slugs.PATHS.items()]
    kind, slug = slugs.split(name)
    home = slugs.prefix(kind, slug)
    return [Asked(name, kind, home[: len(home) - len(slug)], slug, name[len(home) :])]


async def resolve(db: Database, found: Release, seen: Visible | None) -> list[Resolved]:
    """The dependencies of a release, each with the highest version that its range admits."""
    named: list[Mapping[str, Any]] = json.loads(found.dependencies)
    known = await batch(db, [one["name"] for one in named], seen)
    return [_resolved(one, known.get(one["name"], [])) for one in named]


def _resolved(one: Mapping[str, Any], known: Sequence[Release]) -> Resolved:
    best = versions.best([release.version for release in known], one["range"])
    match = next((release for release in known if release.version == best), None)
    if one["digest"] is not None:
        match = next((release for release in known if release.digest == one["digest"]), None)
    return Resolved(one["name"], one["range"], one["relation"], one["optional"], one["digest"], match)


async def referrers(db: Database, found: Release, kinds: Sequence[str], limit: int = 100) -> list[Referrer]:
    """Referrers of a release of these artifact types, the newest first."""
    async with db.connection() as connection:
        return await sql.referrers(connection, found.repository, found.digest, kinds, limit)


async def manifests(db: Database, found: Release) -> list[tuple[str, dict[str, Any]]]:
    """Digest and content of the OCI manifest of a release and, of an index, of its children."""
    async with db.connection() as connection:
        rows = await sql.family(connection, found.repository, found.digest, _FAMILY)
    return [(digest, json.loads(raw)) for digest, raw in rows]


async def document(shelf: Shelf, found: Release, kind: str) -> Any | None:
    """The JSON in the first layer of the newest referrer of this artifact type; None where there is none."""
    for referrer in await referrers(shelf.db, found, [kind], 1):
        layers = json.loads(referrer.bytes).get("layers") or []
        if layers:
            return await _read_json(shelf, found.repository, layers[0]["digest"])
    return None


async def _read_json(shelf: Shelf, name: str, digest: str) -> Any | None:
    """The JSON that a blob holds; None for what is none, or has more than a MiB."""
    raw = await read_blob(shelf, name, digest, DOCUMENT)
    try:
        return None if raw is None else parse(raw)
    except Ambiguous:
        return None


async def read_blob(shelf: Shelf, name: str, digest: str, limit: int) -> bytes | None:
    """The bytes of a blob; None where there is none, or it has more than `limit` of them."""
    try:
        blob = await blobs.find(shelf, name, parse_digest(digest), leasing=False)
    except (NotFound, DigestInvalid):
        return None
    if blob.size > limit:
        return None
    if blob.object_key is None:
        return blob.content
    return await shelf.store.read(blob.object_key, 0, blob.size) if blob.size else b""
