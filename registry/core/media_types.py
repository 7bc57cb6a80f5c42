"""Media types of manifests, and what is not distributed."""

from typing import Final

OCI_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
IMAGES: Final = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
INDEXES: Final = frozenset({OCI_INDEX, DOCKER_LIST})
MANIFESTS: Final = IMAGES | INDEXES
FOREIGN_LAYERS: Final = (
    "application/vnd.oci.image.layer.nondistributable.v1.",
    "application/vnd.docker.image.rootfs.foreign.",
)


def is_distributed(media_type: str) -> bool:
    """Whether a registry is expected to hold layers of this type (OCI Image Specification, layer.md)."""
    return not media_type.startswith(FOREIGN_LAYERS)
