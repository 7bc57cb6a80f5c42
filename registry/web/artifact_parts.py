"""The parts of a version: its manifests, layers, documents, and what refers to it."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from registry.artifacts import gtypes as types
from registry.artifacts import reading
from registry.artifacts.model import GTYPES
from registry.artifacts.reading import Resolved
from registry.artifacts.sql_reading import Release
from registry.core.errors import NotFound
from registry.namespaces.access import Right
from registry.web.artifact_answers import DependencyAnswer, dependencies, titles, warnings
from registry.web.artifact_places import VERSION, release, seen
from registry.web.bodies import Answer, Query
from registry.web.paging import version_of
from registry.web.rest import Call, Handler, Reply, Row
from registry.web.site import Site

_CARD: Final = "application/vnd.gati.model.card.v1"
_BENCHMARKS: Final = "application/vnd.gati.model.benchmark.v1"
_BUNDLE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
_SIGNATURES: Final = (_BUNDLE, "application/vnd.dev.cosign.artifact.sig.v1+json", "application/vnd.gati.signature.v1")
_SBOMS: Final = ("application/spdx+json", "application/vnd.cyclonedx+json")
_ATTESTATIONS: Final = ("application/vnd.in-toto+json", _BUNDLE)
_PROVENANCE: Final = {
    "repo": "org.opencontainers.image.source",
    "commit": "org.opencontainers.image.revision",
    "buildTimestamp": "dev.gati.build.timestamp",
    "builder": "dev.gati.builder",
}
_RECIPE_LIMIT: Final = 1 << 20
_ROLE: Final = "dev.gati.layer.role"
_TITLE: Final = "org.opencontainers.image.title"


class LayerAnswer(Answer, frozen=True, kw_only=True):
    """A layer: `url` gives its bytes; `platform` is that of its manifest in an index."""

    digest: str
    size: int
    media_type: str
    url: str
    title: str | UnsetType = UNSET
    role: str | UnsetType = UNSET
    platform: dict[str, Any] | UnsetType = UNSET


class LayersAnswer(Answer, frozen=True, kw_only=True):
    """All layers, in their order."""

    items: list[LayerAnswer]


class ResolveQuery(Query, frozen=True, kw_only=True):
    """Whether versions are looked for."""

    resolve: Annotated[bool, Meta(description="Answer the highest version that each range admits, too.")] = False


class ResolvedAnswer(DependencyAnswer, frozen=True, kw_only=True):
    """A dependency; `version` is the highest that its range admits of those that the caller may see."""

    version: str | UnsetType = UNSET


class DependenciesAnswer(Answer, frozen=True, kw_only=True):
    """What it names, in its order."""

    items: list[ResolvedAnswer]


class ReadmeAnswer(Answer, frozen=True, kw_only=True):
    """What it says to people, in Markdown."""

    readme: str


class CapabilitiesAnswer(Answer, frozen=True, kw_only=True):
    """What it asks to be allowed; everything else is denied where it runs."""

    capabilities: list[str]
    permissions: Any = UNSET
    network_access: Any = UNSET


class ReferrersAnswer(Answer, frozen=True, kw_only=True):
    """Descriptors of what refers to it. Nothing of it was verified."""

    items: list[Any]
    verified: bool = False


class ProvenanceAnswer(ReferrersAnswer, frozen=True, kw_only=True):
    """The same, and what its publisher wrote into the manifest."""

    stated: dict[str, str]


class RecipeAnswer(Answer, frozen=True, kw_only=True):
    """The recipe of an agent, as YAML, and the title of its layer."""

    title: str
    recipe: str


class TemplateAnswer(Answer, frozen=True, kw_only=True):
    """The patterns of the files of a template, what it asks for, and what to do afterwards."""

    files: list[Any]
    variables: list[Any]
    setup: str | UnsetType = UNSET


def rows(site: Site) -> tuple[Row, ...]:
    """The endpoints of this file."""
    on = _Parts(site)
    return (
        _row("manifest", manifest, "Show the Gati manifest", dict[str, Any]),
        _row("oci", oci, "Show the OCI manifest", dict[str, Any]),
        _row("layers", layers, "List the layers", LayersAnswer),
        _row("gtypes", on.gtypes, "Show the types", dict[str, Any]),
        _row("readme", readme, "Show the readme", ReadmeAnswer),
        _row("capabilities", capabilities, "Show the capabilities", CapabilitiesAnswer),
        _row("dependencies", list_dependencies, "List dependencies", DependenciesAnswer, ResolveQuery),
        _row("signatures", signatures, "List signatures", ReferrersAnswer),
        _row("sbom", sboms, "List bills of materials", ReferrersAnswer),
        _row("provenance", provenance, "Show where it comes from", ProvenanceAnswer),
        _row("model-card", on.model_card, "Show the card of a model", dict[str, Any]),
        _row("benchmarks", on.benchmarks, "Show the benchmarks of a model", dict[str, Any]),
        _row("recipe", on.recipe, "Show the recipe of an agent", RecipeAnswer),
        _row("skill-graph", skill_graph, "Show the skills of an agent", dict[str, Any]),
        _row("files", files, "Show the files of a template", TemplateAnswer),
    )


def _row(name: str, handler: Handler, summary: str, answer: Any, query: type[Query] | None = None) -> Row:
    path = f"{VERSION}/{name}"
    return Row("GET", path, handler, Right.PULL, summary, query=query, answer=answer, codes=(410,), is_open=True)


async def manifest(call: Call) -> Reply:
    """Show the Gati manifest, byte for byte as it was pushed."""
    found = await release(call)
    text = (await reading.parts(call.realm.db, found)).config
    if not text:
        raise _lacks(found, "Gati manifest")
    return _reply(found, msgspec.Raw(text.encode()))


async def oci(call: Call) -> Reply:
    """Show the OCI manifest, or the index of several."""
    found = await release(call)
    family = await reading.manifests(call.realm.db, found)
    if not family or family[0][0] != found.digest:
        raise _lacks(found, "OCI manifest")
    return _reply(found, family[0][1])


async def layers(call: Call) -> Reply:
    """List the layers, each with where its bytes are."""
    found = await release(call)
    family = await reading.manifests(call.realm.db, found)
    platforms = {one.get("digest"): one.get("platform") for _, body in family for one in body.get("manifests") or []}
    items = [layer_answer(found, one, platforms.get(digest)) for digest, body in family for one in titles(body)]
    return _reply(found, LayersAnswer(items=items))


def layer_answer(found: Release, one: Mapping[str, Any], platform: Any) -> LayerAnswer:
    """A layer by its descriptor, with the platform of its manifest where that has one."""
    notes = one.get("annotations") or {}
    return LayerAnswer(
        digest=one["digest"],
        size=one["size"],
        media_type=one["mediaType"],
        url=f"/v2/{found.repository}/blobs/{one['digest']}",
        title=notes.get(_TITLE, UNSET),
        role=notes.get(_ROLE, UNSET),
        platform=platform if isinstance(platform, dict) else UNSET,
    )


async def readme(call: Call) -> Reply:
    """Show what it says to people."""
    found = await release(call)
    text = (await reading.parts(call.realm.db, found)).readme
    if text is None:
        raise _lacks(found, "readme")
    return _reply(found, ReadmeAnswer(readme=text))


async def capabilities(call: Call) -> Reply:
    """Show what it asks to be allowed: whatever it does not name is denied where it runs."""
    found = await release(call)
    config = await reading.config(call.realm.db, found)
    answer = CapabilitiesAnswer(
        capabilities=found.capabilities,
        permissions=config.get("permissions", UNSET),
        network_access=config.get("networkAccess", UNSET),
    )
    return _reply(found, answer)


async def list_dependencies(call: Call) -> Reply:
    """List what it names; with `resolve` also the version that an installer takes today."""
    found = await release(call)
    if not call.query.resolve:
        items = [ResolvedAnswer(**msgspec.structs.asdict(one)) for one in dependencies(found)]
        return _reply(found, DependenciesAnswer(items=items))
    resolved = await reading.resolve(call.realm.db, found, await seen(call))
    return _reply(found, DependenciesAnswer(items=[resolved_answer(one) for one in resolved]))


def resolved_answer(one: Resolved) -> ResolvedAnswer:
    """A dependency with what was found for it."""
    match = one.found
    digest = match.digest if match is not None else one.pinned
    return ResolvedAnswer(
        name=match.repository if match is not None else one.name,
        range=one.wanted,
        relation=one.relation,
        optional=one.is_optional,
        digest=UNSET if digest is None else digest,
        version=match.version if match is not None else UNSET,
    )


async def signatures(call: Call) -> Reply:
    """List signatures that refer to it. They are listed, and not verified."""
    found = await release(call)
    return _reply(found, ReferrersAnswer(items=await _referrers(call, found, _SIGNATURES)))


async def sboms(call: Call) -> Reply:
    """List bills of materials that refer to it. They are listed, and not verified."""
    found = await release(call)
    return _reply(found, ReferrersAnswer(items=await _referrers(call, found, _SBOMS)))


async def provenance(call: Call) -> Reply:
    """Show where it comes from, as its publisher says, with attestations that refer to it; nothing is verified."""
    found = await release(call)
    family = await reading.manifests(call.realm.db, found)
    notes = (family[0][1].get("annotations") or {}) if family else {}
    stated = {name: notes[key] for name, key in _PROVENANCE.items() if key in notes}
    items = await _referrers(call, found, _ATTESTATIONS)
    return _reply(found, ProvenanceAnswer(items=items, stated=stated))


async def _referrers(call: Call, found: Release, kinds: tuple[str, ...]) -> list[Any]:
    listed = await reading.referrers(call.realm.db, found, kinds)
    return [msgspec.Raw(one.descriptor.encode()) for one in listed]


async def skill_graph(call: Call) -> Reply:
    """Show the skills of an agent, and which needs which."""
    found = await release(call)
    config = await reading.config(call.realm.db, found)
    graph = (config.get("config") or {}).get("skillGraph")
    if not isinstance(graph, dict):
        raise _lacks(found, "skill graph")
    return _reply(found, graph)


async def files(call: Call) -> Reply:
    """Show which files a template makes, and what it asks for first."""
    found = await release(call)
    config = await reading.config(call.realm.db, found)
    if found.type != "template":
        raise _lacks(found, "files of a template")
    inner = config.get("config") or {}
    answer = TemplateAnswer(
        files=config.get("files") or [],
        variables=inner.get("variables") or [],
        setup=inner.get("setup", UNSET),
    )
    return _reply(found, answer)


class _Parts:
    """Handlers that read layers."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def gtypes(self, call: Call) -> Reply:
        """Show the types of what goes in and comes out, by name."""
        found = await release(call)
        config = await reading.config(call.realm.db, found)
        read: list[tuple[str, bytes]] = []
        for _, body in await reading.manifests(call.realm.db, found):
            for one in titles(body):
                raw = await self._read(found, one) if one.get("mediaType") == GTYPES else None
                if raw is not None:
                    read.append((f"/layers/{len(read)}", raw))
        return _reply(found, types.merged(config, read))

    async def model_card(self, call: Call) -> Reply:
        """Show the card of a model: data, usage, limits. The newest that was pushed after it wins."""
        return await self._document(call, "modelCard", _CARD, "model card")

    async def benchmarks(self, call: Call) -> Reply:
        """Show the benchmarks of a model. The newest that were pushed after it win."""
        return await self._document(call, "benchmarks", _BENCHMARKS, "benchmarks")

    async def _document(self, call: Call, member: str, kind: str, words: str) -> Reply:
        found = await release(call)
        value = await reading.document(self._site.shelf(), found, kind)
        if not isinstance(value, dict):
            value = (await reading.config(call.realm.db, found)).get(member)
        if not isinstance(value, dict):
            raise _lacks(found, words)
        return _reply(found, value)

    async def recipe(self, call: Call) -> Reply:
        """Show the recipe of an agent."""
        found = await release(call)
        title = ((await reading.config(call.realm.db, found)).get("config") or {}).get("recipe")
        for _, body in await reading.manifests(call.realm.db, found):
            for one in titles(body):
                if title is not None and (one.get("annotations") or {}).get(_TITLE) == title:
                    raw = await self._read(found, one)
                    if raw is not None:
                        return _reply(found, RecipeAnswer(title=title, recipe=raw.decode("utf-8", "replace")))
        raise _lacks(found, "recipe")

    async def _read(self, found: Release, layer: Mapping[str, Any]) -> bytes | None:
        return await reading.read_blob(self._site.shelf(), found.repository, layer["digest"], _RECIPE_LIMIT)


def _lacks(found: Release, what: str) -> NotFound:
    return NotFound(
        f"{found.repository}@{found.version} has no {what}.",
        detail={"repository": found.repository, "version": found.version},
    )


def _reply(found: Release, answer: Any) -> Reply:
    return Reply(answer, version=version_of(answer), headers=warnings(found))
