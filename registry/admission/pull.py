"""The gate of a pull: may this caller have it, then the content."""

from registry.content import blobs, manifests
from registry.content.shelf import Shelf
from registry.content.sql_blobs import Blob
from registry.content.sql_manifests import Stored
from registry.content.visibility import Reader
from registry.core.digest import Digest


async def manifest(shelf: Shelf, name: str, reference: Digest | str, reader: Reader) -> Stored:
    """The manifest of a digest or a tag, for a caller who may pull, in a state in which it is for the reader."""
    return await manifests.find(shelf, name, reference, reader)


async def blob(shelf: Shelf, name: str, digest: Digest, reader: Reader) -> Blob:
    """The blob, for a caller who may pull; a look of a writer, who reads nothing, is the first step of a push."""
    return await blobs.find(shelf, name, digest, reader, leasing=reader.is_writer and not reader.is_told)
