"""Manifests, tags and referrers of a repository."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from registry.audit.model import Event
from registry.content import events, trail
from registry.content import sql_manifests as sql
from registry.content.model import Manifest
from registry.content.refusals import stays, telling
from registry.content.shelf import Shelf
from registry.content.sql_manifests import Place, Rules, Stored
from registry.content.terms import OPEN_TERMS, Terms
from registry.content.visibility import WRITER, Reader, refusal
from registry.core.digest import Digest
from registry.core.errors import ManifestUnknown, Unsupported
from registry.core.listing import Listing
from registry.namespaces import catalog

_READ_METHODS = "GET, HEAD, PUT"
_NAMED_PARENTS = 10

# Asked under the locks of a removal, with the connection and the repository's id: is it as it was when it was chosen?
Still = Callable[[object, int], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Target:
    """What is removed: a digest in a repository, of which name and id are those of one moment."""

    name: str
    repo: int
    reference: str


async def find(shelf: Shelf, name: str, reference: Digest | str, reader: Reader = WRITER) -> Stored:
    """The manifest of a digest or a tag.

    Raises:
        ManifestUnknown, NameUnknown: it is not here, or not for a reader who cannot be told why.
        Held, Blocked: it is here, but not for the reader.
    """
    async with shelf.db.connection() as connection:
        if isinstance(reference, str):
            stored = await sql.by_tag(connection, name, reference)
        else:
            stored = await sql.by_digest(connection, name, str(reference))
        is_refused = stored is not None and not reader.may_pull(stored.state)
        if stored is not None and stored.watched and not is_refused:
            await sql.note_pull(connection, name, stored.digest)
    if stored is not None and is_refused and reader.is_told:
        raise refusal(name, str(reference), stored.state, stored.notice)
    if stored is None or is_refused:
        raise await _unknown(shelf, name, reference)
    shelf.pulls.note(name, stored.digest)
    return stored


async def _unknown(shelf: Shelf, name: str, reference: Digest | str) -> ManifestUnknown:
    await catalog.require(shelf.db, name)
    kind = "tag" if isinstance(reference, str) else "manifest"
    return ManifestUnknown(f"{name} has no {kind} {reference}.", detail={"reference": str(reference)})


async def record(shelf: Shelf, name: str, manifest: Manifest, tags: list[str], terms: Terms = OPEN_TERMS) -> list[str]:
    """Manifest, references, tags and facts in one transaction; the references that are missing and may be.

    Raises:
        ManifestBlobUnknown: references are missing; `detail` lists all.
        SizeInvalid: a descriptor states another size than the content has here.
        Conflict: tags that name another manifest are immutable; `detail` lists them.
        NameUnknown: there is no namespace to make the repository in.
        QuotaExceeded: the namespace holds as much as it may.
    """
    rules = Rules(shelf.policy.sparse, shelf.policy.orphans, terms)
    with telling(name, terms):
        async with shelf.changes.making(name, changing=True):
            return await shelf.db.retry(
                lambda connection: sql.push(connection, name, manifest, tags, rules), single=True
            )


async def place(connection: object, shelf: Shelf, name: str, manifest: Manifest, tags: list[str], terms: Terms) -> None:
    """The same in the caller's transaction, for a manifest of which nothing may be missing. See `refusals.telling`."""
    await sql.push(connection, name, manifest, tags, Rules("none", shelf.policy.orphans, terms))


async def discard(connection: object, shelf: Shelf, repo: int, digest: str) -> None:
    """Remove a manifest and its tags in the caller's transaction, which knows that they may go; if they are there."""
    if await sql.lock(connection, repo, digest):
        await sql.delete(connection, repo, digest, shelf.policy.grace)
        await sql.emit(connection, events.MANIFEST_DELETED, repo, json.dumps({"digest": digest}))


async def delete(
    shelf: Shelf, name: str, digest: Digest, terms: Terms = OPEN_TERMS, still: Still | None = None
) -> None:
    """Remove a manifest and its tags (end-9).

    Raises:
        Unsupported: an index contains it; `detail` names the indexes.
        Conflict: it has an immutable tag.
        ManifestUnknown, NameUnknown: it is not here, or not `still` as it was.
    """

    async def remove(connection: object) -> bool:
        repo = await sql.lock_repository(connection, name)
        if repo is None:
            return False
        await refuse_contained(connection, repo, digest)  # first without a lock: pushers of indexes hold that row
        if not await sql.lock(connection, repo, str(digest)):
            return False
        await refuse_contained(connection, repo, digest)
        if still is not None and not await still(connection, repo):
            return False
        await _remove(connection, shelf, Target(name, repo, str(digest)), terms)
        return True

    async with shelf.changes.of(name):
        removed = await shelf.db.retry(remove)
    if not removed:
        raise await _unknown(shelf, name, digest)


async def _remove(connection: object, shelf: Shelf, target: Target, terms: Terms) -> None:
    tags = await sql.lock_tags(connection, target.repo, target.reference)
    _refuse_fixed(target.name, tags, terms)
    await sql.delete(connection, target.repo, target.reference, shelf.policy.grace)
    await sql.emit(connection, events.MANIFEST_DELETED, target.repo, json.dumps({"digest": target.reference}))
    done = Event("manifest.deleted", f"{target.name}@{target.reference}", detail={"tags": tags})
    await trail.note(connection, terms, target.repo, done)


def _refuse_fixed(name: str, tags: list[str], terms: Terms) -> None:
    fixed = terms.fixed(tags)
    if fixed:
        raise stays(name, fixed, terms)


async def refuse_contained(connection: object, repo: int, digest: Digest | str) -> None:
    """Nothing, when no index here contains the manifest.

    Raises:
        Unsupported: some do; `detail` names them.
    """
    parents = await sql.parents(connection, repo, str(digest), _NAMED_PARENTS)
    if parents:
        raise Unsupported(
            f"{digest} is part of {', '.join(parents)}: delete that first.",
            detail={"parents": parents},
            headers={"Allow": _READ_METHODS},
        )


async def delete_tag(shelf: Shelf, name: str, tag: str, terms: Terms = OPEN_TERMS, still: Still | None = None) -> None:
    """Remove a tag; its manifest stays.

    Raises:
        Conflict: the tag is immutable.
        ManifestUnknown, NameUnknown: there is no such tag, or it is not `still` as it was.
    """

    async def remove(connection: object) -> bool:
        repo = await sql.lock_repository(connection, name)
        if repo is None or (still is not None and not await still(connection, repo)):
            return False
        digest = await sql.delete_tag(connection, repo, tag)
        if digest is None:
            return False
        _refuse_fixed(name, [tag], terms)
        await sql.emit(connection, events.TAG_DELETED, repo, json.dumps({"tag": tag, "from": digest}))
        await trail.note(connection, terms, repo, Event("tag.deleted", f"{name}:{tag}", detail={"digest": digest}))
        return True

    async with shelf.changes.of(name):
        removed = await shelf.db.retry(remove)
    if not removed:
        raise await _unknown(shelf, name, tag)


async def list_tags(shelf: Shelf, name: str, last: str, limit: int, reader: Reader = WRITER) -> Listing:
    """At most `limit` tags after `last`: for those who are no writers without those of what they may not pull.

    Raises:
        NameUnknown: there is no such repository.
    """
    async with shelf.db.connection() as connection:
        listing = await sql.tags_after(connection, name, last, limit)
        if listing.items is None:
            listing = await sql.shown_tags_after(connection, name, last, limit, all_of_them=reader.is_writer)
    if listing.items is None:
        await catalog.require(shelf.db, name)
    return listing


async def list_referrers(shelf: Shelf, name: str, subject: Digest, artifact_type: str | None, place: Place) -> Listing:
    """Referrers of a subject, newest first; none for what is not known, or not for who asks."""
    async with shelf.db.connection() as connection:
        return await sql.referrers(connection, name, str(subject), artifact_type, place)
