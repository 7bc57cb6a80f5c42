"""/v1/search: artifacts by words, types, capabilities and what they work with."""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from registry.artifacts import versions
from registry.artifacts.sql_reading import Artifact
from registry.core.errors import BadRequest, RouteUnknown
from registry.namespaces.entry import Level
from registry.search.find import find
from registry.search.model import Facet, Filters, Wish
from registry.web.artifact_answers import ArtifactAnswer, shown_artifact
from registry.web.artifact_places import seen
from registry.web.artifacts import MODULES, kinds_of
from registry.web.bodies import Answer, Query
from registry.web.rest import Call, Reply, Row

_VALUES: Final = 50
_TYPES: Final = frozenset({"module", *MODULES, "plugin", "model", "agent", "template", "snapshot", "transformer"})
_Words = Annotated[list[Annotated[str, Meta(max_length=1000)]], Meta(max_length=_VALUES)]


class SearchQuery(Query, frozen=True, kw_only=True):
    """What is searched for; lists take a parameter several times, or commas."""

    q: Annotated[str, Meta(max_length=200, description="Words, or a name; there are no operators.")] = ""
    query: Annotated[str, Meta(max_length=200, description="The same.")] = ""
    type: _Words = msgspec.field(default_factory=list)
    keywords: _Words = msgspec.field(default_factory=list)
    capabilities: _Words = msgspec.field(default_factory=list)
    language: _Words = msgspec.field(default_factory=list)
    license: _Words = msgspec.field(default_factory=list)
    gati_version: (
        Annotated[str, Meta(max_length=128, description="A version of Gati that it says it works with.")] | None
    ) = None
    sort: Annotated[
        Literal["relevance", "updated", "created", "name"],
        Meta(description="By what; relevance: exact names first, then what begins so, then words."),
    ] = "relevance"
    order: Annotated[Literal["asc", "desc"], Meta(description="Which way; names ascend otherwise.")] | None = None
    page: Annotated[int, Meta(ge=1, le=1000, description="Which page, from 1 on.")] = 1
    page_size: Annotated[int, Meta(ge=1, le=100, description="How many at most.")] = 20
    n: Annotated[str, Meta(description="Never: only the search of Docker's former API has it.")] | None = None


class FoundAnswer(ArtifactAnswer, frozen=True, kw_only=True):
    """An artifact that was found, with its latest version."""

    version: str


class FacetAnswer(Answer, frozen=True, kw_only=True):
    """A value, and how many of all that is found have it."""

    value: str
    count: int


class Facets(Answer, frozen=True, kw_only=True):
    """The most frequent values of all that is found, at most 50 of each."""

    types: list[FacetAnswer]
    capabilities: list[FacetAnswer]
    languages: list[FacetAnswer]
    licenses: list[FacetAnswer]


class SearchAnswer(Answer, frozen=True, kw_only=True):
    """A page of what was found, and how much that is in all."""

    results: list[FoundAnswer]
    total: int
    page: int
    page_size: int
    facets: Facets


async def search(call: Call) -> Reply:
    """Search what is published and the caller may see.

    Names that are what was asked for come first, then those that begin so, then what says all the words.
    """
    query: SearchQuery = call.query
    if query.n is not None:  # podman asks so first, and lists the catalog where the former API is not
        raise RouteUnknown("The search of Docker's first API is not here: /v2/_catalog lists repositories.")
    wish = Wish(
        text=query.q or query.query,
        filters=_filters(query),
        sort=query.sort,
        is_descending=query.order == "desc" if query.order else query.sort != "name",
        page=query.page,
        size=query.page_size,
    )
    found = await find(call.realm.db, wish, await seen(call))
    facets = Facets(
        types=_facets(found.types),
        capabilities=_facets(found.capabilities),
        languages=_facets(found.languages),
        licenses=_facets(found.licenses),
    )
    return Reply(
        SearchAnswer(
            results=[_found(one) for one in found.items],
            total=found.total,
            page=query.page,
            page_size=query.page_size,
            facets=facets,
        )
    )


def _filters(query: SearchQuery) -> Filters:
    types = _listed(query.type)
    if not _TYPES.issuperset(types):
        expected = f"one of {', '.join(sorted(_TYPES))}"
        raise _wrong("type", expected)
    if query.gati_version is not None and not versions.is_version(query.gati_version):
        raise _wrong("gatiVersion", "a version such as 1.4.0")
    return Filters(
        types=tuple(kinds_of(types)),
        keywords=tuple(_listed(query.keywords)),
        capabilities=tuple(one.lower() for one in _listed(query.capabilities)),
        languages=tuple(_listed(query.language)),
        licenses=tuple(_listed(query.license)),
        gati_version=query.gati_version,
    )


def _wrong(name: str, expected: str) -> BadRequest:
    detail = {"parameter": name, "expected": expected}
    return BadRequest(f"The query parameter {name} cannot be taken: it is {expected}.", detail=detail)


def _listed(given: list[str]) -> list[str]:
    return [word.strip() for text in given for word in text.split(",") if word.strip()][:_VALUES]


def _found(artifact: Artifact) -> FoundAnswer:
    shown = shown_artifact(artifact)
    fields = {name: getattr(shown, name) for name in shown.__struct_fields__}
    return FoundAnswer(**fields, version=artifact.latest or "")


def _facets(found: list[Facet]) -> list[FacetAnswer]:
    return [FacetAnswer(value=one.value, count=one.count) for one in found]


ROWS = (
    Row(
        "GET",
        "/v1/search",
        search,
        Level.ANYONE,
        "Search artifacts",
        query=SearchQuery,
        answer=SearchAnswer,
        is_open=True,
    ),
)
