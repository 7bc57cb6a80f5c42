"""Models: weights, whole or in shards, what goes with them, and what is known of them."""

import json
import re
from pathlib import Path
from typing import Final

from registry.artifacts.model import README, TITLE
from registry.artifacts.types import weights
from registry.artifacts.types.model_documents import BENCHMARK, CARD
from registry.cli import parts
from registry.cli.bundles import ROLE, Bundle, Hanging, Part, assemble, content_of, with_hanging
from registry.cli.packing import Content
from registry.cli.problems import Problem
from registry.cli.projects import Project, Workshop

PIECE: Final = 4 << 30
"""Bytes from which weights are sent in pieces, where their format allows that."""

_NUMBERED: Final = re.compile(r"(?P<stem>.+)-(?P<number>[0-9]{5})-of-(?P<count>[0-9]{5})(?P<ending>\.[a-z0-9]+)")
_LIMIT: Final = 1 << 20
_TENSORS: Final = (".data", "_data")
_FILES: Final = (
    ("modelCard", CARD, ("model-card.json",), ("model-card.md", "MODEL_CARD.md")),
    ("benchmarks", BENCHMARK, ("benchmarks.json",), ()),
)


def model(project: Project, workshop: Workshop) -> Bundle:
    """The artifact of a model.

    Raises:
        Problem: its weights are not there, or a shard of them is not.
    """
    made, files = _weights(project, workshop)
    if (wanted := parts.globs_of(project)) is not None:
        made.append(parts.archive(project, workshop, "aux", wanted, [project.source, *files]))
    made += parts.beside(project, workshop)
    made = made or [parts.empty()]
    bundle = assemble(project.kind, workshop.repository, project.manifest, made, workshop.origin)
    return with_hanging(bundle, _hanging(project, workshop))


def _weights(project: Project, workshop: Workshop) -> tuple[list[Part], list[Path]]:
    """The layers of the weights, and the files that they are made of; none of an image."""
    written = str(project.config.get("modelFormat"))
    if written == weights.IMAGE:
        return [], []
    if written not in weights.FORMATS:
        raise Problem(
            f"{project.source}, /config/modelFormat: {written!r} is no format of models.",
            f"Write one of: {', '.join([*weights.FORMATS, weights.IMAGE])}.",
            code="MALFORMED_MANIFEST",
        )
    name = project.config.get("modelFile")
    if not isinstance(name, str) or not name:
        raise Problem(f"{project.source}, /config/modelFile names no file.", "Write the name of the weights.")
    titles = _shards(project, name.removeprefix("./"))
    files = [project.place(title, "/config/modelFile") for title in titles]
    if len(files) > 1:
        return _sharded(workshop, written, list(zip(titles, files, strict=True))), files
    return _single(workshop, written, titles[0], files[0])


def _single(workshop: Workshop, written: str, title: str, place: Path) -> tuple[list[Part], list[Path]]:
    """One file: whole, or in pieces, with the tensors beside it where the format keeps them apart."""
    form = weights.FORMATS[written]
    if form.may_be_pieces and place.stat().st_size > PIECE:
        return _pieces(workshop, written, title, place), [place]
    whole = _part(form.media_type, written, title, parts.hashed(workshop, place, title))
    found = [(f"{title}{end}", Path(f"{place}{end}")) for end in _TENSORS if Path(f"{place}{end}").is_file()]
    tensors = found if written == "onnx" else []
    return [whole, *_sharded(workshop, written, tensors)], [place, *(one for _, one in tensors)]


def _shards(project: Project, first: str) -> list[str]:
    """The files of the weights, in order: all that a name such as model-00001-of-00003.safetensors tells of."""
    match = _NUMBERED.fullmatch(first)
    if match is None:
        return [first]
    count = int(match["count"])
    if not 1 <= count <= weights.SHARDS or int(match["number"]) != 1:
        raise Problem(
            f"{project.source}, /config/modelFile: {first} is not the first of {count} shards.",
            f"Write the name of the first one; at most {weights.SHARDS} are published.",
        )
    return [f"{match['stem']}-{number:05}-of-{match['count']}{match['ending']}" for number in range(1, count + 1)]


def _sharded(workshop: Workshop, written: str, files: list[tuple[str, Path]]) -> list[Part]:
    """Files that are shards as they are."""
    return [
        _part(weights.SHARD, written, title, parts.hashed(workshop, place, title), f"{number}/{len(files)}")
        for number, (title, place) in enumerate(files, 1)
    ]


def _pieces(workshop: Workshop, written: str, name: str, place: Path) -> list[Part]:
    """One file in pieces: the first has its name, so that it is what those who join them write."""
    size = place.stat().st_size
    count = -(-size // PIECE)
    found = []
    for number in range(count):
        title = name if number == 0 else f"{name}.{number + 1:05}-of-{count:05}"
        start = number * PIECE
        content = parts.hashed(workshop, place, title, (start, min(PIECE, size - start)))
        found.append(_part(weights.SHARD, written, title, content, f"{number + 1}/{count}"))
    return found


def _part(media_type: str, written: str, title: str, content: Content, order: str | None = None) -> Part:
    notes = {TITLE: title, ROLE: "weights", weights.FORMAT: written}
    return Part(media_type, content, notes | ({} if order is None else {weights.PLACE: order}))


def _hanging(project: Project, workshop: Workshop) -> list[Hanging]:
    """The card and the benchmarks, where they are files and not in the manifest."""
    found = []
    for member, artifact_type, names, texts in _FILES:
        place = _first(project.folder, names)
        if member in project.manifest or place is None:
            continue
        layers = [Part(f"{artifact_type}+json", content_of(_json(place)), {TITLE: place.name})]
        text = _first(project.folder, texts)
        if text is not None:
            layers.append(parts.of_file(workshop, text, text.name, README, "card"))
        found.append(Hanging(artifact_type, tuple(layers), workshop.origin.annotations()))
    return found


def _first(folder: Path, names: tuple[str, ...]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _json(place: Path) -> bytes:
    with place.open("rb") as file:
        raw = file.read(_LIMIT + 1)
    try:
        json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Problem(f"{place} is no JSON: {error}.") from error
    if len(raw) > _LIMIT:
        raise Problem(f"{place} has more than {_LIMIT >> 20} MiB.")
    return raw
