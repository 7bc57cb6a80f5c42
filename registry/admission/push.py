"""The gate of a manifest push: the ordered checks, one transaction, one receipt."""

from dataclasses import dataclass

from registry.admission import releasing
from registry.admission.releasing import EVERYBODY, Publisher
from registry.artifacts.sql_releases import Release
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
    """What has been committed: `missing` counts references that the rules allow to be absent.

    `release` is what a manifest of an artifact is or has become.
    """

    digest: Digest
    subject: str | None
    tags: tuple[str, ...]
    missing: int
    release: Release | None = None


async def push(
    shelf: Shelf, name: str, pushed: Pushed, terms: Terms = OPEN_TERMS, publisher: Publisher = EVERYBODY
) -> Receipt:
    """Accept a manifest. One of an artifact is judged, and published when nothing is left to be looked at.

    Raises:
        MediaTypeUnsupported, ManifestInvalid, SizeInvalid: what it is.
        DigestInvalid: the path names another digest.
        ManifestBlobUnknown: what it refers to is not here.
        NameUnknown: there is no namespace to make the repository in.
        Conflict: an immutable tag names another manifest, or a tag belongs to a release.
        ArtifactInvalid, ArtifactExists, VersionRetired, TooLarge, TooManyRequests: as `releasing.release`.
        ReservedArtifactType: only the registry writes what it is.
        StorageFull, QuotaExceeded: only the reserve is left, or nothing of what the namespace may hold.
    """
    shelf.store.check_room()
    reference = pushed.reference
    algorithm = reference.algorithm if isinstance(reference, Digest) else "sha256"
    manifest = parse_manifest(pushed.raw, pushed.content_type, algorithm)
    if isinstance(reference, Digest) and reference != manifest.digest:
        raise DigestInvalid(f"The manifest has the digest {manifest.digest}, the path says {reference}.")
    tags = (reference,) if isinstance(reference, str) else pushed.tags
    releasing.refuse_reserved(manifest)
    if releasing.kind_of(manifest) is not None:
        found = await releasing.release(shelf, name, manifest, tags, terms, publisher)
        return Receipt(manifest.digest, None, pushed.tags, 0, found)
    missing = await manifests.record(shelf, name, manifest, sorted(set(tags)), terms)
    return Receipt(manifest.digest, manifest.subject, pushed.tags, len(missing))
