"""What is searched for, and what is found. Pure."""

from dataclasses import dataclass

from registry.artifacts.sql_reading import Artifact


@dataclass(frozen=True, slots=True)
class Filters:
    """What all that is found has: one of the types, languages and licenses, every keyword and capability.

    Attributes:
        capabilities: normal forms; `db` is met by `db:read`.
        gati_version: a version of Gati that it says it works with.
    """

    types: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    licenses: tuple[str, ...] = ()
    gati_version: str | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """A search: plain text without operators, a sort (`relevance`, `updated`, `created`, `name`), a page from 1 on."""

    text: str
    filters: Filters
    sort: str
    is_descending: bool
    page: int
    size: int


@dataclass(frozen=True, slots=True)
class Facet:
    """A value, and how many of all that is found have it."""

    value: str
    count: int


@dataclass(frozen=True, slots=True)
class Found:
    """A page of what was found, how much that is in all, and the values of it."""

    items: list[Artifact]
    total: int
    types: list[Facet]
    capabilities: list[Facet]
    languages: list[Facet]
    licenses: list[Facet]
