"""The gate of a manifest push: the ordered checks, one transaction, one receipt."""

from dataclasses import dataclass

from registry.content import manifests
from registry.content.model import parse_manifest
from registry.content.shelf import Shelf
from registry.content.terms import OPEN_TERMS, Terms
from registry.core.digest import Digest
from registry.core.errors import DigestInvalid


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a client sends: bytes, their stated type, the reference of the path, and tags beside a digest."""

    raw: bytes
    content_type: str | None
    reference: Digest | str
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What has been committed: `missing` counts references that the rules allow to be absent."""

    digest: Digest
    subject: str | None
    tags: tuple[str, ...]
    missing: int


async def push(shelf: Shelf, name: str, pushed: Pushed, terms: Terms = OPEN_TERMS) -> Receipt:
    """Accept a manifest.

    Raises:
        MediaTypeUnsupported, ManifestInvalid, SizeInvalid: what it is.
        DigestInvalid: the path names another digest.
        ManifestBlobUnknown: what it refers to is not here.
        NameUnknown: there is no namespace to make the repository in.
        Conflict: an immutable tag names another manifest.
        StorageFull, QuotaExceeded: only the reserve is left, or nothing of what the namespace may hold.
    """
    shelf.store.check_room()
    reference = pushed.reference
    algorithm = reference.algorithm if isinstance(reference, Digest) else "sha256"
    manifest = parse_manifest(pushed.raw, pushed.content_type, algorithm)
    if isinstance(reference, Digest) and reference != manifest.digest:
        raise DigestInvalid(f"The manifest has the digest {manifest.digest}, the path says {reference}.")
    tags = (reference,) if isinstance(reference, str) else pushed.tags
    missing = await manifests.record(shelf, name, manifest, sorted(set(tags)), terms)
    return Receipt(manifest.digest, manifest.subject, pushed.tags, len(missing))
