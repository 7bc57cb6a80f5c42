"""Search, as whoever looks for something sees it."""

from typing import Any

import httpx
import pytest

from tests.web.artifact_rows import Made
from tests.web.spaces import Org
from tests.web.test_artifacts import put


async def found(org: Org, query: str = "", by: Any = None, **more: Any) -> dict[str, Any]:
    """The answer to a search of the reader, or somebody else."""
    answer = await org.town.call("GET", f"/v1/search?{query}", key=by or org.reader)
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


def names(answer: dict[str, Any]) -> list[str]:
    """The artifacts, in order."""
    return [one["name"] for one in answer["results"]]


@pytest.fixture
async def shop(org: Org) -> Org:
    """An organisation with artifacts of several types."""
    home = f"orgs/{org.slug}"
    node = {"language": "typescript", "license": "MIT", "engines": "^2.0.0", "capabilities": ["db:read", "log:write"]}
    await put(
        org.town,
        Made(f"{home}/cache", columns=node | {"description": "Keeps values", "keywords": ["Fast"]}),
        Made(f"{home}/cache-redis", columns={"description": "A cache in Redis", "license": "Apache-2.0"}),
        Made(f"{home}/store", type="plugin", columns={"description": "Like a cache but larger", "engines": "^1.0.0"}),
        Made(f"{home}/my-cache", type="model", columns={"capabilities": ["db:postgres"]}),
        Made(f"{home}/later", state="received"),
    )
    return org


async def test_the_exact_name_comes_first_then_what_begins_so_then_words_then_parts_of_names(shop: Org) -> None:
    answer = await found(shop, "q=cache")
    assert names(answer) == ["cache", "cache-redis", "my-cache", "store"]
    assert (answer["total"], answer["page"], answer["pageSize"]) == (4, 1, 20)
    first = answer["results"][0]
    assert (first["version"], first["repository"], first["type"]) == ("1.0.0", f"orgs/{shop.slug}/cache", "module-node")
    assert names(await found(shop, f"q=@{shop.slug}/store")) == ["store"]
    assert names(await found(shop, "query=ache")) == ["cache", "cache-redis", "my-cache"]
    assert names(await found(shop, "q=redis+CACHE")) == ["cache-redis"]


async def test_what_is_not_published_or_not_theirs_is_found_by_nobody(shop: Org) -> None:
    assert "later" not in names(await found(shop, by=shop.writer))
    assert (await found(shop, "q=cache", by=shop.stranger))["total"] == 0
    answer = await shop.town.call("GET", "/v1/search?q=cache")
    assert (answer.status_code, answer.json()["total"]) == (200, 0)
    assert answer.json()["facets"] == {"types": [], "capabilities": [], "languages": [], "licenses": []}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("type=module", ["cache", "cache-redis"]),
        ("type=plugin,model", ["my-cache", "store"]),
        ("type=plugin&type=model", ["my-cache", "store"]),
        ("capabilities=db", ["cache", "my-cache"]),
        ("capabilities=db:read", ["cache"]),
        ("capabilities=db&capabilities=log", ["cache"]),
        ("capabilities=d", []),
        ("keywords=fast", ["cache"]),
        ("language=TypeScript", ["cache"]),
        ("license=mit,apache-2.0", ["cache", "cache-redis"]),
        ("gatiVersion=2.3.0", ["cache"]),
        ("gatiVersion=1.0.1", ["store"]),
        ("gatiVersion=3.0.0", []),
    ],
)
async def test_filters_narrow_what_is_found(shop: Org, query: str, expected: list[str]) -> None:
    assert names(await found(shop, f"{query}&sort=name")) == expected


async def test_pages_follow_each_other_and_facets_count_all_that_is_found(shop: Org) -> None:
    pages = [await found(shop, f"sort=name&pageSize=3&page={page}") for page in (1, 2, 3)]
    assert [names(page) for page in pages] == [["cache", "cache-redis", "my-cache"], ["store"], []]
    assert {page["total"] for page in pages} == {4}
    for page in pages:
        assert page["facets"]["types"][0] == {"value": "module-node", "count": 2}
        assert {one["value"] for one in page["facets"]["capabilities"]} == {"db:read", "log:write", "db:postgres"}
        assert page["facets"]["licenses"] == [{"value": "Apache-2.0", "count": 1}, {"value": "MIT", "count": 1}]
    assert names(await found(shop, "sort=name&order=desc&pageSize=1")) == ["store"]


@pytest.mark.parametrize(
    "text",
    ["'; DROP TABLE artifacts; --", "%", "_", "cache:*", "!cache", "cache & ", "(((", "\\", '"', "<->", "é漢字🙂"],
)
async def test_whatever_is_typed_is_plain_text(shop: Org, text: str) -> None:
    answer = await shop.town.call("GET", str(httpx.URL("/v1/search", params={"q": text})), key=shop.reader)
    assert answer.status_code == 200, answer.text
    assert set(names(answer.json())) <= {"cache", "cache-redis", "my-cache", "store"}
    if text in {"%", "_", "\\", '"', "<->"}:
        assert answer.json()["total"] in {0, 4}


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("page=0", "page"),
        ("page=1001", "page"),
        ("pageSize=101", "pageSize"),
        ("type=nothing", "type"),
        ("gatiVersion=x", "gatiVersion"),
        (f"q={'a' * 201}", "q"),
        ("sort=downloads", "sort"),
        ("q=%00", "q"),
    ],
)
async def test_a_search_that_cannot_be_meant_says_which_parameter_is_wrong(org: Org, query: str, name: str) -> None:
    answer = await org.town.call("GET", f"/v1/search?{query}", key=org.reader)
    assert answer.status_code == 400
    assert name in answer.json()["message"]
