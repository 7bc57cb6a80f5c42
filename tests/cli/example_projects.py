"""The examples of the types of artifacts, as the folders that a user would have."""

import gzip
import io
import json
import tarfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from registry.artifacts.model import Kind
from registry.core.media_types import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST

FAMILY = {"plugin": "plugin", "model": "model", "agent": "agent", "template": "template"}


def digest(content: bytes) -> str:
    return f"sha256:{sha256(content).hexdigest()}"


def project(kind: Kind, folder: Path, **more: Any) -> Path:
    """The folder of which an artifact like the example of this type is made."""
    manifest = dict(kind.example) | {"type": kind.name} | more
    folder.mkdir(parents=True)
    for title, media_type, content in kind.example_layers:
        if kind.config_in_referrer:
            manifest["config"] = dict(manifest["config"]) | {"image": "image"}
            layout(folder / "image", [(media_type, content)])
        elif media_type.endswith("tar+gzip"):
            with tarfile.open(fileobj=io.BytesIO(content)) as archive:
                archive.extractall(folder, filter="data")
        elif title and "skillgraph" not in media_type and "rules" not in media_type:
            (folder / title).parent.mkdir(parents=True, exist_ok=True)
            (folder / title).write_bytes(content)
    write(folder, manifest)
    return folder


def write(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest of a project."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gati-module.json").write_text(json.dumps(manifest, indent=2))


def image(layers: list[tuple[str, bytes]]) -> tuple[bytes, bytes]:
    """The manifest and the config of an image."""
    plain = [gzip.decompress(content) if media_type.endswith("gzip") else content for media_type, content in layers]
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": ["/hello"]},
        "rootfs": {"type": "layers", "diff_ids": [digest(one) for one in plain]},
    }
    raw = json.dumps(config).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": OCI_CONFIG, "digest": digest(raw), "size": len(raw)},
        "layers": [{"mediaType": media_type, "digest": digest(one), "size": len(one)} for media_type, one in layers],
    }
    return json.dumps(manifest).encode(), raw


def layout(folder: Path, layers: list[tuple[str, bytes]]) -> None:
    """Write an image as an OCI layout."""
    manifest, config = image(layers)
    top = {"mediaType": OCI_MANIFEST, "digest": digest(manifest), "size": len(manifest)}
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [top]}
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for content in (manifest, config, *(one for _, one in layers)):
        (blobs / digest(content).removeprefix("sha256:")).write_bytes(content)
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (folder / "index.json").write_text(json.dumps(index))


def saved(path: Path, layers: list[bytes]) -> None:
    """Write an image as docker save did before it wrote OCI layouts."""
    _, config = image([("tar", one) for one in layers])
    names = [f"{number}/layer.tar" for number in range(len(layers))]
    listed = [{"Config": "config.json", "RepoTags": ["hello:1"], "Layers": names}]
    files = {
        "config.json": config,
        **dict(zip(names, layers, strict=True)),
        "manifest.json": json.dumps(listed).encode(),
    }
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
