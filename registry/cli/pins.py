"""References of an artifact to others, and the digests that they mean when it is published."""

from typing import Any, Final

from registry.artifacts import references, versions
from registry.artifacts.model import Wanted
from registry.artifacts.references import Reference
from registry.cli.catalog import Catalog
from registry.cli.problems import Missing, Problem
from registry.cli.projects import Project, invalid
from registry.core.errors import ArtifactInvalid

_PULLED: Final = frozenset({"published", "received", "awaiting-signature", "scanning"})
MISSING: Final = "MODULE_DEPENDENCY_MISSING"


def unpinned(project: Project) -> list[Wanted]:
    """The references that must be pinned and are not.

    Raises:
        Problem: one is no reference.
    """
    if project.kind.wants is None:
        return []
    try:
        found = project.kind.wants(project.manifest)
    except ArtifactInvalid as error:
        raise invalid(error, str(project.source)) from error
    except (KeyError, TypeError, AttributeError):
        return []  # the manifest is not of its type, which the rules will tell better
    return [one for one in found if one.must_pin and one.digest is None and not one.is_optional]


def pinned(project: Project, wanted: list[Wanted], catalog: Catalog, home: str) -> Project:
    """The project with `config.resolved`: the digest of each of these references.

    Raises:
        Problem: there is none that fits, or it is another type of artifact.
    """
    if not wanted:
        return project
    parsed = {one.reference: references.parse(one.reference, one.pointer) for one in wanted}
    names = {name for reference in parsed.values() for name in references.repositories(reference, home)}
    found, _ = catalog.batch(sorted(names))
    resolved = dict(project.config.get("resolved") or {})
    for one in wanted:
        resolved[one.reference] = _digest(project, one, parsed[one.reference], (found, catalog, home))
    return project.with_config(project.config | {"resolved": resolved})


_Where = tuple[dict[str, list[dict[str, Any]]], Catalog, str]


def _digest(project: Project, wanted: Wanted, reference: Reference, where: _Where) -> str:
    found, catalog, home = where
    places = references.repositories(reference, home)
    repository = next((name for name in places if found.get(name)), None)
    if repository is None:
        raise Missing(
            f"{project.source}, {wanted.pointer}: there is no artifact {wanted.reference} "
            f"({' or '.join(places)}), or you may not know of it.",
            "Publish it first, or mend the name.",
            code=MISSING,
        )
    asked = reference.version
    if asked is not None and not versions.is_range(asked):
        return str(catalog.release(repository, asked).get("digest"))
    releases = {str(one.get("version")): one for one in found[repository] if one.get("state", "published") in _PULLED}
    wish = asked or wanted.wanted
    best = versions.best(releases, wish) or (next(iter(versions.newest_first(releases)), None) if wish == "*" else None)
    if best is None:
        raise Missing(
            f"{project.source}, {wanted.pointer}: no version of {repository} is in {wish}.",
            f"There are {', '.join(versions.newest_first(releases)[:10]) or 'none'}.",
            code=MISSING,
        )
    _check_type(project, wanted, str(releases[best].get("type")), repository)
    return str(releases[best].get("digest"))


def _check_type(project: Project, wanted: Wanted, given: str, repository: str) -> None:
    if wanted.type in {None, given} or (wanted.type == "module" and given.startswith("module-")):
        return
    raise Problem(
        f"{project.source}, {wanted.pointer}: {repository} is a {given}, where a {wanted.type} is needed.",
        "Name another artifact.",
        code="MALFORMED_MANIFEST",
    )
