"""Projects: a folder with a Gati manifest, and the artifact that is made of it."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from registry.artifacts import checking
from registry.artifacts.catalogue import BY_NAME
from registry.artifacts.formats import paths
from registry.artifacts.model import CONFIG_LIMIT, Kind
from registry.cli.oci import Oci
from registry.cli.output import Output
from registry.cli.problems import Missing, Problem
from registry.cli.provenance import Origin
from registry.core.errors import ArtifactInvalid

NAMES: Final = ("gati-module.json", "gati.module.json", "gati.manifest.json")
FAMILIES: Final = {
    "module": ("module-node", "module-oci", "module-wasm", "module-binary", "module-external", "transformer"),
    "plugin": ("plugin",),
    "model": ("model",),
    "agent": ("agent",),
    "template": ("template",),
}
_NAMESPACE: Final = re.compile(r"(?:[^/\s]+/)?((?:users|orgs)/[a-z0-9-]+)")
_SIGNS: Final = {
    "modelFormat": "model",
    "recipe": "agent",
    "templateType": "template",
    "transformations": "transformer",
    "pluginKind": "plugin",
}


@dataclass(frozen=True, slots=True)
class Project:
    """A folder, the file in it that says what it is, and what that says.

    Attributes:
        manifest: the Gati manifest as it is written, for the CLI to complete.
    """

    folder: Path
    source: Path
    kind: Kind
    manifest: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What the artifact is called."""
        return str(self.manifest.get("name"))

    @property
    def version(self) -> str:
        """The version that it has."""
        return str(self.manifest.get("version"))

    @property
    def namespace(self) -> str | None:
        """The namespace that the manifest names, as `users/alice`; None: none."""
        given = self.manifest.get("namespace")
        match = _NAMESPACE.fullmatch(given) if isinstance(given, str) else None
        return None if match is None else match[1]

    @property
    def config(self) -> dict[str, Any]:
        """The member `config`, that of its type."""
        found = self.manifest.get("config")
        return dict(found) if isinstance(found, dict) else {}

    def with_config(self, config: Mapping[str, Any]) -> "Project":
        """The project with another member `config`."""
        return replace(self, manifest=dict(self.manifest) | {"config": dict(config)})

    def place(self, path: str, pointer: str) -> Path:
        """Where a file lies that the manifest names.

        Raises:
            Problem: the path leads out of the folder, or there is no such file.
        """
        why = paths.fault(path.removeprefix("./"))
        if why is not None:
            raise Problem(f"{self.source}, {pointer}: the path {path!r} {why}.", "Write a path inside of the folder.")
        found = self.folder / path
        if not found.resolve().is_relative_to(self.folder.resolve()):
            raise Problem(f"{self.source}, {pointer}: {path} is a link that leads out of the folder.")
        if not found.exists():
            raise Problem(f"{self.source}, {pointer}: there is no file {found}.", "Build it first, or mend its name.")
        return found


@dataclass(frozen=True, slots=True)
class Workshop:
    """What a project is made into an artifact with.

    Attributes:
        folder: for what is made; it goes away afterwards.
        repository: where the artifact goes.
        origin: where it is built.
        out: where words go.
        moved: makes something that hears how many bytes of a named work of so many are done.
        oci: the registry that it goes to; None: it is not asked.
    """

    folder: Path
    repository: str
    origin: Origin
    out: Output
    moved: Callable[[str, int], Callable[[int], None]]
    oci: Oci | None = None


def read(folder: Path, family: str) -> Project:
    """The project in a folder, or of a manifest file, which is one of a family of types.

    Raises:
        Missing: there is no manifest.
        Problem: it is no manifest, or of another family.
    """
    source = folder if folder.is_file() else _source(folder)
    try:
        with source.open("rb") as file:
            manifest = checking.read_config(file.read(CONFIG_LIMIT + 1))
    except OSError as error:
        raise Problem(f"{source} cannot be read: {error.strerror}.") from error
    except ArtifactInvalid as error:
        raise invalid(error, str(source)) from error
    kind = _kind(source, manifest, family)
    if kind.name not in FAMILIES.get(family, (family,)):
        words = next((word for word, names in FAMILIES.items() if kind.name in names), kind.name)
        raise Problem(f"{source} is a {kind.name}.", f"Publish it with gati {words} publish.")
    return Project(source.parent, source, kind, _plain(manifest))


def _source(folder: Path) -> Path:
    for name in NAMES:
        if (folder / name).is_file():
            return folder / name
    raise Missing(
        f"{folder} has no {NAMES[0]}: it is no project.",
        "Go to the folder of the project or name it, or begin one with gati module create NAME.",
        code="NO_PROJECT",
    )


def _kind(source: Path, manifest: Mapping[str, Any], family: str) -> Kind:
    given = manifest.get("type")
    config = manifest.get("config")
    config = config if isinstance(config, dict) else {}
    if given is None and family == "module" and f"module-{config.get('type')}" in BY_NAME:
        given = f"module-{config['type']}"
    if given is None:
        given = next((name for sign, name in _SIGNS.items() if sign in config), None)
    if given is None and len(FAMILIES.get(family, (family,))) == 1:
        given = FAMILIES.get(family, (family,))[0]
    if isinstance(given, str) and given in BY_NAME:
        return BY_NAME[given]
    raise Problem(
        f"{source} does not say what it is: its type is {json.dumps(given)}.",
        f'Write "type": one of {", ".join(BY_NAME)}.',
        code="MALFORMED_MANIFEST",
    )


def _plain(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest with its dependencies in a list: maps of name to range are written too."""
    found = dict(manifest)
    guide = found.get("gati")
    given = found.get("dependencies", guide.get("dependencies") if isinstance(guide, dict) else None)
    if isinstance(given, dict):
        found["dependencies"] = [{"name": name, "version": wanted} for name, wanted in given.items()]
    return found


def completed(project: Project, repository: str, version: str | None) -> Project:
    """The project as it is published: with its type, the namespace where it goes, and the version asked for."""
    manifest = dict(project.manifest)
    manifest["type"] = project.kind.name
    manifest["namespace"] = repository.rpartition("/")[0]
    if version is not None:
        manifest["version"] = version.removeprefix("v")
    return replace(project, manifest=manifest)


def invalid(error: ArtifactInvalid, where: str) -> Problem:
    """What a rule that is broken means for a user."""
    detail = error.detail if isinstance(error.detail, dict) else {}
    place = {"config": where, "manifest": "the OCI manifest", "layer": "a layer"}.get(error.document, error.document)
    value = detail.get("value")
    shown = "" if value is None else f" It says {json.dumps(value, ensure_ascii=False)}."
    inside = f", file {detail['path']}" if detail.get("path") else ""
    at = f" ({place}{f', {error.pointer}' if error.pointer else ''}{inside})"
    return Problem(f"{error.message.rstrip('.')}{at}.{shown}", error.suggestion, code=error.reason)
