"""An artifact in one piece: an OCI image layout in a tar becomes blobs, then a push like any other."""

import base64
import binascii
import json
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from registry.admission import bundle_files
from registry.admission.bundle_files import Arriving
from registry.admission.push import Pushed, push
from registry.admission.releasing import EVERYBODY, Publisher
from registry.artifacts import reading
from registry.artifacts.checking import kind_of
from registry.artifacts.formats.archive import Entry
from registry.artifacts.model import EMPTY
from registry.artifacts.sql_reading import Release
from registry.artifacts.versions import tag_of
from registry.content import blobs, manifests, uploads
from registry.content.chunks import Chunk, again
from registry.content.model import MANIFEST_LIMIT, Manifest, parse_manifest
from registry.content.shelf import Shelf
from registry.content.terms import Terms
from registry.core import media_types
from registry.core.digest import Digest, digest_of, parse_digest
from registry.core.errors import BadRequest, BlobUnknown, DigestInvalid, MalformedManifest, NameUnknown
from registry.infra.storage.hashing import Hasher

if TYPE_CHECKING:
    from collections.abc import Sequence

SIGNATURE: Final = "application/vnd.gati.signature.v1"
_SIGNATURE_LIMIT: Final = 16 * 1024
_INDEX_LIMIT: Final = 1 << 20
_LAYOUT: Final = "oci-layout"
_INDEX: Final = "index.json"
_FOLDERS: Final = frozenset({"blobs", "blobs/sha256", "blobs/sha512"})
_BLOB: Final = re.compile(r"blobs/(sha256/[0-9a-f]{64}|sha512/[0-9a-f]{128})")
_MANIFESTS: Final = 100
_SUGGESTION: Final = "Send the file that gati writes with build --out: an OCI image layout as tar or tar+gzip."


@dataclass(frozen=True, slots=True)
class Sender:
    """Into which repository, whose it is, under which terms, and who publishes."""

    name: str
    owner: str
    terms: Terms
    publisher: Publisher = EVERYBODY


async def take(shelf: Shelf, sender: Sender, version: str, arriving: Arriving, signature: str | None) -> Release:
    """The release that the archive becomes; the same archive again is the same release.

    Raises:
        DigestInvalid, TooLarge: of the archive, as `bundle_files.received`.
        BadRequest: the signature is no base64.
        MalformedManifest: it holds no artifact of a Gati type.
        Everything that a push of it raises.
    """
    signed = None if signature is None else _decoded(signature)
    async with bundle_files.received(shelf, sender.name, sender.owner, sender.terms, arriving) as file:
        index = await _unpack(shelf, sender, file, arriving.limit)
    pushed = await _push(shelf, sender, version, index)
    if signed is not None:
        await _sign(shelf, sender, pushed, signed, arriving.digest)
    return await reading.release(shelf.db, sender.name, str(pushed.manifest.digest), writer=True)


def _decoded(signature: str) -> str:
    try:
        raw = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not 0 < len(raw) <= _SIGNATURE_LIMIT:
        raise BadRequest(f"X-Signature is no base64 of 1 to {_SIGNATURE_LIMIT} bytes.")
    return signature


async def _unpack(shelf: Shelf, sender: Sender, file: BinaryIO, limit: int) -> bytes:
    """Every blob of the layout in the repository; its index."""
    found: dict[str, bytes] = {}
    async for entry in bundle_files.entries(file, limit):
        blob = _BLOB.fullmatch(entry.path)
        if blob is not None and not entry.is_directory:
            await _keep(shelf, sender, parse_digest(blob[1].replace("/", ":")), entry)
        elif entry.path in {_LAYOUT, _INDEX} and not entry.is_directory and entry.size <= _INDEX_LIMIT:
            found[entry.path] = b"".join([piece async for piece in bundle_files.pieces(entry)])
        elif entry.path not in _FOLDERS or not entry.is_directory:
            raise _refused("No OCI image layout holds this.", entry.path)
    for name in (_LAYOUT, _INDEX):
        if name not in found:
            raise _refused(f"It is no OCI image layout: it has no {name}.", name)
    return found[_INDEX]


async def _keep(shelf: Shelf, sender: Sender, digest: Digest, entry: Entry) -> None:
    """The blob in the repository; of one that is there, its bytes are still held against its name."""
    try:
        await blobs.find(shelf, sender.name, digest, leasing=True)
    except (BlobUnknown, NameUnknown):
        chunk = Chunk(bundle_files.pieces(entry), size=entry.size)
        await uploads.whole(shelf, sender.name, sender.owner, digest, chunk, sender.terms)
        return
    hasher = Hasher(digest.algorithm)
    async for piece in bundle_files.pieces(entry):
        hasher.update(piece)
    if hasher.hexdigest() != digest.encoded:
        raise DigestInvalid(f"A blob of the archive has another digest than its name {digest}.")


@dataclass(frozen=True, slots=True)
class _Listed:
    """A manifest of the layout, and its type as the index says it."""

    manifest: Manifest
    media_type: str


async def _push(shelf: Shelf, sender: Sender, version: str, index: bytes) -> _Listed:
    """Children, the artifact itself, then what refers to it."""
    listed = await _listed(shelf, sender, index)
    main = [one for one in listed if one.manifest.subject is None]
    if len(main) != 1 or kind_of(main[0].manifest.artifact_type) is None:
        raise _refused("Its index.json does not list one artifact of a Gati type.", _INDEX)
    for child in main[0].manifest.children:
        read = await _read(shelf, sender, child.digest, None)
        if read is not None:
            await _push_one(shelf, sender, read, read.manifest.digest)
    await _push_one(shelf, sender, main[0], tag_of(version))
    for one in listed:
        if one is not main[0]:
            await _push_one(shelf, sender, one, one.manifest.digest)
    return main[0]


async def _push_one(shelf: Shelf, sender: Sender, one: _Listed, reference: Digest | str) -> None:
    pushed = Pushed(one.manifest.raw, one.media_type, reference, ())
    await push(shelf, sender.name, pushed, sender.terms, sender.publisher)


async def _listed(shelf: Shelf, sender: Sender, index: bytes) -> list[_Listed]:
    descriptors = parse_manifest(index, media_types.OCI_INDEX).children
    if len(descriptors) > _MANIFESTS:
        raise _refused(f"Its index.json lists more than {_MANIFESTS} manifests.", _INDEX)
    types: Sequence[Any] = json.loads(index)["manifests"] if descriptors else ()
    found = []
    for descriptor, stated in zip(descriptors, types, strict=True):
        one = await _read(shelf, sender, descriptor.digest, stated["mediaType"])
        if one is None:
            raise _refused(f"Its index.json lists {descriptor.digest}, which is not in it.", _INDEX)
        found.append(one)
    return found


async def _read(shelf: Shelf, sender: Sender, digest: str, media_type: str | None) -> _Listed | None:
    """The manifest among the blobs of the repository; None where there is none of a size that manifests have."""
    raw = await reading.read_blob(shelf, sender.name, digest, MANIFEST_LIMIT)
    if raw is None:
        return None
    manifest = parse_manifest(raw, media_type, parse_digest(digest).algorithm)
    return _Listed(manifest, manifest.media_type)


async def _sign(shelf: Shelf, sender: Sender, pushed: _Listed, signature: str, signed: Digest) -> None:
    """A referrer with the signature of the archive, the same each time; nobody has verified it."""
    body = {"algorithm": "cosign", "value": signature, "subjectDigest": str(signed)}
    layer = json.dumps(body, separators=(",", ":"), sort_keys=True).encode()
    for content in (_NOTHING, layer):
        chunk = Chunk(again([content]), size=len(content))
        await uploads.whole(shelf, sender.name, sender.owner, digest_of(content), chunk, sender.terms)
    subject = pushed.manifest
    raw = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": media_types.OCI_MANIFEST,
            "artifactType": SIGNATURE,
            "config": _descriptor(_NOTHING, EMPTY),
            "layers": [_descriptor(layer, f"{SIGNATURE}+json")],
            "subject": {
                "mediaType": pushed.media_type,
                "digest": str(subject.digest),
                "size": len(subject.raw),
            },
        },
        separators=(",", ":"),
    ).encode()
    await manifests.record(shelf, sender.name, parse_manifest(raw, media_types.OCI_MANIFEST), [], sender.terms)


_NOTHING: Final = b"{}"


def _descriptor(content: bytes, media_type: str) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": f"sha256:{sha256(content).hexdigest()}", "size": len(content)}


def _refused(message: str, path: str) -> MalformedManifest:
    return MalformedManifest(
        f"The archive is refused. {message}", pointer="", document="layer", path=path, suggestion=_SUGGESTION
    )
