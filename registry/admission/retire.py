"""The gate of a removal: may it go, then it goes."""

from registry.admission import releasing
from registry.content import blobs, manifests
from registry.content.shelf import Shelf
from registry.content.terms import OPEN_TERMS, Terms
from registry.core.digest import Digest


async def manifest(shelf: Shelf, name: str, reference: Digest | str, terms: Terms = OPEN_TERMS) -> None:
    """Remove a tag, or a manifest with all its tags; what a release lives from is unpublished.

    Raises:
        Conflict: the release must stay, or the tag.
        ManifestUnknown, NameUnknown: there is no such thing.
        Unsupported: an index contains the manifest.
    """
    if isinstance(reference, str):
        if not await releasing.retire_tag(shelf, name, reference, terms):
            await manifests.delete_tag(shelf, name, reference, terms, releasing.is_no_release_tag(reference))
    elif not await releasing.retire_digest(shelf, name, reference, terms):
        await manifests.delete(shelf, name, reference, terms, releasing.is_no_release(reference))


async def blob(shelf: Shelf, name: str, digest: Digest, terms: Terms = OPEN_TERMS) -> None:
    """Remove a blob from a repository."""
    await blobs.delete(shelf, name, digest, terms)
