"""What a manifest says, as values. Pure."""

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from registry.core import media_types
from registry.core.digest import Digest, digest_of, parse_digest
from registry.core.errors import DigestInvalid, ManifestInvalid, MediaTypeUnsupported, SizeInvalid
from registry.core.strict_json import parse_object

MANIFEST_LIMIT: Final = 4 * 1024 * 1024
LISTED_LIMIT: Final = 1024 * 1024
_SIZE_LIMIT: Final = 2**63 - 1
_MEDIA_TYPE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}")
_HEADER_TEXT: Final = re.compile(r"[^\x00-\x1f\x7f]*")


@dataclass(frozen=True, slots=True)
class Reference:
    """One descriptor of a manifest: `required` unless it is a layer that registries do not hold."""

    digest: str
    size: int
    required: bool


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest that keeps every rule; `raw` is what is stored and returned, byte for byte.

    Attributes:
        digest: the digest of `raw`, under the algorithm that the pusher chose.
        media_type: its Content-Type.
        artifact_type: `artifactType`, else the media type of the config (image manifests), else None.
        subject: the digest of its subject, or None.
        descriptor: ASCII JSON of its descriptor as the referrers API lists it; None without a subject.
        blobs: config and layers.
        children: descriptors of an index: manifests or blobs, here now, later or never.
    """

    raw: bytes
    digest: Digest
    media_type: str
    artifact_type: str | None
    subject: str | None
    descriptor: str | None
    blobs: tuple[Reference, ...]
    children: tuple[Reference, ...]


def parse_manifest(raw: bytes, content_type: str | None, algorithm: str = "sha256") -> Manifest:
    """The manifest in `raw` (OCI Image Specification, manifest.md and image-index.md).

    Raises:
        MediaTypeUnsupported: its type is none that registries hold.
        ManifestInvalid: it breaks a rule; `detail.pointer` says where (RFC 6901).
        DigestInvalid, SizeInvalid: a descriptor does.
    """
    body = parse_object(raw)
    media_type = _media_type(body, content_type)
    _check_shape(body, media_type)
    subject = _descriptor(body["subject"], "/subject") if body.get("subject") is not None else None
    blobs, children = _references(body, media_type)
    digest = digest_of(raw, algorithm)
    artifact_type = _artifact_type(body)
    listed = _listing(body, media_type, artifact_type, digest, len(raw)) if subject else None
    return Manifest(
        raw,
        digest,
        media_type,
        artifact_type,
        subject.digest if subject else None,
        listed,
        tuple(blobs),
        tuple(children),
    )


def _media_type(body: dict[str, Any], content_type: str | None) -> str:
    stated = (content_type or "").partition(";")[0].strip()
    inside = body.get("mediaType")
    if inside is not None and not isinstance(inside, str):
        raise ManifestInvalid("mediaType is not a string.", detail={"pointer": "/mediaType"})
    if stated and stated not in media_types.MANIFESTS:
        raise MediaTypeUnsupported(f"{stated[:200]!r} is not the type of a manifest that this registry holds.")
    if stated and inside and inside != stated:
        raise ManifestInvalid(
            f"mediaType says {inside[:200]!r}, Content-Type says {stated!r}.", detail={"pointer": "/mediaType"}
        )
    chosen = stated or inside or (media_types.OCI_INDEX if "manifests" in body else media_types.OCI_MANIFEST)
    if chosen not in media_types.MANIFESTS:
        raise MediaTypeUnsupported(f"{chosen[:200]!r} is not the type of a manifest that this registry holds.")
    return chosen


def _check_shape(body: dict[str, Any], media_type: str) -> None:
    if "manifests" in body and ("layers" in body or "config" in body):
        raise ManifestInvalid(
            "A manifest has either manifests, or config and layers.", detail={"pointer": "/manifests"}
        )
    version = body.get("schemaVersion")
    if version != 2 or isinstance(version, bool | float):
        raise ManifestInvalid("schemaVersion is not 2.", detail={"pointer": "/schemaVersion"})
    needed = "manifests" if media_type in media_types.INDEXES else "config"
    if needed not in body:
        raise ManifestInvalid(f"A manifest of type {media_type} has {needed}.", detail={"pointer": f"/{needed}"})
    if "artifactType" in body:
        _legal_media_type(body["artifactType"], "/artifactType")
    _annotations(body.get("annotations"), "/annotations")


def _references(body: dict[str, Any], media_type: str) -> tuple[list[Reference], list[Reference]]:
    if media_type in media_types.INDEXES:
        return [], [_descriptor(value, f"/manifests/{i}") for i, value in enumerate(_list(body, "manifests"))]
    blobs = [_descriptor(body["config"], "/config")]
    blobs += [_descriptor(value, f"/layers/{i}") for i, value in enumerate(_list(body, "layers"))]
    return blobs, []


def _list(body: dict[str, Any], key: str) -> list[Any]:
    value = body.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise ManifestInvalid(f"{key} is not an array.", detail={"pointer": f"/{key}"})
    return value


def _descriptor(value: Any, pointer: str) -> Reference:
    if not isinstance(value, dict):
        raise ManifestInvalid("A descriptor is an object.", detail={"pointer": pointer})
    media_type = value.get("mediaType")
    _legal_media_type(media_type, f"{pointer}/mediaType")
    size = value.get("size")
    if not isinstance(size, int) or isinstance(size, bool):
        raise ManifestInvalid("The size of a descriptor is an integer.", detail={"pointer": f"{pointer}/size"})
    if not 0 <= size <= _SIZE_LIMIT:
        raise SizeInvalid("The size of a descriptor is 0 to 2^63-1.", detail={"pointer": f"{pointer}/size"})
    text = value.get("digest")
    if not isinstance(text, str):
        raise DigestInvalid("The digest of a descriptor is a string.", detail={"pointer": f"{pointer}/digest"})
    _annotations(value.get("annotations"), f"{pointer}/annotations")
    return Reference(str(parse_digest(text)), size, media_types.is_distributed(str(media_type)))


def _legal_media_type(value: Any, pointer: str) -> None:
    if not isinstance(value, str) or (value and _MEDIA_TYPE.fullmatch(value) is None):
        raise ManifestInvalid("A media type is type/subtype (RFC 6838, section 4.2).", detail={"pointer": pointer})
    if not value and pointer != "/artifactType":
        raise ManifestInvalid("A descriptor has a mediaType.", detail={"pointer": pointer})


def _annotations(value: Any, pointer: str) -> None:
    if value is None:
        return
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise ManifestInvalid("Annotations map strings to strings.", detail={"pointer": pointer})
    if not all(_HEADER_TEXT.fullmatch(key) for key in value):
        raise ManifestInvalid("An annotation's key holds a control character.", detail={"pointer": pointer})


def _artifact_type(body: dict[str, Any]) -> str | None:
    config = body.get("config")
    return body.get("artifactType") or (config.get("mediaType") if isinstance(config, dict) else None)


def _listing(body: dict[str, Any], media_type: str, artifact_type: str | None, digest: Digest, size: int) -> str:
    listed: dict[str, Any] = {"mediaType": media_type, "digest": str(digest), "size": size}
    if artifact_type:
        listed["artifactType"] = artifact_type
    if body.get("annotations"):
        listed["annotations"] = body["annotations"]
    text = json.dumps(listed, separators=(",", ":"))
    if len(text) > LISTED_LIMIT:
        raise ManifestInvalid(
            f"The annotations of a referrer take more than {LISTED_LIMIT} bytes in a list.",
            detail={"pointer": "/annotations"},
        )
    return text
