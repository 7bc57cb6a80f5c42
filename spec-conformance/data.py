"""Content to push: blobs and manifests made from a seed, so that no two runs share a digest by accident."""

import base64
import gzip
import hashlib
import io
import json
import random
import tarfile
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

OCTETS: Final = "application/octet-stream"
MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
INDEX: Final = "application/vnd.oci.image.index.v1+json"
CONFIG: Final = "application/vnd.oci.image.config.v1+json"
EMPTY: Final = "application/vnd.oci.empty.v1+json"
LAYER: Final = "application/vnd.oci.image.layer.v1.tar"
LAYER_GZIP: Final = "application/vnd.oci.image.layer.v1.tar+gzip"
FOREIGN: Final = "application/vnd.oci.image.layer.nondistributable.v1.tar"
FOREIGN_GZIP: Final = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG: Final = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER: Final = "application/vnd.docker.image.rootfs.diff.tar.gzip"
DOCKER_FOREIGN: Final = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
SBOM: Final = "application/vnd.example.sbom.v1"
SIGNATURE: Final = "application/vnd.example.signature.v1"

AMD64: Final = {"os": "linux", "architecture": "amd64"}
ARM64: Final = {"os": "linux", "architecture": "arm64"}

Json = dict[str, Any]


def digest_of(body: bytes, algorithm: str = "sha256") -> str:
    """The digest of some bytes."""
    return f"{algorithm}:{hashlib.new(algorithm, body).hexdigest()}"


@dataclass(frozen=True)
class Content:
    """Bytes with their media type and the algorithm of their digest."""

    media_type: str
    body: bytes = field(repr=False)
    algorithm: str = "sha256"

    @cached_property
    def digest(self) -> str:
        """What the bytes are called."""
        return digest_of(self.body, self.algorithm)

    def descriptor(self, *, inline: bool = False, **more: object) -> Json:
        """A descriptor of these bytes; `inline` adds the field `data`."""
        data = {"data": base64.b64encode(self.body).decode()} if inline else {}
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.body)} | data | more

    @property
    def document(self) -> Json:
        """The bytes read as a JSON object."""
        document: Json = json.loads(self.body)
        return document


def manifest_of(document: Json, algorithm: str = "sha256", media_type: str = MANIFEST) -> Content:
    """A manifest with that document, under its own `mediaType` if it has one."""
    body = json.dumps(document, separators=(",", ":")).encode()
    return Content(document.get("mediaType", media_type), body, algorithm)


@dataclass(frozen=True, slots=True)
class Bundle:
    """Blobs and manifests, children before parents; the last manifest is the root."""

    blobs: tuple[Content, ...]
    manifests: tuple[Content, ...]

    @property
    def root(self) -> Content:
        """The manifest that reaches all others."""
        return self.manifests[-1]

    def __add__(self, other: "Bundle") -> "Bundle":
        return Bundle((*self.blobs, *other.blobs), (*self.manifests, *other.manifests))


@dataclass(frozen=True, slots=True)
class Shape:
    """What an image or an index is to look like; the defaults give an ordinary one."""

    layers: int = 2
    compressed: bool = True
    algorithm: str = "sha256"
    artifact_type: str | None = None
    config: Content | None = None
    layer_type: str | None = None
    subject: Json | None = None
    annotations: dict[str, str] | None = None
    inline: bool = False
    extra: bool = False


ARTIFACT: Final = Shape(
    layers=1,
    artifact_type=SBOM,
    config=Content(EMPTY, b"{}"),
    layer_type=SBOM,
    annotations={"org.example.kind": "sbom"},
)
"""An artifact: the empty config, one layer of its own type, an artifactType."""


class Maker:
    """Makes content; the same seed gives the same bytes."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)  # noqa: S311 - test data, not secrets

    def word(self, length: int = 12) -> str:
        """A lower-case word that appears nowhere else."""
        return "".join(self._random.choices("abcdefghijklmnopqrstuvwxyz", k=length))

    def blob(self, size: int = 512, algorithm: str = "sha256", media_type: str = OCTETS) -> Content:
        """A blob of that many random bytes."""
        return Content(media_type, self._random.randbytes(size), algorithm)

    def layer(self, shape: Shape) -> Content:
        """A file system layer: a tar with one file, or bytes of the shape's own type."""
        if shape.layer_type is not None:
            return self.blob(256, shape.algorithm, shape.layer_type)
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            text = self.word(40).encode()
            entry = tarfile.TarInfo(f"{self.word()}.txt")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text))
        body = gzip.compress(packed.getvalue(), mtime=0) if shape.compressed else packed.getvalue()
        return Content(LAYER_GZIP if shape.compressed else LAYER, body, shape.algorithm)

    def config(self, shape: Shape, platform: Json) -> Content:
        """The config of an image, or the shape's own."""
        if shape.config is not None:
            return replace(shape.config, algorithm=shape.algorithm)
        document = {**platform, "rootfs": {"type": "layers", "diff_ids": []}, "author": self.word()}
        return Content(CONFIG, json.dumps(document | self._extra(shape)).encode(), shape.algorithm)

    def image(self, shape: Shape | None = None, platform: Json | None = None) -> Bundle:
        """An image manifest with its config and layers."""
        shape = shape or Shape()
        layers = tuple(self.layer(shape) for _ in range(shape.layers))
        config = self.config(shape, platform or AMD64)
        document = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config.descriptor(inline=shape.inline),
            "layers": [layer.descriptor(inline=shape.inline) for layer in layers],
        }
        return Bundle((config, *layers), (manifest_of(document | self._common(shape), shape.algorithm),))

    def index(self, *children: Bundle, shape: Shape | None = None) -> Bundle:
        """An index over the roots of the children."""
        shape = shape or Shape()
        platforms = [AMD64, ARM64] if len(children) == 2 else [None] * len(children)
        entries = [
            child.root.descriptor() | ({"platform": platform} if platform else {})
            for child, platform in zip(children, platforms, strict=True)
        ]
        document = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries} | self._common(shape)
        parts = sum(children, Bundle((), ()))
        return parts + Bundle((), (manifest_of(document, shape.algorithm),))

    def platforms(self, shape: Shape | None = None) -> Bundle:
        """An index of two images of the same shape, for two platforms."""
        shape = shape or Shape()
        inner = replace(shape, subject=None)
        return self.index(self.image(inner, AMD64), self.image(inner, ARM64), shape=shape)

    def _common(self, shape: Shape) -> Json:
        fields = {
            "artifactType": shape.artifact_type,
            "subject": shape.subject,
            "annotations": shape.annotations,
        }
        return {name: value for name, value in fields.items() if value is not None} | self._extra(shape)

    def _extra(self, shape: Shape) -> Json:
        return {f"org.example.{self.word()}": self.word()} if shape.extra else {}
