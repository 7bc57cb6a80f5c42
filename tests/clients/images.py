"""Images and indexes made here, so that no test downloads any."""

import gzip
import hashlib
import io
import json
import secrets
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
OCI_LAYER: Final = "application/vnd.oci.image.layer.v1.tar+gzip"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"


def digest(content: bytes) -> str:
    """The content's sha256 digest, `sha256:<hex>`."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def descriptor(media_type: str, content: bytes, **more: Any) -> dict[str, Any]:
    """The descriptor of content (image-spec, descriptor.md); `more` adds properties."""
    return {"mediaType": media_type, "digest": digest(content), "size": len(content)} | more


def encode(document: dict[str, Any]) -> bytes:
    """The bytes under which a manifest is pushed."""
    return json.dumps(document, separators=(",", ":")).encode()


def tar(files: dict[str, bytes]) -> bytes:
    """An archive of these files, the same bytes each time."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            member.mode = 0o644
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@dataclass(frozen=True, slots=True)
class Image:
    """A container image of one layer that holds `file` as `/file`."""

    file: bytes
    architecture: str = "amd64"

    @property
    def archive(self) -> bytes:
        """The layer's tar archive."""
        return tar({"file": self.file})

    @property
    def layer(self) -> bytes:
        """The layer as it is stored."""
        return gzip.compress(self.archive, mtime=0)

    @property
    def config(self) -> bytes:
        """The image configuration (image-spec, config.md)."""
        root = {"type": "layers", "diff_ids": [digest(self.archive)]}
        return encode({"architecture": self.architecture, "os": "linux", "config": {}, "rootfs": root})

    @property
    def manifest(self) -> bytes:
        """The image manifest (image-spec, manifest.md)."""
        return encode(
            {
                "schemaVersion": 2,
                "mediaType": OCI_MANIFEST,
                "config": descriptor(OCI_CONFIG, self.config),
                "layers": [descriptor(OCI_LAYER, self.layer)],
            }
        )

    @property
    def digest(self) -> str:
        """The digest under which the image is pushed."""
        return digest(self.manifest)

    @property
    def descriptor(self) -> dict[str, Any]:
        """The image's descriptor in an index."""
        platform = {"architecture": self.architecture, "os": "linux"}
        return descriptor(OCI_MANIFEST, self.manifest, platform=platform)

    @property
    def blobs(self) -> tuple[bytes, ...]:
        """Everything that the image consists of, its manifest last."""
        return (self.layer, self.config, self.manifest)


def new_image(architecture: str = "amd64", size: int = 2000) -> Image:
    """An image that nobody has seen before."""
    return Image(secrets.token_bytes(size), architecture)


def index(*images: Image) -> bytes:
    """The image index of these images (image-spec, image-index.md)."""
    return encode({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [image.descriptor for image in images]})


def layout(folder: Path, *images: Image, tag: str = "v1") -> Path:
    """Write an image layout (image-spec, image-layout.md) in which the tag names the image, or the index of several."""
    blobs = [blob for image in images for blob in image.blobs]
    named = images[0].descriptor
    if len(images) > 1:
        blobs.append(index(*images))
        named = descriptor(OCI_INDEX, blobs[-1])
    store = folder / "blobs" / "sha256"
    store.mkdir(parents=True)
    for blob in blobs:
        (store / digest(blob).removeprefix("sha256:")).write_bytes(blob)
    entry = named | {"annotations": {"org.opencontainers.image.ref.name": tag}}
    (folder / "index.json").write_bytes(encode({"schemaVersion": 2, "manifests": [entry]}))
    (folder / "oci-layout").write_bytes(encode({"imageLayoutVersion": "1.0.0"}))
    return folder
