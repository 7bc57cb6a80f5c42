"""The layers of a project: of its files, of archives of them, and of what its manifest holds."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from registry.artifacts.model import EMPTY, GTYPES, README, TITLE, Kind
from registry.cli import packing, selection
from registry.cli.bundles import ROLE, Part, content_of, written_json
from registry.cli.packing import Content
from registry.cli.problems import Problem
from registry.cli.projects import Project, Workshop

_READMES: Final = ("README.md", "readme.md", "Readme.md")
_GTYPES: Final = "gtypes.json"
_PIECE: Final = 1 << 20


def media_type(kind: Kind, role: str, ending: str = "") -> str:
    """The media type that layers of a role have in a type of artifact."""
    return next(rule.media_type for rule in kind.layers if rule.role == role and rule.media_type.endswith(ending))


def of_file(workshop: Workshop, place: Path, title: str, kind: str, role: str) -> Part:
    """A file as it is; its digest is taken.

    Raises:
        Problem: it cannot be read.
    """
    return Part(kind, hashed(workshop, place, title), {TITLE: title, ROLE: role})


def hashed(workshop: Workshop, place: Path, title: str, stretch: tuple[int, int] | None = None) -> Content:
    """A file, or a `stretch` of it (from, how many), with its digest.

    Raises:
        Problem: it cannot be read.
    """
    try:
        start, size = stretch or (0, place.stat().st_size)
        moved = workshop.moved(f"reading {title}", size)
        digest, left = hashlib.sha256(), size
        with place.open("rb") as file:
            file.seek(start)
            while piece := file.read(min(_PIECE, left)):
                digest.update(piece)
                moved(len(piece))
                left -= len(piece)
    except OSError as error:
        raise Problem(f"{place} cannot be read: {error.strerror}.") from error
    return Content(f"sha256:{digest.hexdigest()}", size - left, place, start)


def of_bytes(content: bytes, title: str, kind: str, role: str) -> Part:
    """Bytes as a layer."""
    return Part(kind, content_of(content), {TITLE: title, ROLE: role})


def of_json(document: Any, title: str, kind: str, role: str) -> Part:
    """A JSON document as a layer."""
    return of_bytes(written_json(document) + b"\n", title, kind, role)


def archive(
    project: Project, workshop: Workshop, role: str, wanted: Sequence[str] | None = None, leave: Sequence[Path] = ()
) -> Part:
    """The files of the project that the globs `wanted` name (None: all) in one archive.

    Raises:
        Problem: there is none, or one cannot be packed.
    """
    choice = selection.choose(project.folder, wanted, leave)
    _say(workshop, choice)
    if not choice.files:
        raise Problem(
            f"{project.folder} has no file to pack.", f"See `files` in {project.source.name} and {selection.IGNORE}."
        )
    title = f"{project.name}-{project.version}.tgz"
    into = workshop.folder / f"{role}.tgz"
    moved = workshop.moved(f"packing {title}", sum(file.size for file in choice.files))
    packed = packing.pack(choice.files, into, told=moved)
    notes = {TITLE: title, ROLE: role, packing.COMPRESSOR: packing.COMPRESSOR_VALUE}
    content = Content(packed.digest, packed.size, packed.path)
    return Part(media_type(project.kind, role, "tar+gzip"), content, notes)


def _say(workshop: Workshop, choice: selection.Choice) -> None:
    if choice.secrets:
        workshop.out.warn(f"Not packed, because they look like secrets: {', '.join(sorted(choice.secrets)[:20])}.")
    told = [path for path in sorted(choice.tools) if not path.rpartition("/")[2].startswith(".")]
    if told:
        workshop.out.say(f"Not packed: {', '.join(told[:20])}.")


def beside(project: Project, workshop: Workshop) -> list[Part]:
    """What every type may have beside its own layers: the README, and GTypes in a file."""
    found = []
    readme = next((name for name in _READMES if (project.folder / name).is_file()), None)
    if readme is not None:
        found.append(of_file(workshop, project.folder / readme, "README.md", README, "readme"))
    if (project.folder / _GTYPES).is_file():
        found.append(of_file(workshop, project.folder / _GTYPES, _GTYPES, GTYPES, "gtypes"))
    return [part for part in found if project.kind.rule(part.media_type) is not None]


def empty() -> Part:
    """The layer of an artifact that has none."""
    return Part(EMPTY, content_of(b"{}"))


def globs_of(project: Project) -> list[str] | None:
    """`files` of the manifest; None: everything.

    Raises:
        Problem: it is no list of texts.
    """
    given = project.manifest.get("files")
    if given is None:
        return None
    if isinstance(given, list) and all(isinstance(one, str) for one in given):
        return given
    raise Problem(f"{project.source}, /files is no list of globs.", 'Write "files": ["dist/**", "package.json"].')
