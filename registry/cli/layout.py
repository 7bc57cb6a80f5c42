"""How the layers of a release are laid out in its folder. Pure.

A tar is extracted. A layer with a title is the file of that name. One without is named by what it is. Layers of a
runnable image stay where they are, unless the image itself is asked for.
"""

import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from registry.artifacts.model import EMPTY, GTYPES, README, TITLE, WASM
from registry.cli.extracting import refused
from registry.cli.lockfile import Piece
from registry.core import media_types
from registry.core.digest import is_digest

_NAMES: Final = {
    GTYPES: "gtypes.json",
    README: "README.md",
    WASM: "module.wasm",
    "application/vnd.gati.agent.recipe.v1+yaml": "recipe.yaml",
    "application/vnd.gati.agent.skillgraph.v1+json": "skillgraph.json",
    "application/vnd.gati.snapshot.lock.v1+json": "gati.lock",
    "application/vnd.gati.transformer.rules.v1+json": "rules.json",
}
_RUNNABLE: Final = "application/vnd.gati.module.binary.layer.v1"
_MACHINES: Final = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


@dataclass(frozen=True, slots=True)
class Put:
    """A layer, and what becomes of it.

    Attributes:
        path: of its file; None for an archive, which is extracted.
    """

    piece: Piece
    path: str | None
    is_executable: bool = False

    @property
    def is_gzipped(self) -> bool:
        """Whether its archive is compressed."""
        return self.piece.media_type.endswith("gzip")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be fetched of a release.

    Attributes:
        config: the Gati manifest, None of an image.
        is_image: whether it runs in a container: `image` are then the config and layers of the image.
    """

    config: Piece | None
    puts: tuple[Put, ...]
    is_image: bool = False
    image: tuple[Piece, ...] = ()

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """The layers."""
        return self.image[1:] if self.is_image else tuple(put.piece for put in self.puts)


def document_of(raw: bytes, name: str) -> dict[str, Any]:
    """What a manifest says.

    Raises:
        Tampered: it is no JSON object.
    """
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise refused(f"The manifest of {name} is no JSON object.")
    return document


def child_of(index: Mapping[str, Any], name: str) -> str | None:
    """The digest of the manifest for this machine; None when this is no index.

    Raises:
        Tampered: the index is broken.
        Problem: it has none for this machine.
    """
    children = index.get("manifests")
    if not isinstance(children, list):
        return None
    here = (platform.system().lower(), _MACHINES.get(platform.machine(), platform.machine()))
    told = []
    for child in children:
        match child:
            case {"digest": str(digest), "platform": {"os": str(system), "architecture": str(machine)}} if is_digest(
                digest
            ):
                if (system, machine) == here:
                    return digest
                told.append(f"{system}/{machine}")
    raise refused(f"{name} is not made for {'/'.join(here)}, only for {', '.join(told) or 'nothing'}.")


def plan(manifest: Mapping[str, Any], name: str) -> Plan:
    """What becomes of the layers of a manifest.

    Raises:
        Tampered: it lacks what a manifest has.
    """
    layers = manifest.get("layers")
    if not isinstance(layers, list):
        raise refused(f"The manifest of {name} has no layers.")
    config = _piece(manifest.get("config"), name)
    pieces = tuple(_piece(layer, name) for layer in layers)
    if config.media_type in {media_types.OCI_CONFIG, "application/vnd.docker.container.image.v1+json"}:
        return Plan(None, (), is_image=True, image=(config, *pieces))
    kept = [piece for piece in pieces if piece.media_type != EMPTY]
    return Plan(config, tuple(sorted(map(_put, kept), key=lambda put: put.path is not None)))


def _put(piece: Piece) -> Put:
    if piece.media_type.endswith((".tar+gzip", ".tar")):
        return Put(piece, None)
    path = piece.title or _NAMES.get(piece.media_type) or f"{piece.digest.partition(':')[2][:12]}.bin"
    return Put(piece, path, piece.media_type == _RUNNABLE)


def _piece(found: Any, name: str) -> Piece:
    match found:
        case {"digest": str(digest), "size": int(size), "mediaType": str(media_type)} if size >= 0 and is_digest(
            digest
        ):
            annotations = found.get("annotations")
            title = annotations.get(TITLE) if isinstance(annotations, dict) else None
            return Piece(digest, size, media_type, title if isinstance(title, str) else None)
    raise refused(f"The manifest of {name} has a layer without digest, size or mediaType.")
