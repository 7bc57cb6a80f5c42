"""module-oci: a runnable image; its Gati manifest is a referrer, so that container engines run it as it is. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NoReturn

from registry.artifacts.common_schema import text
from registry.artifacts.model import Kind, Submission
from registry.artifacts.schemas import did_you_mean
from registry.artifacts.types import examples
from registry.core import media_types
from registry.core.errors import MalformedManifest

DOCKER_CONFIG: Final = "application/vnd.docker.container.image.v1+json"
LAYER: Final = "application/vnd.oci.image.layer.v1.tar+gzip"
_LAYERS: Final = (
    "application/vnd.oci.image.layer.v1.tar",
    LAYER,
    "application/vnd.oci.image.layer.v1.tar+zstd",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
)
_WORD: Final = re.compile(r"[a-z0-9][a-z0-9._-]*")
_SCHEMA: Final = {
    "type": "object",
    "required": ["type"],
    "properties": {
        "type": {"const": "oci", "description": "Always oci."},
        "entrypoint": {
            "type": "array",
            "minItems": 1,
            "maxItems": 200,
            "items": text("A word of the command.", 4096),
            "description": "The command that it starts with, where it is not that of the image.",
            "examples": [["/bin/hello", "--serve"]],
        },
        "ports": {
            "type": "array",
            "maxItems": 100,
            "uniqueItems": True,
            "items": {"type": "integer", "minimum": 1, "maximum": 65535, "description": "A port, 1 to 65535."},
            "description": "Ports that it listens on, each once.",
            "examples": [[8080]],
        },
        "manifestPath": text(
            "Where the image holds its Gati manifest, if it does.",
            1024,
            pattern=r"^/[^\x00-\x1f]*$",
            examples=["/etc/gati/manifest.json"],
        ),
    },
}


def _check(submission: Submission) -> None:
    """The image, with or without its Gati manifest: it must be runnable."""
    if not submission.is_index:
        _check_image(submission.manifest, "")
        return
    images = 0
    for index, descriptor in enumerate(submission.manifest["manifests"]):
        if _is_attestation(descriptor):
            continue
        place = f"/manifests/{index}"
        _check_platform(descriptor, place)
        child = submission.children.get(str(descriptor.get("digest")))
        if child is not None:
            _check_image(child, place)
        images += 1
    if not images:
        _refuse("/manifests", 0, "The index holds no image.", "Push an image for a platform at least.")
    _check_unique(submission.manifest["manifests"])


def _check_image(manifest: Mapping[str, Any], place: str) -> None:
    given = (manifest.get("config") or {}).get("mediaType")
    if given not in {media_types.OCI_CONFIG, DOCKER_CONFIG}:
        _refuse(
            place or "/config/mediaType",
            given,
            "The config of a module-oci is that of an image, so that container engines run it.",
            f"Write {media_types.OCI_CONFIG}, and push the Gati manifest as a referrer.",
        )
    layers = manifest.get("layers") or []
    if not layers:
        _refuse(place or "/layers", 0, "The image has no layers.", "Push at least one.")
    for index, layer in enumerate(layers):
        media_type = str(layer.get("mediaType"))
        if media_type not in _LAYERS and media_types.is_distributed(media_type):
            where = place or f"/layers/{index}/mediaType"
            hint = f"Write one of: {', '.join(_LAYERS)}.{did_you_mean(media_type, _LAYERS)}"
            _refuse(where, media_type, "A layer of the image is none that container engines unpack.", hint)


def _check_platform(descriptor: Mapping[str, Any], place: str) -> None:
    platform = descriptor.get("platform") or {}
    for member in ("os", "architecture"):
        if _WORD.fullmatch(str(platform.get(member, ""))) is None:
            _refuse(
                f"{place}/platform/{member}",
                platform.get(member),
                "An image of an index does not say for which platform it is.",
                'Write {"os": "linux", "architecture": "amd64"}.',
            )


def _check_unique(manifests: list[Mapping[str, Any]]) -> None:
    seen: set[tuple[str, ...]] = set()
    for index, key in _platforms(manifests):
        if key in seen:
            _refuse(f"/manifests/{index}/platform", "/".join(key), "Two images are for one platform.", "Leave one out.")
        seen.add(key)


def _platforms(manifests: list[Mapping[str, Any]]) -> Iterator[tuple[int, tuple[str, ...]]]:
    for index, descriptor in enumerate(manifests):
        if not _is_attestation(descriptor):
            platform = descriptor.get("platform") or {}
            parts = ("os", "os.version", "architecture", "variant")
            yield index, tuple(str(platform.get(member, "")) for member in parts)


def _is_attestation(descriptor: Mapping[str, Any]) -> bool:
    """Build tools add manifests of attestations, for the platform unknown/unknown."""
    return (descriptor.get("platform") or {}).get("os") == "unknown"


def _refuse(place: str, value: object, message: str, suggestion: str) -> NoReturn:
    raise MalformedManifest(message, pointer=place, value=value, document="manifest", suggestion=suggestion)


KIND: Final = Kind(
    name="module-oci",
    artifact_type="application/vnd.gati.module.oci.v1",
    config_type=media_types.OCI_CONFIG,
    layers=(),
    schema=_SCHEMA,
    summary="A module that is a runnable image; its Gati manifest is a referrer of the image.",
    example={
        "name": "hello-image",
        "version": "1.0.0",
        "config": {"type": "oci", "entrypoint": ["/hello"], "ports": [8080]},
        "capabilities": ["network:ingress"],
    },
    example_layers=(("", LAYER, examples.archive({"hello": examples.ELF})),),
    check=_check,
    refused=(
        "Its config is not that of an image, it has no layers, or one that container engines do not unpack.",
        "It is pushed without a tag that is a version, or with two.",
        "In an index: an image says no platform, or two say one.",
        (
            "It waits for its Gati manifest, a referrer of the type `application/vnd.gati.manifest.v1`, before it "
            "is published."
        ),
    ),
    takes_index=True,
)
