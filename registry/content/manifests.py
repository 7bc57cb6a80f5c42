"""Manifests, tags and referrers of a repository."""

import json

import asyncpg

from registry.content import events
from registry.content import sql_manifests as sql
from registry.content.model import Manifest
from registry.content.shelf import Shelf
from registry.content.sql_manifests import Place, Rules, Stored
from registry.core.digest import Digest
from registry.core.errors import ManifestBlobUnknown, ManifestUnknown, SizeInvalid, Unsupported
from registry.core.listing import Listing
from registry.namespaces import catalog

_READ_METHODS = "GET, HEAD, PUT"
_NAMED_PARENTS = 10


async def find(shelf: Shelf, name: str, reference: Digest | str) -> Stored:
    """The manifest of a digest or a tag.

    Raises:
        ManifestUnknown, NameUnknown: it is not here.
    """
    async with shelf.db.connection() as connection:
        if isinstance(reference, str):
            stored = await sql.by_tag(connection, name, reference)
        else:
            stored = await sql.by_digest(connection, name, str(reference))
        if stored is not None and stored.watched:
            await sql.note_pull(connection, name, stored.digest)
    if stored is None:
        raise await _unknown(shelf, name, reference)
    return stored


async def _unknown(shelf: Shelf, name: str, reference: Digest | str) -> ManifestUnknown:
    await catalog.require(shelf.db, name)
    kind = "tag" if isinstance(reference, str) else "manifest"
    return ManifestUnknown(f"{name} has no {kind} {reference}.", detail={"reference": str(reference)})


async def record(shelf: Shelf, name: str, manifest: Manifest, tags: list[str]) -> list[str]:
    """Manifest, references, tags and facts in one transaction; the references that are missing and may be.

    Raises:
        ManifestBlobUnknown: references are missing; `detail` lists all.
        SizeInvalid: a descriptor states another size than the content has here.
    """
    rules = Rules(shelf.policy.sparse, shelf.policy.orphans)
    try:
        async with shelf.changes.making(name, changing=True):
            return await shelf.db.retry(
                lambda connection: sql.push(connection, name, manifest, tags, rules), single=True
            )
    except asyncpg.PostgresError as error:
        if error.sqlstate != "GT400":
            raise
        digests = str(error.as_dict().get("detail", "")).split(",")
        if str(error.as_dict().get("message")) == "missing":
            message = (
                f"The manifest refers to {len(digests)} blobs or manifests that {name} does not have: push them first."
            )
            raise ManifestBlobUnknown(message, detail={"digests": digests}) from error
        raise SizeInvalid(
            "The manifest states another size than the content has.", detail={"digests": digests}
        ) from error


async def delete(shelf: Shelf, name: str, digest: Digest) -> None:
    """Remove a manifest and its tags (end-9).

    Raises:
        Unsupported: an index contains it; `detail` names the indexes.
        ManifestUnknown, NameUnknown: it is not here.
    """

    async def remove(connection: object) -> bool:
        repo = await sql.lock_repository(connection, name)
        if repo is None:
            return False
        await _refuse_contained(connection, repo, digest)  # first without a lock: pushers of indexes hold that row
        if not await sql.lock(connection, repo, str(digest)):
            return False
        await _refuse_contained(connection, repo, digest)
        await sql.delete(connection, repo, str(digest), shelf.policy.grace)
        await sql.emit(connection, events.MANIFEST_DELETED, repo, json.dumps({"digest": str(digest)}))
        return True

    async with shelf.changes.of(name):
        removed = await shelf.db.retry(remove)
    if not removed:
        raise await _unknown(shelf, name, digest)


async def _refuse_contained(connection: object, repo: int, digest: Digest) -> None:
    parents = await sql.parents(connection, repo, str(digest), _NAMED_PARENTS)
    if parents:
        raise Unsupported(
            f"{digest} is part of {', '.join(parents)}: delete that first.",
            detail={"parents": parents},
            headers={"Allow": _READ_METHODS},
        )


async def delete_tag(shelf: Shelf, name: str, tag: str) -> None:
    """Remove a tag; its manifest stays.

    Raises:
        ManifestUnknown, NameUnknown: there is no such tag.
    """

    async def remove(connection: object) -> bool:
        repo = await sql.lock_repository(connection, name)
        digest = await sql.delete_tag(connection, repo, tag) if repo is not None else None
        if repo is None or digest is None:
            return False
        await sql.emit(connection, events.TAG_DELETED, repo, json.dumps({"tag": tag, "from": digest}))
        return True

    async with shelf.changes.of(name):
        removed = await shelf.db.retry(remove)
    if not removed:
        raise await _unknown(shelf, name, tag)


async def list_tags(shelf: Shelf, name: str, last: str, limit: int) -> Listing:
    """At most `limit` tags after `last`.

    Raises:
        NameUnknown: there is no such repository.
    """
    async with shelf.db.connection() as connection:
        listing = await sql.tags_after(connection, name, last, limit)
    if listing.items is None:
        await catalog.require(shelf.db, name)
    return listing


async def list_referrers(shelf: Shelf, name: str, subject: Digest, artifact_type: str | None, place: Place) -> Listing:
    """Referrers of a subject, newest first; none for what is not known."""
    async with shelf.db.connection() as connection:
        return await sql.referrers(connection, name, str(subject), artifact_type, place)
