"""Blobs of a repository: look, mount, delete. A blob that is not linked here does not exist here."""

from collections.abc import Iterable

from registry.audit.model import Event
from registry.content import sql_blobs as sql
from registry.content import sql_manifests, trail
from registry.content.refusals import telling
from registry.content.shelf import Shelf
from registry.content.sql_blobs import Blob, Lease
from registry.content.terms import OPEN_TERMS, Terms
from registry.content.visibility import WRITER, Reader
from registry.core.digest import Digest
from registry.core.errors import BlobUnknown, Unsupported
from registry.namespaces import catalog

_READ_METHODS = "GET, HEAD"


async def find(shelf: Shelf, name: str, digest: Digest, reader: Reader = WRITER, *, leasing: bool) -> Blob:
    """The blob; `leasing`: its life is lengthened, so that the push that asked can count on it.

    Raises:
        BlobUnknown, NameUnknown: it is not here, or not for the reader.
    """
    with telling(name, OPEN_TERMS):
        async with shelf.db.connection() as connection:
            if leasing:
                blob = await sql.lease(connection, name, str(digest), shelf.policy.grace)
            else:
                blob = await sql.select(connection, name, str(digest))
    if blob is None or (blob.reach == "writers" and not reader.is_writer):
        await catalog.require(shelf.db, name)
        raise BlobUnknown(f"{name} has no blob {digest}.", detail={"digest": str(digest)})
    return blob


async def mount(
    shelf: Shelf,
    sources: list[str] | None,
    target: str,
    digest: Digest,
    terms: Terms = OPEN_TERMS,
    guarded: Iterable[str] = (),
) -> bool:
    """Link the blob of the first of `sources` that has it (end-11), None: of any; False when there is nothing to mount.

    Of sources that are `guarded`, as the caller is no writer there, only what others may read is mounted.

    Raises:
        NameUnknown: there is no namespace to make the target in.
        QuotaExceeded: the namespace of the target holds as much as it may.
    """
    lease = Lease(shelf.policy.grace, terms, tuple(guarded))

    async def link(connection: object) -> bool:
        return await sql.mount(connection, sources, target, str(digest), lease)

    with telling(target, terms):
        async with shelf.changes.making(target, changing=False):
            return await shelf.db.retry(link, single=True)


async def delete(shelf: Shelf, name: str, digest: Digest, terms: Terms = OPEN_TERMS) -> None:
    """Take a blob out of the repository at once (end-10).

    Raises:
        Unsupported: a manifest here refers to it.
        BlobUnknown, NameUnknown: it is not here.
    """

    async def remove(connection: object) -> bool:
        repo = await sql_manifests.lock_repository(connection, name)
        if repo is None:
            return False
        await _refuse_referenced(connection, name, repo, digest)  # first without a lock: pushers hold that link
        if not await sql.lock_link(connection, repo, str(digest)):
            return False
        await _refuse_referenced(connection, name, repo, digest)
        await sql.delete_link(connection, repo, str(digest))
        await trail.note(connection, terms, repo, Event("blob.deleted", f"{name}@{digest}"))
        return True

    async with shelf.changes.of(name):
        removed = await shelf.db.retry(remove)
    if not removed:
        await catalog.require(shelf.db, name)
        raise BlobUnknown(f"{name} has no blob {digest}.", detail={"digest": str(digest)})


async def _refuse_referenced(connection: object, name: str, repo: int, digest: Digest) -> None:
    if await sql.is_referenced(connection, repo, str(digest)):
        raise Unsupported(
            f"A manifest of {name} refers to {digest}: delete the manifest first.", headers={"Allow": _READ_METHODS}
        )
