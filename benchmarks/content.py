"""Blobs and manifests, the same for every contender, and never the same twice where they must be new.

A blob is 64 bytes of its own and then the beginning of one large file: its digest is unlike that of any other, and
nothing has to be generated or kept for it.
"""

import hashlib
import json
import mmap
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.plan import MIB

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
EMPTY = b"{}"
OWN = 64
"""Bytes that a blob shares with no other."""
_BLOCK = 4 * MIB


def digest(content: bytes) -> str:
    """The digest of `content`."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Blob:
    """A blob of `size` bytes: `own`, then the first `size - len(own)` bytes of the body file."""

    digest: str
    size: int
    own: bytes


class Body:
    """The large file of which all blobs are made."""

    def __init__(self, path: Path, size: int) -> None:
        block = os.urandom(min(size, _BLOCK))
        with path.open("wb") as out:
            for at in range(0, size, _BLOCK):
                out.write(block[: min(_BLOCK, size - at)])
        self.path = path
        self._descriptor = os.open(path, os.O_RDONLY)
        self._map = mmap.mmap(self._descriptor, size, access=mmap.ACCESS_READ)

    def blob(self, name: str, size: int) -> Blob:
        """The blob of this name and size; both decide its digest."""
        own = hashlib.sha256(name.encode()).hexdigest().encode()[: min(OWN, size)]
        state = hashlib.sha256(own)
        with memoryview(self._map) as view:
            state.update(view[: size - len(own)])
        return Blob(f"sha256:{state.hexdigest()}", size, own)

    def pieces(self, blob: Blob) -> Iterator[bytes]:
        """The bytes of a blob."""
        yield blob.own
        for at in range(0, blob.size - len(blob.own), _BLOCK):
            yield self._map[at : min(at + _BLOCK, blob.size - len(blob.own))]

    def close(self) -> None:
        """Let go of the file."""
        self._map.close()
        os.close(self._descriptor)


def small_blob(name: str, size: int = 1024) -> bytes:
    """The bytes of a blob that is small enough to stand in a script."""
    return hashlib.shake_256(name.encode()).digest(size)


def image_config(name: str, layer: bytes) -> bytes:
    """The config of an image: a registry may read it (OCI Image Configuration)."""
    fields = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Env": ["PATH=/usr/bin"], "Labels": {"name": name}},
        "rootfs": {"type": "layers", "diff_ids": [digest(layer)]},
        "history": [{"created": "2026-01-01T00:00:00Z", "created_by": name}],
    }
    return json.dumps(fields).encode()


def descriptor(content: bytes | Blob, media_type: str = "application/octet-stream") -> dict[str, Any]:
    """What a manifest says of `content`."""
    if isinstance(content, Blob):
        return {"mediaType": media_type, "digest": content.digest, "size": content.size}
    return {"mediaType": media_type, "digest": digest(content), "size": len(content)}


def manifest(config: bytes, *layers: bytes | Blob, **more: Any) -> bytes:
    """An image manifest over blobs."""
    fields = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(config, "application/vnd.oci.image.config.v1+json"),
        "layers": [descriptor(layer, "application/vnd.oci.image.layer.v1.tar") for layer in layers],
    }
    return json.dumps(fields | more).encode()


def numbered_manifest(config: bytes, number: str, **more: Any) -> bytes:
    """A manifest over the config alone that differs from others by an annotation."""
    return manifest(config, config, annotations={"org.opencontainers.image.version": number}, **more)
