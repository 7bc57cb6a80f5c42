"""Models, fetched into a folder: never a file under its name that is not what its digest says, whatever happens."""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from registry.artifacts.formats import paths
from registry.artifacts.model import TITLE
from registry.cli.oci import Oci
from registry.cli.problems import Clash, Problem, Tampered
from registry.cli.progress import Bars
from registry.cli.transfer import Wanted, pull_all
from registry.core.digest import is_digest

RECORD: Final = "gati-model.json"
"""The file that says which model a folder holds."""

_SHARD: Final = "dev.gati.model.shard"
_PART: Final = "application/vnd.gati.model.shard.v1"
_NUMBER: Final = re.compile(r"[-_.](?:(?:part|shard)[-_]?0*1|0*1-of-[0-9]+|0+1)(?=\.[A-Za-z]|$)")
_COUNT: Final = re.compile(r"([0-9]{1,4})/([0-9]{1,4})")
_PIECE: Final = 1 << 20
_EMPTY: Final = "application/vnd.oci.empty.v1+json"
_SHARDS: Final = ".gati-shards"


@dataclass(frozen=True, slots=True)
class File:
    """A file of a model; `shard` is (number, of how many) where it is one of several of the weights.

    Attributes:
        is_part: whether it is a piece of a file, of use only behind the others; else it is a file of its own.
    """

    name: str
    digest: str
    size: int
    shard: tuple[int, int] | None = None
    is_part: bool = False


@dataclass(frozen=True, slots=True)
class Model:
    """A model in a registry: its repository, version, manifest and files; `weights` is the name of its model file."""

    repository: str
    version: str
    digest: str
    files: tuple[File, ...]
    weights: str

    @property
    def shards(self) -> tuple[File, ...]:
        """The parts of its weights, in their order."""
        found = [one for one in self.files if one.shard is not None]
        return tuple(sorted(found, key=lambda one: one.shard or (0, 0)))

    @property
    def joins(self) -> bool:
        """Whether its shards are pieces that are of use only as one file."""
        return bool(self.shards) and all(one.is_part for one in self.shards)

    @property
    def joined(self) -> str:
        """The name of the file that its shards make: that of the model file, without the number of a shard."""
        return _NUMBER.sub("", self.weights) or self.weights


def model_of(release: Mapping[str, Any], manifest: Mapping[str, Any]) -> Model:
    """The model of a release and its OCI manifest.

    Raises:
        Tampered: a layer has no digest, or a name that is none of a file in a folder.
        Problem: it is no model.
    """
    name = f"{release.get('repository')} {release.get('version')}"
    if release.get("type") != "model":
        raise Problem(f"{name} is a {release.get('type')}, no model.", "Fetch it with gati module install.")
    layers = manifest.get("layers")
    found = [_file(layer, name) for layer in layers if _is_file(layer)] if isinstance(layers, list) else []
    if not found:
        raise Problem(f"{name} has no files.", "If it is an image, fetch it with docker pull.")
    folded = [paths.folded(one.name) for one in found]
    if len(set(folded)) != len(folded):
        raise Tampered(f"{name} has two files of one name.", code="UNSAFE_ARTIFACT")
    gati = release.get("manifest")
    config = gati.get("config") if isinstance(gati, dict) else None
    weights = str((config or {}).get("modelFile") or found[0].name)
    return Model(
        str(release.get("repository")), str(release.get("version")), str(release["digest"]), tuple(found), weights
    )


def _is_file(layer: Any) -> bool:
    return isinstance(layer, dict) and layer.get("mediaType") != _EMPTY


def _file(layer: Mapping[str, Any], name: str) -> File:
    notes = layer.get("annotations")
    notes = notes if isinstance(notes, dict) else {}
    digest, size = layer.get("digest"), layer.get("size")
    title = notes.get(TITLE) or f"{str(digest)[7:19]}.bin"
    why = paths.fault(str(title))
    if not isinstance(digest, str) or not is_digest(digest) or not isinstance(size, int) or size < 0 or why:
        raise Tampered(f"A file of {name} {why or 'has no digest or size'}: {title!r}.", code="UNSAFE_ARTIFACT")
    return File(str(title), digest, size, _shard(notes.get(_SHARD)), layer.get("mediaType") == _PART)


def _shard(text: Any) -> tuple[int, int] | None:
    match = _COUNT.fullmatch(text) if isinstance(text, str) else None
    return None if match is None else (int(match[1]), int(match[2]))


@dataclass(frozen=True, slots=True)
class Order:
    """Where files go, whether shards become one file, and whether other files of their names give way."""

    folder: Path
    join: bool = False
    force: bool = False


def pull(oci: Oci, model: Model, order: Order, bars: Bars) -> list[Path]:
    """Have the files of a model in a folder; those that are there already are not fetched again.

    Raises:
        Clash: a file of that name is there and is another, without `force`.
        Tampered: what came is not what it should be, or a shard is missing.
        Problem: the disk is full, or the registry does not answer. What came stays, and the next pull goes on.
    """
    folder = order.folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        done = _joined(oci, model, order, bars) if order.join and _complete(model) else []
        plain = [one for one in model.files if not done or one.shard is None]
        places = {one: folder / one.name for one in plain}
        _pull(oci, model, places, bars, replaces=order.force)
        done += places.values()
        _record(folder, model, done)
    except OSError as error:
        told = f"{error.filename or folder} cannot be written: {error.strerror}."
        raise Problem(told, "What came stays: make room, and pull again.") from error
    return sorted(done)


def _joined(oci: Oci, model: Model, order: Order, bars: Bars) -> list[Path]:
    """The one file that the shards make, which are fetched beside it and go when it is there."""
    into = order.folder / model.joined
    if not _is_joined(order.folder, model):
        if into.exists() and not order.force:
            raise Clash(f"{into} is there, and is another file.", "Choose another --dir, or say --force.")
        places = {one: order.folder / _SHARDS / one.name for one in model.shards}
        _pull(oci, model, places, bars, replaces=True)
        _join(places, into, bars)
    shutil.rmtree(order.folder / _SHARDS, ignore_errors=True)
    return [into]


def _complete(model: Model) -> bool:
    """Whether there are shards; a Tampered where one of them is missing."""
    numbers = [one.shard for one in model.shards]
    if numbers != [(number, len(numbers)) for number in range(1, len(numbers) + 1)]:
        raise Tampered(f"{model.repository} {model.version} lacks a shard of its weights.", code="UNSAFE_ARTIFACT")
    return bool(numbers)


def _pull(oci: Oci, model: Model, places: Mapping[File, Path], bars: Bars, *, replaces: bool) -> None:
    missing = []
    for one, place in places.items():
        if place.exists() and (place.stat().st_size != one.size or _digest(place, one, bars) != one.digest):
            if not replaces:
                raise Clash(f"{place} is there, and is another file.", "Choose another --dir, or say --force.")
            missing.append((one, place))
        elif not place.exists():
            missing.append((one, place))
    for _, place in missing:
        place.parent.mkdir(parents=True, exist_ok=True)
    pull_all(oci, [Wanted(model.repository, one.digest, one.size, place, one.name) for one, place in missing], bars)


def _digest(place: Path, one: File, bars: Bars) -> str:
    algorithm = one.digest.partition(":")[0]
    digest, moved = hashlib.new(algorithm), bars.add(f"checking {one.name}", one.size)
    with place.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
            moved(len(piece))
    return f"{algorithm}:{digest.hexdigest()}"


def _join(places: Mapping[File, Path], into: Path, bars: Bars) -> None:
    """Write shards behind each other; the file has its name when all of it is on the disk."""
    moved = bars.add(f"joining {into.name}", sum(one.size for one in places))
    into.parent.mkdir(parents=True, exist_ok=True)
    draft = into.with_name(f".{into.name}.joined")
    with draft.open("wb") as target:
        for place in places.values():
            with place.open("rb") as source:
                while piece := source.read(_PIECE):
                    target.write(piece)
                    moved(len(piece))
        target.flush()
        os.fsync(target.fileno())
    draft.replace(into)


def _is_joined(folder: Path, model: Model) -> bool:
    """Whether the weights were joined here, and are as they were then."""
    try:
        known = json.loads((folder / RECORD).read_bytes())
        status = (folder / model.joined).stat()
        joined = known["joined"]
        return bool(
            known["digest"] == model.digest
            and joined == {"name": model.joined, "size": status.st_size, "modified": status.st_mtime_ns}
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _record(folder: Path, model: Model, done: Sequence[Path]) -> None:
    document: dict[str, Any] = {
        "repository": model.repository,
        "version": model.version,
        "digest": model.digest,
        "files": {one.name: one.digest for one in sorted(model.files, key=lambda one: one.name)},
    }
    weights = folder / model.joined
    if weights in done and model.joined not in document["files"]:
        status = weights.stat()
        document["joined"] = {"name": model.joined, "size": status.st_size, "modified": status.st_mtime_ns}
    draft = folder / f".{RECORD}.new"
    draft.write_text(json.dumps(document, indent=2) + "\n")
    draft.replace(folder / RECORD)
