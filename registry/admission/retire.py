"""The gate of a removal: may it go, then it goes."""

from registry.content import blobs, manifests
from registry.content.shelf import Shelf
from registry.core.digest import Digest


async def manifest(shelf: Shelf, name: str, reference: Digest | str) -> None:
    """Remove a tag, or a manifest with all its tags."""
    if isinstance(reference, str):
        await manifests.delete_tag(shelf, name, reference)
    else:
        await manifests.delete(shelf, name, reference)


async def blob(shelf: Shelf, name: str, digest: Digest) -> None:
    """Remove a blob from a repository."""
    await blobs.delete(shelf, name, digest)
