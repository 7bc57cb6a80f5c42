"""Artifacts and releases as /v1 shows them."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from registry.artifacts import deprecation
from registry.artifacts.sql_reading import Artifact, Release
from registry.core import slugs
from registry.infra.http.warning import warning
from registry.web.bodies import Answer
from registry.web.namespaces import Visibility

State = Literal[
    "received",
    "awaiting-signature",
    "scanning",
    "published",
    "rejected",
    "quarantined",
    "unpublished",
    "expired",
]
_LITE: Final = ("repository", "version", "digest", "state", "type", "size", "dependencies", "capabilities")


class Engines(Answer, frozen=True, kw_only=True):
    """The versions that it works with, as npm ranges."""

    gati: str


class DeprecationAnswer(Answer, frozen=True, kw_only=True):
    """Why a version should not be used any more, until when it works, and what to use instead."""

    reason: str
    sunset: str | UnsetType = UNSET
    replacement: str | UnsetType = UNSET
    at: str | UnsetType = UNSET


class DependencyAnswer(Answer, frozen=True, kw_only=True):
    """Another artifact that is needed: its repository, an npm range, and what it is to this one."""

    name: str
    range: str
    relation: str
    optional: bool
    digest: str | UnsetType = UNSET


class ArtifactAnswer(Answer, frozen=True, kw_only=True):
    """An artifact, as its publisher and its latest version describe it; `deprecated`: that version."""

    repository: str
    namespace: str
    name: str
    type: str
    description: str
    tags: Annotated[list[str], Meta(description="Topics that its publisher chose.")]
    keywords: list[str]
    capabilities: list[str]
    visibility: Visibility
    created_at: datetime
    updated_at: datetime
    homepage: str | UnsetType = UNSET
    category: str | UnsetType = UNSET
    license: str | UnsetType = UNSET
    language: str | UnsetType = UNSET
    engines: Engines | UnsetType = UNSET
    latest: str | UnsetType = UNSET
    deprecated: bool | UnsetType = UNSET


class ReleaseAnswer(Answer, frozen=True, kw_only=True):
    """A version of an artifact; of one that was unpublished there is `version` and `state` alone."""

    version: str
    state: State
    repository: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    type: str | UnsetType = UNSET
    digest: str | UnsetType = UNSET
    size: Annotated[int, Meta(description="Bytes of all its layers.")] | UnsetType = UNSET
    tags: Annotated[list[str], Meta(description="Floating tags that name it now.")] | UnsetType = UNSET
    description: str | UnsetType = UNSET
    keywords: list[str] | UnsetType = UNSET
    capabilities: list[str] | UnsetType = UNSET
    license: str | UnsetType = UNSET
    language: str | UnsetType = UNSET
    engines: Engines | UnsetType = UNSET
    created_at: datetime | UnsetType = UNSET
    published_at: datetime | UnsetType = UNSET
    gtype_hash: str | UnsetType = UNSET
    deprecation: DeprecationAnswer | UnsetType = UNSET
    reason: Annotated[dict[str, Any], Meta(description="Why it was rejected or withdrawn.")] | UnsetType = UNSET
    dependencies: list[DependencyAnswer] | UnsetType = UNSET
    upload: str | UnsetType = UNSET


def shown_artifact(found: Artifact) -> ArtifactAnswer:
    """The artifact as it is answered."""
    home, _, name = found.name.rpartition("/")
    return ArtifactAnswer(
        repository=found.name,
        namespace=home,
        name=name,
        type=found.type,
        description=found.description,
        tags=found.topics,
        keywords=found.keywords,
        capabilities=found.capabilities,
        visibility=found.visibility,  # type: ignore[arg-type]  # the table holds no other
        created_at=found.created_at,
        updated_at=found.updated_at,
        homepage=_given(found.homepage),
        category=_given(found.category),
        license=_given(found.license),
        language=_given(found.language),
        engines=engines(found.engines),
        latest=_given(found.latest),
        deprecated=found.deprecated if found.latest is not None else UNSET,
    )


def shown_release(found: Release) -> ReleaseAnswer:
    """The release as it is answered."""
    if found.state == "unpublished":
        return ReleaseAnswer(version=found.version, state="unpublished")
    return ReleaseAnswer(
        version=found.version,
        state=found.state,  # type: ignore[arg-type]  # the table holds no other
        repository=found.repository,
        name=found.repository.rpartition("/")[2],
        type=found.type,
        digest=found.digest,
        size=found.size,
        tags=found.tags,
        description=found.description,
        keywords=found.keywords,
        capabilities=found.capabilities,
        license=_given(found.license),
        language=_given(found.language),
        engines=engines(found.engines),
        created_at=found.pushed_at,
        published_at=_given(found.published_at),
        gtype_hash=_given(found.gtype_hash),
        deprecation=_deprecation(found),
        reason=json.loads(found.reason) if found.reason is not None else UNSET,
        dependencies=dependencies(found),
        upload=found.upload,
    )


def shown_lite(found: Release) -> ReleaseAnswer:
    """What an installer chooses versions by."""
    whole = shown_release(found)
    kept = {name: getattr(whole, name) for name in (*_LITE, "engines", "deprecation")}
    return ReleaseAnswer(**kept)


def engines(text: str | None) -> Engines | UnsetType:
    """The versions of Gati that it works with; unset where it does not say."""
    return UNSET if text is None else Engines(gati=text)


def dependencies(found: Release) -> list[DependencyAnswer]:
    """What a release names, in its order."""
    return [_dependency(one) for one in json.loads(found.dependencies)]


def _dependency(one: Mapping[str, Any]) -> DependencyAnswer:
    return DependencyAnswer(
        name=one["name"],
        range=one["range"],
        relation=one["relation"],
        optional=one["optional"],
        digest=_given(one["digest"]),
    )


def _deprecation(found: Release) -> DeprecationAnswer | UnsetType:
    if found.deprecation is None:
        return UNSET
    given = {key: value for key, value in json.loads(found.deprecation).items() if isinstance(value, str)}
    return msgspec.convert({"reason": ""} | given, DeprecationAnswer)


def warnings(found: Release) -> dict[str, str]:
    """The Warning of a deprecated release, as /v2 says it; none where it is not."""
    if found.deprecation is None:
        return {}
    given = deprecation.parse(found.deprecation)
    return {"Warning": warning(deprecation.notice(found.repository, found.version, given))}


def owner_of(repository: str) -> str:
    """The namespace as paths of /v1 have it: `users~alice`."""
    kind, slug = slugs.split(repository)
    return slugs.prefix(kind, slug).replace("/", "~")


def path_of(repository: str, *more: str) -> str:
    """Where a repository's artifact is under /v1, or what follows there."""
    return "/".join(["/v1/artifacts", owner_of(repository), repository.rpartition("/")[2], *more])


def _given(value: Any) -> Any:
    return UNSET if value is None else value


def titles(manifest: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The layers of an OCI manifest, as descriptors."""
    found = manifest.get("layers")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
