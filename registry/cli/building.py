"""Artifacts of projects: what each type is made of."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from registry.artifacts.model import WASM
from registry.cli import parts
from registry.cli.bundles import Bundle, Part, assemble, assemble_index
from registry.cli.images import image_module
from registry.cli.models import model
from registry.cli.problems import Problem
from registry.cli.projects import Project, Workshop

_PLATFORM: Final = ("os", "arch", "variant")


def build(project: Project, workshop: Workshop) -> Bundle:
    """The artifact of a project, not judged yet.

    Raises:
        Problem: a file that its manifest names is not there, or a member that names files is of another form.
    """
    maker = _MAKERS.get(project.kind.name)
    if maker is None:
        raise Problem(f"A {project.kind.name} is not made of a folder.", "Run gati snapshot create for a snapshot.")
    return maker(project, workshop)


def _bundle(project: Project, workshop: Workshop, layers: Sequence[Part]) -> Bundle:
    return assemble(project.kind, workshop.repository, project.manifest, layers, workshop.origin)


def _code(project: Project, workshop: Workshop) -> Bundle:
    """module-node, plugin: one archive."""
    archive = parts.archive(project, workshop, "code", parts.globs_of(project))
    return _bundle(project, workshop, [archive, *parts.beside(project, workshop)])


def _template(project: Project, workshop: Workshop) -> Bundle:
    """A template: one archive of what its globs name."""
    archive = parts.archive(project, workshop, "files", parts.globs_of(project), leave=[project.source])
    return _bundle(project, workshop, [archive, *parts.beside(project, workshop)])


def _wasm(project: Project, workshop: Workshop) -> Bundle:
    """module-wasm: the program itself."""
    return _bundle(
        project, workshop, [_named(project, workshop, "wasmFile", WASM, "code"), *parts.beside(project, workshop)]
    )


def _external(project: Project, workshop: Workshop) -> Bundle:
    """module-external: nothing but what is beside it."""
    return _bundle(project, workshop, parts.beside(project, workshop) or [parts.empty()])


def _binary(project: Project, workshop: Workshop) -> Bundle:
    """module-binary: an index with a manifest for each platform; the digests are filled in."""
    entries = _objects(project, "platforms")
    kind = parts.media_type(project.kind, "code", ".v1")
    made: list[tuple[dict[str, str], list[Part]]] = []
    told = []
    for number, entry in enumerate(entries):
        path = _text(project, entry.get("file"), f"/config/platforms/{number}/file")
        place = project.place(path, f"/config/platforms/{number}/file")
        title = path.removeprefix("./")
        part = parts.of_file(workshop, place, title, kind, "code")
        told.append(entry | {"file": title, "sha256": part.content.digest.removeprefix("sha256:")})
        platform: dict[str, str] = {name: str(entry[name]) for name in _PLATFORM if name in entry}
        made.append((platform, [part]))
    done = project.with_config(project.config | {"platforms": told})
    around = parts.beside(project, workshop)
    return assemble_index(
        done.kind,
        workshop.repository,
        done.manifest,
        [(platform, [*layers, *around]) for platform, layers in made],
        workshop.origin,
    )


def _agent(project: Project, workshop: Workshop) -> Bundle:
    """An agent: its recipe, its graph of skills, and what runs it, unless that is an image."""
    layers = [_named(project, workshop, "recipe", parts.media_type(project.kind, "recipe"), "recipe")]
    graph = project.config.get("skillGraph")
    if graph is not None:
        kind = parts.media_type(project.kind, "skillgraph")
        layers.append(parts.of_json(graph, "skill-graph.json", kind, "skillgraph"))
    match project.config.get("runtime"):
        case "wasm":
            layers.append(_named(project, workshop, "wasmFile", WASM, "runtime"))
        case "js":
            layers.append(parts.archive(project, workshop, "runtime", parts.globs_of(project)))
    return _bundle(project, workshop, [*layers, *parts.beside(project, workshop)])


def _transformer(project: Project, workshop: Workshop) -> Bundle:
    """A transformer: its rules, and code where the manifest names some."""
    kind = parts.media_type(project.kind, "rules")
    rules = {"transformations": project.config.get("transformations")}
    layers = [parts.of_json(rules, "rules.json", kind, "rules")]
    if (wanted := parts.globs_of(project)) is not None:
        layers.append(parts.archive(project, workshop, "code", wanted))
    return _bundle(project, workshop, [*layers, *parts.beside(project, workshop)])


def _named(project: Project, workshop: Workshop, member: str, kind: str, role: str) -> Part:
    """The layer of the file that a member of `config` names."""
    pointer = f"/config/{member}"
    path = _text(project, project.config.get(member), pointer)
    return parts.of_file(workshop, project.place(path, pointer), path.removeprefix("./"), kind, role)


def _text(project: Project, value: Any, pointer: str) -> str:
    if isinstance(value, str) and value:
        return value
    raise Problem(f"{project.source}, {pointer} names no file.", "Write the path of a file of the project.")


def _objects(project: Project, member: str) -> list[dict[str, Any]]:
    found = project.config.get(member)
    if isinstance(found, list) and found and all(isinstance(one, dict) for one in found):
        return found
    raise Problem(
        f"{project.source}, /config/{member} is no list of objects.",
        'Write [{"os": "linux", "arch": "amd64", "file": "bin/hello"}].',
    )


_MAKERS: Final[Mapping[str, Callable[[Project, Workshop], Bundle]]] = {
    "module-node": _code,
    "module-oci": image_module,
    "module-wasm": _wasm,
    "module-binary": _binary,
    "module-external": _external,
    "plugin": _code,
    "model": model,
    "agent": _agent,
    "template": _template,
    "transformer": _transformer,
}
