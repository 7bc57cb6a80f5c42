"""The gate of a pull: may this caller have it, then the content."""

from registry.content import blobs, manifests
from registry.content.shelf import Shelf
from registry.content.sql_blobs import Blob
from registry.content.sql_manifests import Stored
from registry.core.digest import Digest


async def manifest(shelf: Shelf, name: str, reference: Digest | str) -> Stored:
    """The manifest of a digest or a tag, for a caller who may pull."""
    return await manifests.find(shelf, name, reference)


async def blob(shelf: Shelf, name: str, digest: Digest, *, writer: bool) -> Blob:
    """The blob, for a caller who may pull; `writer` where the look is the first step of a push."""
    return await blobs.find(shelf, name, digest, writer=writer)
