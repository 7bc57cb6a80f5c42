"""Images as builders leave them: an OCI layout in a folder or a tar, or what `docker save` writes."""

import hashlib
import json
import re
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from registry.cli.packing import Content
from registry.cli.problems import Problem
from registry.core.media_types import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST

MANIFEST_LIMIT: Final = 4 << 20
_MEMBERS: Final = 10_000
_PIECE: Final = 1 << 20
_BLOB: Final = re.compile(r"(?:\./)?blobs/(sha256|sha512)/([0-9a-f]{64}|[0-9a-f]{128})")
_LAYER: Final = "application/vnd.oci.image.layer.v1.tar"


@dataclass(frozen=True, slots=True)
class Image:
    """An image that is here: the descriptor of its manifest or index, and all blobs of the layout by digest."""

    top: Mapping[str, Any]
    blobs: Mapping[str, Content]

    def read(self, digest: str) -> bytes:
        """A small blob, verified.

        Raises:
            Problem: it is missing, too large, or damaged.
        """
        found = self.content(digest)
        if found.size > MANIFEST_LIMIT:
            raise Problem(f"The manifest {digest} of the image has more than {MANIFEST_LIMIT >> 20} MiB.")
        with found.open() as file:
            raw = file.read(MANIFEST_LIMIT + 1)
        algorithm, _, encoded = digest.partition(":")
        if hashlib.new(algorithm, raw).hexdigest() != encoded:
            raise Problem(f"The image is damaged: the blob {digest} has another digest.", "Build or save it again.")
        return raw

    def content(self, digest: str) -> Content:
        """A blob of it.

        Raises:
            Problem: it is not there.
        """
        if digest not in self.blobs:
            raise Problem(f"The image lacks the blob {digest}.", "Build or save it again, with all of its platforms.")
        return self.blobs[digest]


def load(place: Path, into: Path) -> Image:
    """The image in a folder, or in a tar, whose blobs are unpacked into the folder `into`.

    Raises:
        Problem: it is no image in one of these forms.
    """
    try:
        if place.is_dir():
            return _of_layout(place, place)
        small = _unpack(place, into)
        if "index.json" in small:
            return _of_index(json.loads(small["index.json"]), _blobs(into), place)
        return _of_docker(json.loads(small["manifest.json"]), into, place)
    except (OSError, tarfile.TarError, EOFError) as error:
        raise Problem(f"{place} cannot be read: {error}.") from error
    except (ValueError, RecursionError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise Problem(
            f"{place} is no image: it has neither an index.json of an OCI layout nor a manifest.json of docker save.",
            "Write it with docker save, podman save --format oci-archive, skopeo copy or oras --oci-layout.",
        ) from error


def _of_layout(folder: Path, place: Path) -> Image:
    with (folder / "index.json").open("rb") as file:
        index = json.loads(file.read(MANIFEST_LIMIT))
    return _of_index(index, _blobs(folder), place)


def _of_index(index: dict[str, Any], blobs: Mapping[str, Content], place: Path) -> Image:
    tops = [one for one in index["manifests"] if not _is_reference(one)]
    if len({one["digest"] for one in tops}) != 1:
        raise Problem(
            f"{place} holds {len(tops)} images.", "Write a layout with one image; several platforms are one index."
        )
    return Image(tops[0], blobs)


def _is_reference(descriptor: Mapping[str, Any]) -> bool:
    return (descriptor.get("annotations") or {}).get("vnd.docker.reference.type") is not None


def _blobs(folder: Path) -> dict[str, Content]:
    found = {}
    for algorithm in ("sha256", "sha512"):
        for path in sorted((folder / "blobs" / algorithm).glob("*")):
            if path.is_file() and _BLOB.fullmatch(f"blobs/{algorithm}/{path.name}"):
                found[f"{algorithm}:{path.name}"] = Content(f"{algorithm}:{path.name}", path.stat().st_size, path)
    return found


def _unpack(place: Path, into: Path) -> dict[str, bytes]:
    """Unpack the blobs of a tar, and what else docker save has; the two files that say what is what."""
    small: dict[str, bytes] = {}
    with tarfile.open(place, "r|*") as archive:
        for number, member in enumerate(archive):
            if number >= _MEMBERS:
                raise Problem(f"{place} has more than {_MEMBERS} entries.")
            name = member.name.removeprefix("./")
            if member.isreg() and name in {"index.json", "manifest.json"}:
                small[name] = _content(archive, member, MANIFEST_LIMIT)
            elif member.isreg():
                _keep(archive, member, into / _safe(name))
    return small


def _safe(name: str) -> str:
    """A blob under its own name; anything else under one that says nothing of where it wants to be."""
    return name if _BLOB.fullmatch(name) else f"saved/{hashlib.sha256(name.encode(errors='replace')).hexdigest()}"


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo, limit: int) -> bytes:
    file = archive.extractfile(member)
    if file is None or member.size > limit:
        raise ValueError(member.name)
    return file.read(limit)


def _keep(archive: tarfile.TarFile, member: tarfile.TarInfo, into: Path) -> None:
    into.parent.mkdir(parents=True, exist_ok=True)
    file = archive.extractfile(member)
    if file is None:
        raise ValueError(member.name)
    with into.open("wb") as out:
        while piece := file.read(_PIECE):
            out.write(piece)


def _of_docker(listed: list[dict[str, Any]], folder: Path, place: Path) -> Image:
    """What docker save wrote before it wrote OCI layouts: a config, and layers that are tars."""
    if len(listed) != 1:
        raise Problem(f"{place} holds {len(listed)} images.", "Save one.")
    config = _saved(folder, listed[0]["Config"])
    layers = [_saved(folder, name) for name in listed[0]["Layers"]]
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": OCI_CONFIG, "digest": config.digest, "size": config.size},
        "layers": [{"mediaType": _type(one), "digest": one.digest, "size": one.size} for one in layers],
    }
    raw = json.dumps(document, separators=(",", ":")).encode()
    top = {"mediaType": OCI_MANIFEST, "digest": f"sha256:{hashlib.sha256(raw).hexdigest()}", "size": len(raw)}
    blobs = {one.digest: one for one in (config, *layers)}
    return Image(top, blobs | {str(top["digest"]): Content(str(top["digest"]), len(raw), raw)})


def _saved(folder: Path, name: str) -> Content:
    path = folder / _safe(name)
    if not path.is_file():
        raise Problem(f"The image lacks {name}, which its manifest.json names.", "Save it again.")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Content(f"sha256:{digest}", path.stat().st_size, path)


def _type(content: Content) -> str:
    with content.open() as file:
        return f"{_LAYER}+gzip" if file.read(2) == b"\x1f\x8b" else _LAYER


def media_type_of(document: Mapping[str, Any]) -> str:
    """The media type of a manifest that may not say it."""
    return str(document.get("mediaType") or (OCI_INDEX if "manifests" in document else OCI_MANIFEST))
