"""end-8a and end-8b: listing tags, in order and by pages."""

from collections.abc import Callable
from urllib.parse import parse_qs

import httpx
import pytest
from clauses import MAY, MUST, RULING, SHOULD, clause, unsupported
from client import Repository, codes, expect, next_page
from data import Maker

TAGS = "Listing Tags"
NAMES = ["v1.0", "v1", "v10", "v2", "V1", "latest", "_", "a", "a-b", "a.b", "a_b", "A", "Z", "z", "0", "9"]
ORDERED = sorted(NAMES)


def with_tags(repository: Repository, make: Maker) -> Repository:
    """The repository, with one image that has all NAMES as tags."""
    image = repository.push(make.image(), NAMES[0])
    for name in NAMES[1:]:
        expect(repository.put(name, image), 201)
    return repository


@pytest.fixture(scope="module")
def tagged(request: pytest.FixtureRequest, new_repository: Callable[[str], Repository]) -> Repository:
    """A repository with the tags NAMES, for tests that only read."""
    return with_tags(new_repository("tags"), Maker(f"{request.config.option.seed} tags"))


@pytest.fixture
def changing(repository: Repository, make: Maker) -> Repository:
    """A repository with the tags NAMES, for one test alone."""
    return with_tags(repository, make)


def listed(response: httpx.Response) -> list[str]:
    """The tags of the answer."""
    tags: list[str] | None = expect(response, 200).json()["tags"]
    return tags or []


@clause("end-8a", TAGS)
def test_the_list_names_the_repository_and_all_tags(tagged: Repository) -> None:
    response = expect(tagged.tags(), 200)
    assert response.json()["name"] == tagged.name
    assert sorted(response.json()["tags"]) == ORDERED


@clause("end-8a", TAGS)
def test_the_tags_are_in_lexical_or_ascii_order(tagged: Repository) -> None:
    tags = listed(tagged.tags())
    assert tags in (ORDERED, sorted(tags, key=str.lower))


@clause("end-8a", TAGS, RULING)
def test_the_tags_are_in_ascii_order_as_json(tagged: Repository) -> None:
    response = tagged.tags()
    assert listed(response) == ORDERED
    assert response.headers["Content-Type"].split(";")[0] == "application/json"


@clause("end-8a", TAGS)
def test_an_unknown_repository_is_404(repository: Repository) -> None:
    response = expect(repository.tags(), 404)
    assert codes(response) in ([], ["NAME_UNKNOWN"])


@clause("end-8a", TAGS, SHOULD)
def test_a_repository_without_tags_has_an_empty_list(repository: Repository, make: Maker) -> None:
    repository.push(make.image())
    assert expect(repository.tags(), 200).json() in (
        {"name": repository.name, "tags": []},
        {"name": repository.name, "tags": None},
    )


@clause("end-8a", TAGS, RULING)
def test_no_tags_is_an_empty_list_and_not_null(repository: Repository, make: Maker) -> None:
    repository.push(make.image())
    assert repository.tags().json()["tags"] == []


@clause("end-8b", TAGS)
@pytest.mark.parametrize("n", [1, 3, len(NAMES) - 1])
def test_n_gives_that_many_from_the_beginning(n: int, tagged: Repository) -> None:
    whole = listed(tagged.tags())
    response = tagged.tags(n=str(n))
    assert listed(response) == whole[: len(listed(response))]
    assert len(listed(response)) == n or (len(listed(response)) < n and next_page(response))


@clause("end-8b", TAGS)
@pytest.mark.parametrize("n", [len(NAMES), len(NAMES) + 1, 1000])
def test_n_of_all_or_more_gives_all(n: int, tagged: Repository) -> None:
    response = tagged.tags(n=str(n))
    assert listed(response) == listed(tagged.tags())
    assert next_page(response) is None or listed(tagged.http.get(next_page(response) or "")) == []


@clause("end-8b", TAGS, RULING)
def test_the_last_page_has_no_link(tagged: Repository) -> None:
    assert next_page(tagged.tags(n=str(len(NAMES)))) is None
    assert next_page(tagged.tags()) is None


@clause("end-8b", TAGS)
def test_n_0_gives_an_empty_list_without_a_link(tagged: Repository) -> None:
    response = tagged.tags(n="0")
    assert listed(response) == []
    assert "Link" not in response.headers


@clause("end-8b", TAGS, SHOULD)
@pytest.mark.parametrize("n", ["-1", "ten", "1.5", "0x10"])
def test_n_that_is_no_count_is_400(n: str, tagged: Repository) -> None:
    expect(tagged.tags(n=n), 400)


@clause("end-8b", TAGS, RULING)
@pytest.mark.parametrize("n", ["", " 1", "+1", "1_0", "\u0661"])
def test_n_that_is_empty_or_odd_is_400(n: str, tagged: Repository) -> None:
    expect(tagged.tags(n=n), 400)


@clause("end-8b", TAGS, SHOULD)
@pytest.mark.parametrize("n", [10**6, 2**31, 2**63, 10**30])
def test_a_huge_n_is_all_or_a_clean_refusal(n: int, tagged: Repository) -> None:
    response = expect(tagged.tags(n=str(n)), 200, 400)
    assert response.status_code == 400 or listed(response) == listed(tagged.tags())


@clause("end-8b", TAGS, RULING)
@pytest.mark.parametrize("n", [10**6, 10**30])
def test_a_huge_n_is_clamped(n: int, tagged: Repository) -> None:
    assert listed(tagged.tags(n=str(n))) == ORDERED


@clause("end-8b", TAGS)
@pytest.mark.parametrize("last", [ORDERED[0], ORDERED[5], ORDERED[-2], ORDERED[-1]])
def test_last_gives_what_comes_after_it(last: str, tagged: Repository) -> None:
    whole = listed(tagged.tags())
    assert listed(tagged.tags(last=last)) == whole[whole.index(last) + 1 :]


@clause("end-8b", TAGS)
def test_n_and_last_together_give_a_page(tagged: Repository) -> None:
    whole = listed(tagged.tags())
    assert listed(tagged.tags(n="4", last=whole[3])) == whole[4:8]
    assert listed(tagged.tags(n="4", last=whole[-1])) == []


@clause("end-8b", TAGS, RULING)
@pytest.mark.parametrize("last", ["b", "zz", "", "-", "v1.00", "~", "\u00e9", "a" * 300])
def test_last_need_not_be_a_tag_that_exists(last: str, tagged: Repository) -> None:
    assert listed(tagged.tags(last=last)) == [tag for tag in ORDERED if tag > last]


@clause("end-8b", TAGS)
@pytest.mark.parametrize("n", [1, 5, 7])
def test_following_the_links_gives_every_tag_once(n: int, tagged: Repository) -> None:
    whole = listed(tagged.tags())
    response = tagged.tags(n=str(n))
    found = listed(response)
    if next_page(response) is None:
        unsupported("no Link")
    while (url := next_page(response)) is not None:
        response = tagged.http.get(url)
        found += listed(response)
    assert found == whole


@clause("end-8b", TAGS, MUST)
def test_paging_by_last_gives_every_tag_once(tagged: Repository) -> None:
    found: list[str] = []
    while page := listed(tagged.tags(n="5", last=found[-1]) if found else tagged.tags(n="5")):
        found += page
        assert len(found) <= len(NAMES)
    assert found == listed(tagged.tags())


@clause("end-8b", TAGS, RULING)
def test_the_link_is_path_relative_and_keeps_n(tagged: Repository) -> None:
    response = tagged.tags(n="3")
    target = response.links["next"]["url"]
    assert target.startswith(f"/v2/{tagged.name}/tags/list?")
    assert parse_qs(target.partition("?")[2]) == {"n": ["3"], "last": [ORDERED[2]]}


@clause("end-8b", TAGS)
def test_pages_stay_right_while_tags_come_and_go(changing: Repository) -> None:
    whole = listed(changing.tags())
    first = listed(changing.tags(n="6"))
    image = changing.manifest(first[0])
    headers = {"Content-Type": image.headers["Content-Type"]}
    expect(changing.call("PUT", "manifests/00", content=image.content, headers=headers), 201)
    expect(changing.delete(f"manifests/{first[2]}"), 202)
    assert [tag for tag in listed(changing.tags(last=first[-1])) if tag != "00"] == whole[6:]


@clause("end-8a", TAGS, MAY)
def test_head_of_the_list_has_no_body(tagged: Repository) -> None:
    response = expect(tagged.call("HEAD", "tags/list"), 200)
    assert response.content == b""


@clause("end-8a", TAGS)
def test_a_new_tag_is_listed_at_once_and_a_deleted_one_is_not(changing: Repository) -> None:
    image = changing.manifest("latest")
    headers = {"Content-Type": image.headers["Content-Type"]}
    expect(changing.call("PUT", "manifests/new", content=image.content, headers=headers), 201)
    assert "new" in listed(changing.tags())
    expect(changing.delete("manifests/new"), 202)
    assert listed(changing.tags()) == ORDERED
