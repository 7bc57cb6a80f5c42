"""The folder of an installed artifact, made from what lies in the cache.

<files of its archives and titled layers>
.gati/manifest.json   the Gati manifest
.gati/oci.json        the manifest of OCI
image.json            of a runnable image: where it is pulled from; with `--pull` also image/, an OCI layout
"""

import json
import shutil
from pathlib import Path
from typing import Any, Final

from registry.artifacts.model import GTYPES, README
from registry.cli.cache import Cache
from registry.cli.extracting import RESERVED, Writer, refused, unpack
from registry.cli.layout import Plan, Put
from registry.cli.lockfile import Piece
from registry.cli.problems import Problem
from registry.cli.supply import Goods
from registry.core.digest import digest_of
from registry.core.media_types import OCI_MANIFEST

_BESIDE: Final = frozenset({README, GTYPES})
"""What a layer shows of an archive, so that it can be read without it: the archive has it, too."""

_LINKED_FROM: Final = 16 << 20
"""Bytes from which a file shares its place on the disk with the cache, and may only be read."""


def lay(goods: Goods, folder: Path, cache: Cache, registry: str, *, with_image: bool) -> None:
    """Make the folder of a release; nothing is there yet.

    Raises:
        Tampered: a layer is not what it should be.
        Problem: the disk is full, or the cache was emptied meanwhile.
    """
    try:
        writer = Writer(folder)
        for put in sorted(goods.plan.puts, key=lambda put: put.path is not None):
            _lay(put, writer, cache)
        if goods.plan.is_image:
            _image(goods, folder, cache, registry, with_layers=with_image)
        notes = folder / RESERVED
        notes.mkdir()
        (notes / "oci.json").write_bytes(goods.manifest)
        if goods.gati_manifest is not None:
            (notes / "manifest.json").write_bytes(goods.gati_manifest)
    except OSError as error:
        raise Problem(f"{folder} cannot be written: {error.strerror}.") from error


def _lay(put: Put, writer: Writer, cache: Cache) -> None:
    source = _source(cache, put.piece)
    if put.path is None:
        unpack(source, writer, gzipped=put.is_gzipped)
    elif put.piece.media_type in _BESIDE and writer.place(put.path).exists():
        return
    elif put.piece.size < _LINKED_FROM or put.is_executable:
        writer.copy(put.path, source, executable=put.is_executable)
    else:
        share(source, writer.place(put.path))


def share(source: Path, target: Path) -> None:
    """Have a large file in another place too, without its bytes taking room again where the disk allows it."""
    source.chmod(0o444)
    try:
        target.hardlink_to(source)
    except FileExistsError as error:
        raise refused(f"It holds {target.name!r} twice.") from error
    except OSError:
        shutil.copyfile(source, target)


def _source(cache: Cache, piece: Piece) -> Path:
    path = cache.verified(piece.digest)
    if path is None:
        raise Problem(f"{piece.digest} was removed from the cache meanwhile.", "Run it again.")
    return path


def _image(goods: Goods, folder: Path, cache: Cache, registry: str, *, with_layers: bool) -> None:
    release = goods.release
    host = registry.partition("://")[2]
    known: dict[str, Any] = {
        "reference": f"{host}/{release.repository}@{release.digest}",
        "version": release.version,
        "digest": release.digest,
    }
    (folder / "image.json").write_text(json.dumps(known, indent=2) + "\n")
    if with_layers:
        _layout(goods.manifest, goods.plan, folder / "image", cache)


def _layout(manifest: bytes, plan: Plan, folder: Path, cache: Cache) -> None:
    """An image as an OCI layout (OCI Image Specification, image-layout.md)."""
    digest = str(digest_of(manifest))
    for piece in plan.image:
        target = folder / "blobs" / piece.digest.replace(":", "/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            share(_source(cache, piece), target)
    (folder / "blobs" / digest.replace(":", "/")).write_bytes(manifest)
    media_type = json.loads(manifest).get("mediaType", OCI_MANIFEST)
    descriptor = {"mediaType": media_type, "digest": digest, "size": len(manifest)}
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [descriptor]}))
