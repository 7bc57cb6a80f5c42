"""The gate of a removal: may it go, then it goes."""

from registry.content import blobs, manifests
from registry.content.shelf import Shelf
from registry.content.terms import OPEN_TERMS, Terms
from registry.core.digest import Digest


async def manifest(shelf: Shelf, name: str, reference: Digest | str, terms: Terms = OPEN_TERMS) -> None:
    """Remove a tag, or a manifest with all its tags."""
    if isinstance(reference, str):
        await manifests.delete_tag(shelf, name, reference, terms)
    else:
        await manifests.delete(shelf, name, reference, terms)


async def blob(shelf: Shelf, name: str, digest: Digest, terms: Terms = OPEN_TERMS) -> None:
    """Remove a blob from a repository."""
    await blobs.delete(shelf, name, digest, terms)
