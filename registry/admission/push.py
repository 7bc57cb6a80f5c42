"""The gate of a manifest push: the ordered checks, one transaction, one receipt."""

from dataclasses import dataclass

from registry.content import manifests
from registry.content.model import parse_manifest
from registry.content.shelf import Shelf
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


async def push(shelf: Shelf, name: str, pushed: Pushed) -> Receipt:
    """Accept a manifest.

    Raises:
        MediaTypeUnsupported, ManifestInvalid, SizeInvalid: what it is.
        DigestInvalid: the path names another digest.
        ManifestBlobUnknown: what it refers to is not here.
        StorageFull: only the reserve is left.
    """
    shelf.store.check_room()
    reference = pushed.reference
    algorithm = reference.algorithm if isinstance(reference, Digest) else "sha256"
    manifest = parse_manifest(pushed.raw, pushed.content_type, algorithm)
    if isinstance(reference, Digest) and reference != manifest.digest:
        raise DigestInvalid(f"The manifest has the digest {manifest.digest}, the path says {reference}.")
    tags = (reference,) if isinstance(reference, str) else pushed.tags
    missing = await manifests.record(shelf, name, manifest, sorted(set(tags)))
    return Receipt(manifest.digest, manifest.subject, pushed.tags, len(missing))
