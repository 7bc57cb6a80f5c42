"""Local folders that stand for artifacts of a project, for who works on both."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from registry.artifacts import references, versions
from registry.cli import strict_json
from registry.cli.application import LINK, Application, Root
from registry.cli.graph import Release
from registry.cli.problems import Problem
from registry.core.errors import MalformedManifest

MANIFESTS: Final = ("gati-module.json", "gati.module.json", "gati.manifest.json")
_NONE: Final = "0.0.0"


def manifest_of(folder: Path) -> dict[str, Any]:
    """The Gati manifest of a folder.

    Raises:
        Problem: it has none.
    """
    for name in MANIFESTS:
        try:
            return strict_json.read((folder / name).read_bytes(), str(folder / name))
        except FileNotFoundError:
            continue
        except OSError as error:
            raise Problem(f"{folder / name} cannot be read: {error.strerror}.") from error
    raise Problem(f"{folder} holds no artifact.", f"Name a folder with a file {MANIFESTS[0]}.")


def repository_of(manifest: Mapping[str, Any], named: str | None) -> str:
    """The repository that a folder stands for: as named, else as its manifest says.

    Raises:
        Problem: neither says it.
    """
    namespace = str(manifest.get("namespace") or "").removeprefix("gati.dev/")
    text = named or (f"{namespace}/{manifest.get('name')}" if namespace else str(manifest.get("name")))
    try:
        reference = references.parse(text)
    except MalformedManifest as error:
        raise Problem(error.message, error.suggestion, code="BAD_REFERENCE") from error
    if reference.slug is None:
        raise Problem(
            f"Nothing says whose artifact {reference.name} is.",
            f"Say --as @NAME/{reference.name}, or write namespace into its manifest.",
        )
    return reference.repository or f"users/{reference.slug}/{reference.name}"


def root_of(project: Path, folder: Path, repository: str) -> Root:
    """The line of `gati.modules.json` by which a folder stands for an artifact."""
    return Root(repository, LINK + os.path.relpath(folder.resolve(), project.resolve()))


def links_of(project: Path, application: Application) -> dict[str, Release]:
    """The releases that folders stand for, by repository; whatever range others want them in.

    Raises:
        Problem: a folder is not there.
    """
    found = {}
    for root in application.roots:
        if root.link is not None:
            version = manifest_of(project / root.link).get("version")
            text = version if isinstance(version, str) and versions.is_version(version) else _NONE
            repository = root.repositories[0]
            found[repository] = Release(repository, text, root.wanted)
    return found


def target_of(place: Path, folder: Path) -> str:
    """What the symbolic link at `place` has to say to lead to `folder`."""
    return os.path.relpath(folder.resolve(), place.parent.resolve(strict=False))
