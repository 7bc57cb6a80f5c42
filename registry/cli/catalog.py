"""The artifacts of a registry, as `/v1` tells of them."""

from collections.abc import Sequence
from typing import Any, Final

from registry.artifacts import references, versions
from registry.artifacts.references import Reference
from registry.cli.api import Api, route
from registry.cli.problems import Missing, Problem
from registry.core.errors import ArtifactInvalid

_BATCH: Final = 200


def parse(text: str) -> Reference:
    """The artifact that a user names.

    Raises:
        Problem: it is no name of one.
    """
    try:
        return references.parse(text)
    except ArtifactInvalid as error:
        raise Problem(error.message, error.suggestion, code="BAD_REFERENCE") from error


def base(repository: str) -> str:
    """The path of an artifact under `/v1`."""
    kind, slug, name = _parts(repository)
    return route("artifacts", f"{kind}~{slug}", name)


def _parts(repository: str) -> tuple[str, str, str]:
    parts = repository.split("/")
    if len(parts) != 3:
        raise Problem(
            f"{repository!r} names no artifact.", "Write users/NAME/ARTIFACT, orgs/NAME/ARTIFACT or @NAME/ARTIFACT."
        )
    return parts[0], parts[1], parts[2]


class Catalog:
    """What there is. `home` is the namespace (`users/alice`) in which a bare name is looked for first."""

    def __init__(self, api: Api, home: str | None = None) -> None:
        self.api = api
        self._home = home

    def find(self, reference: Reference | str) -> dict[str, Any]:
        """The artifact that is named; its `repository` is the whole name.

        Raises:
            Missing: there is none, or the caller may not know of it.
            Problem: it is no name, or a bare one that nobody can tell.
        """
        asked = parse(reference) if isinstance(reference, str) else reference
        if asked.namespace is not None:
            return self.api.get(route("artifacts", asked.namespace, asked.name)).body
        places = references.repositories(asked, self._home or references.OFFICIAL)
        for place in places:
            try:
                return self.api.get(base(place)).body
            except Missing:
                continue
        raise Missing(
            f"There is no artifact {asked.name} in {' or '.join(places)}, or you may not know of it.",
            f"Write whose it is: @NAME/{asked.name}.",
            code="ARTIFACT_NOT_FOUND",
        )

    def repository(self, reference: Reference | str) -> str:
        """The repository of the artifact that is named; nothing is asked where its whole name is written."""
        asked = parse(reference) if isinstance(reference, str) else reference
        return asked.repository or str(self.find(asked).get("repository"))

    def release(self, repository: str, version: str) -> dict[str, Any]:
        """A release by its version, a floating tag or a digest.

        Raises:
            Missing: there is none, or the caller may not know of it.
        """
        return self.api.get(f"{base(repository)}/{_segment(version)}/metadata").body

    def version(self, artifact: dict[str, Any], reference: Reference) -> str:
        """What names the release of an artifact that a reference means: a digest, a version, or a tag.

        Raises:
            Missing: no version is in the range that it has, or none is published.
        """
        asked = reference.digest or reference.version or artifact.get("latest")
        if asked is not None and (reference.digest or versions.is_version(asked) or not versions.is_range(asked)):
            return str(asked)
        repository = str(artifact["repository"])
        found = [str(one["version"]) for one in self.versions(repository) if one.get("state") == "published"]
        best = versions.best(found, asked) if asked is not None else None
        if best is not None:
            return best
        raise Missing(
            f"{repository} has no published version{f' in {asked}' if asked else ''}.",
            f"There are {', '.join(found[:10]) or 'none'}.",
            code="VERSION_NOT_FOUND",
        )

    def part(self, repository: str, version: str, part: str) -> dict[str, Any]:
        """A part of a release, such as `layers`, `readme`, `gtypes`, `dependencies` or `model-card`."""
        return self.api.get(f"{base(repository)}/{_segment(version)}/{part}").body

    def versions(self, repository: str, limit: int | None = None) -> list[dict[str, Any]]:
        """The releases of an artifact, the highest version first."""
        return self.api.items(f"{base(repository)}/versions", limit)

    def artifacts(self, namespace: str, limit: int | None = None, **params: str | None) -> list[dict[str, Any]]:
        """The artifacts of a namespace (`users/alice`)."""
        return self.api.items(route("artifacts", namespace.replace("/", "~", 1)), limit, **params)

    def batch(self, names: Sequence[str]) -> tuple[dict[str, list[dict[str, Any]]], list[str]]:
        """The releases of many artifacts, by repository, and the names of which there is none."""
        found: dict[str, list[dict[str, Any]]] = {}
        missing: list[str] = []
        for start in range(0, len(names), _BATCH):
            asked = {"names": list(names[start : start + _BATCH])}
            body = self.api.call("POST", route("artifacts", "batch"), asked).body
            found |= {item["repository"]: item.get("versions") or [] for item in body.get("items") or []}
            missing += [str(name) for name in body.get("missing") or []]
        return found, missing

    def search(self, **params: str | int | None) -> dict[str, Any]:
        """A page of what fits: `{results, total, page, pageSize, facets}`."""
        return self.api.get(route("search"), **params).body


def _segment(version: str) -> str:
    return route(version).removeprefix("/v1/")
