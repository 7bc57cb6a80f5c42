"""The list of repositories, which the specification leaves to extensions and every registry once had."""

from collections.abc import Callable

import httpx
import pytest
from clauses import RULING, clause, unsupported
from client import Repository, described, expect, next_page, with_query
from data import Maker

CATALOG = "Catalog (extension)"


class Catalog:
    """The catalog of the registry, and the names that the test put there."""

    def __init__(self, repository: Repository, names: list[str]) -> None:
        self._http = repository.http
        self._url = repository.root.join("/v2/_catalog")
        self.names = names

    def get(self, **parameters: str) -> httpx.Response:
        """GET of the catalog; many registries have none, or keep it to themselves."""
        response = self._http.get(with_query(self._url, parameters))
        if response.status_code in {401, 403, 404, 405}:
            unsupported(described(response, "200"))
        return response

    def listed(self, **parameters: str) -> list[str]:
        """The repositories of the answer."""
        names: list[str] | None = expect(self.get(**parameters), 200).json()["repositories"]
        return names or []

    def all(self, n: int) -> list[str]:
        """All repositories, by pages."""
        response = expect(self.get(n=str(n), last=self.names[0][:-1]), 200)
        found = list(response.json()["repositories"])
        while (url := next_page(response)) is not None and found[-1] <= self.names[-1]:
            response = expect(self._http.get(url), 200)
            found += response.json()["repositories"]
        return found


@pytest.fixture(scope="module")
def catalog(request: pytest.FixtureRequest, new_repository: Callable[[str], Repository]) -> Catalog:
    """Five repositories with an image each, whose names stand next to each other."""
    make = Maker(f"{request.config.option.seed} catalog")
    first = new_repository("catalog")
    names = [f"{first.name}{end}" for end in ("-a", "-a/b", "-a0", "-b", "-c")]
    for name in names:
        Repository(first.http, first.root, name).push(make.image(), "here")
    return Catalog(first, sorted(names))


@clause("-", CATALOG, RULING)
def test_the_catalog_names_the_repositories_in_ascii_order(catalog: Catalog) -> None:
    found = catalog.listed(n="100", last=catalog.names[0][:-1])
    assert found[: len(catalog.names)] == catalog.names
    assert found == sorted(found)


@clause("-", CATALOG, RULING)
@pytest.mark.parametrize("n", [1, 2, 3])
def test_following_the_links_gives_every_repository_once(n: int, catalog: Catalog) -> None:
    found = catalog.all(n)
    assert [name for name in found if name in catalog.names] == catalog.names
    assert len(found) == len(set(found))


@clause("-", CATALOG, RULING)
def test_last_gives_what_comes_after_it(catalog: Catalog) -> None:
    assert catalog.listed(n="2", last=catalog.names[1]) == catalog.names[2:4]


@clause("-", CATALOG, RULING)
def test_n_0_gives_an_empty_list_without_a_link(catalog: Catalog) -> None:
    response = expect(catalog.get(n="0"), 200)
    assert response.json()["repositories"] == []
    assert "Link" not in response.headers


@clause("-", CATALOG, RULING)
@pytest.mark.parametrize("n", ["-1", "ten", ""])
def test_n_that_is_no_count_is_400(n: str, catalog: Catalog) -> None:
    expect(catalog.get(n=n), 400)


@clause("-", CATALOG, RULING)
def test_a_huge_n_is_clamped(catalog: Catalog) -> None:
    assert set(catalog.names) <= set(catalog.listed(n=str(10**30), last=catalog.names[0][:-1]))


@clause("-", CATALOG, RULING)
def test_the_link_is_path_relative(catalog: Catalog) -> None:
    response = catalog.get(n="1", last=catalog.names[0])
    assert response.links["next"]["url"].startswith("/v2/_catalog?")
