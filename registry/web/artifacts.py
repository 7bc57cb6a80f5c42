"""/v1/artifacts: what a namespace has, an artifact, its versions, and who depends on it."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from registry.artifacts import reading
from registry.artifacts.sql_reading import Dependent, Range
from registry.namespaces.access import Right
from registry.namespaces.entry import Level
from registry.web.artifact_answers import (
    ArtifactAnswer,
    ReleaseAnswer,
    State,
    shown_artifact,
    shown_lite,
    shown_release,
    warnings,
)
from registry.web.artifact_places import ARTIFACT, ARTIFACTS, NAMESPACE, VERSION, artifact, is_writer, release, seen
from registry.web.bodies import Answer, Body, Listing, Page
from registry.web.paging import paged, version_of
from registry.web.rest import Call, Reply, Row

MODULES = ("module-node", "module-oci", "module-wasm", "module-binary", "module-external")
Kind = Literal[
    "module",
    "module-node",
    "module-oci",
    "module-wasm",
    "module-binary",
    "module-external",
    "plugin",
    "model",
    "agent",
    "template",
    "snapshot",
    "transformer",
]


class ArtifactsPage(Page, frozen=True, kw_only=True):
    """Which artifacts."""

    type: Annotated[list[Kind], Meta(description="Of these types; `module` is any of the five.")] = msgspec.field(
        default_factory=list
    )


class VersionsPage(Page, frozen=True, kw_only=True):
    """Which versions."""

    state: Annotated[list[State], Meta(description="In these states.")] = msgspec.field(default_factory=list)


class DependentAnswer(Answer, frozen=True, kw_only=True):
    """A published version that names the artifact."""

    repository: str
    version: str
    range: str
    relation: str
    optional: bool


class BatchBody(Body, frozen=True, kw_only=True):
    """Of which artifacts."""

    names: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=255)]],
        Meta(max_length=200, description="Repositories, or @slug/name."),
    ]


class BatchItem(Answer, frozen=True, kw_only=True):
    """An artifact as it was named, the repository that it is in now, and its published versions, the highest first."""

    name: str
    repository: str
    versions: list[ReleaseAnswer]


class BatchAnswer(Answer, frozen=True, kw_only=True):
    """What was found; `missing` are names of nothing that is published for the caller."""

    items: list[BatchItem]
    missing: list[str] | UnsetType = UNSET


def kinds_of(given: list[str]) -> list[str]:
    """Types of artifacts, the five of modules for `module`."""
    return sorted({one for kind in given for one in (MODULES if kind == "module" else (kind,))})


async def list_artifacts(call: Call) -> Reply:
    """List the artifacts of a namespace that the caller may see, by name; without a version for writers alone."""
    query: ArtifactsPage = call.query
    home = call.admitted.name
    page = Range((query.after, "") if query.after else None, query.limit + 1, is_writer(call))
    if query.after and not query.after.startswith(f"{home}/"):
        page = Range((f"{home}/{query.after}", ""), page.limit, page.writer)
    found = await reading.artifacts_of(call.realm.db, home, page, kinds_of(list(query.type)), await seen(call))
    return paged(found, query, lambda one: one.name, shown_artifact)


async def show(call: Call) -> Reply:
    """Show an artifact."""
    answer = shown_artifact(await artifact(call))
    return Reply(answer, version=version_of(answer))


async def list_versions(call: Call) -> Reply:
    """List versions, the highest first.

    Those that are published, and the numbers of those that were unpublished; writers see them all.
    """
    await artifact(call)
    query: VersionsPage = call.query
    page = Range((query.after, "") if query.after else None, query.limit + 1, is_writer(call))
    found = await reading.releases(call.realm.db, call.admitted.name, page, list(query.state))
    return paged(found, query, lambda one: one.version, shown_release)


async def list_dependents(call: Call) -> Reply:
    """List published versions of other artifacts that name this one, as far as the caller may see them."""
    await artifact(call)
    query: Page = call.query
    found = await reading.dependents(call.realm.db, call.admitted.name, query.after, query.limit + 1, await seen(call))
    return paged(found, query, lambda one: one.place, _dependent)


def _dependent(found: Dependent) -> DependentAnswer:
    return DependentAnswer(
        repository=found.repository,
        version=found.version,
        range=found.wanted,
        relation=found.relation,
        optional=found.is_optional,
    )


async def show_release(call: Call) -> Reply:
    """Show a version. A deprecated one comes with a Warning."""
    found = await release(call)
    answer = shown_release(found)
    return Reply(answer, version=version_of(answer), headers=warnings(found))


async def batch(call: Call) -> Reply:
    """Look up many artifacts at once: what an installer chooses versions by, at most 1,000 of each."""
    names = list(dict.fromkeys(call.body.names))
    found = await reading.batch(call.realm.db, names, await seen(call))
    items = [
        BatchItem(name=name, repository=releases[0].repository, versions=[shown_lite(one) for one in releases])
        for name in names
        if (releases := found.get(name))
    ]
    return Reply(BatchAnswer(items=items, missing=[name for name in names if name not in found]))


ROWS = (
    Row(
        "GET",
        NAMESPACE,
        list_artifacts,
        Right.VIEW,
        "List the artifacts of a namespace",
        query=ArtifactsPage,
        answer=Listing[ArtifactAnswer],
        is_open=True,
    ),
    Row("GET", ARTIFACT, show, Right.VIEW, "Show an artifact", answer=ArtifactAnswer, is_open=True),
    Row(
        "GET",
        f"{ARTIFACT}/versions",
        list_versions,
        Right.VIEW,
        "List the versions of an artifact",
        query=VersionsPage,
        answer=Listing[ReleaseAnswer],
        is_open=True,
    ),
    Row(
        "GET",
        f"{ARTIFACT}/dependents",
        list_dependents,
        Right.VIEW,
        "List what depends on an artifact",
        query=Page,
        answer=Listing[DependentAnswer],
        is_open=True,
    ),
    Row(
        "GET",
        f"{VERSION}/metadata",
        show_release,
        Right.VIEW,
        "Show a version",
        answer=ReleaseAnswer,
        codes=(410,),
        is_open=True,
    ),
    Row(
        "POST",
        f"{ARTIFACTS}/batch",
        batch,
        Level.ANYONE,
        "Look up many artifacts",
        BatchBody,
        answer=BatchAnswer,
        is_open=True,
    ),
)
