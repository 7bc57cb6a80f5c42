"""One release, fetched and unpacked beside any project: what `gati init` and `gati agent run` work with."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from registry.artifacts import checking, references, versions
from registry.artifacts.references import Reference
from registry.cli import catalog, places
from registry.cli.cache import Cache
from registry.cli.graph import Release
from registry.cli.laying import lay
from registry.cli.problems import Missing, Problem
from registry.cli.reach import Reach, reach
from registry.cli.run import Run
from registry.cli.supply import Goods, Supply
from registry.core.errors import ArtifactInvalid

MANIFEST: Final = Path(".gati") / "manifest.json"
_LIMIT: Final = 1 << 20
_STATES: Final = {"published"}


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A release on this disk: its Gati manifest and the folder of its files."""

    release: Release
    manifest: dict[str, Any]
    folder: Path


def is_folder(text: str) -> bool:
    """Whether a user means a folder of this machine: one that is there and is written as a path, or is no reference."""
    if text.startswith((".", "/", "~")):
        return True
    try:
        references.parse(text)
    except ArtifactInvalid:
        return True
    return Path(text).is_dir()


def folder_manifest(folder: Path, names: tuple[str, ...]) -> dict[str, Any]:
    """The Gati manifest of a folder: of an installed artifact, or of a project.

    Raises:
        Missing: there is none.
        Problem: it is none that can be read.
    """
    place = next((folder / name for name in (str(MANIFEST), *names) if (folder / name).is_file()), None)
    if place is None:
        raise Missing(f"{folder} has no {names[0]}.", "Name the folder of a project, or an artifact of a registry.")
    try:
        with place.open("rb") as file:
            return checking.read_config(file.read(_LIMIT + 1))
    except OSError as error:
        raise Problem(f"{place} cannot be read: {error.strerror}.") from error
    except ArtifactInvalid as error:
        raise Problem(f"{place}: {error.message}", error.suggestion) from error


def release_of(there: Reach, text: str) -> dict[str, Any]:
    """The release that a user names: by a version, a range, a floating tag or a digest; else the latest.

    Raises:
        Missing: there is none, or the caller may not know of it.
    """
    reference = catalog.parse(text)
    found = there.catalog
    repository = found.repository(reference)
    return found.release(repository, _wanted(there, repository, reference))


def _wanted(there: Reach, repository: str, reference: Reference) -> str:
    wanted = reference.digest or reference.version or "latest"
    is_range = reference.version is not None and not versions.is_version(wanted) and versions.is_range(wanted)
    if not is_range or wanted[0].isalpha():
        return wanted
    found = [str(item.get("version")) for item in there.catalog.versions(repository) if item.get("state") in _STATES]
    fitting = [version for version in found if versions.satisfies(version, wanted)]
    if not fitting:
        raise Missing(
            f"{repository} has no version that fits {wanted}.",
            f"It has {', '.join(found[:10]) or 'none'}.",
            code="VERSION_NOT_FOUND",
        )
    return max(fitting, key=versions.precedence)


@contextmanager
def unpacked(run: Run, text: str, kind: str) -> Iterator[Unpacked]:
    """A release of a type, in a folder that goes away afterwards; its layers stay in the cache.

    Raises:
        Missing: there is none.
        Tampered: what came is not what its digest says.
        Problem: it is of another type.
    """
    there = reach(run)
    found = release_of(there, text)
    if found.get("type") != kind:
        raise Problem(f"{found.get('repository')} is a {found.get('type')}, no {kind}.")
    release = Release(str(found["repository"]), str(found["version"]), str(found["digest"]), kind)
    supply = Supply(Cache(places.cache(run.environ)), there.address, run.out, lambda: there)
    goods = supply.fetch([release])[release.repository]
    with tempfile.TemporaryDirectory(prefix="gati-") as folder:
        place = Path(folder) / "artifact"
        lay(goods, place, supply.cache, there.address.url, with_image=False)
        yield Unpacked(release, _manifest(goods), place)


def _manifest(goods: Goods) -> dict[str, Any]:
    found = json.loads(goods.gati_manifest or b"{}")
    if not isinstance(found, dict):
        raise Problem(f"The Gati manifest of {goods.release} is no object.")
    return found
