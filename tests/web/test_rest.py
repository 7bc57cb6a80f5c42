"""The REST door: what it lets through, and what it says to what it does not."""

import json
from typing import Any

import httpx
import pytest

from registry.namespaces.access import Right
from registry.namespaces.entry import Level
from registry.web.rest import Row, Table
from tests.web.conftest import Gate, poke

THINGS = "/v1/namespaces/acme/things"


async def post(site: httpx.AsyncClient, body: bytes, **headers: str) -> httpx.Response:
    fields = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return await site.post(THINGS, content=body, headers=fields)


async def test_a_body_reaches_its_handler_and_the_answer_the_caller(site: httpx.AsyncClient) -> None:
    answer = await post(site, b'{"name": "a", "size": 2, "fullTitle": null}')
    assert (answer.status_code, answer.json()) == (201, {"name": "a", "size": 2, "fullTitle": None})
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_the_gate_is_asked_with_the_right_and_the_names_of_the_path(site: httpx.AsyncClient, gate: Gate) -> None:
    await site.get("/v1/namespaces/users~alice/things/4%2B5")
    (entry,) = gate.asked
    assert (entry.route, entry.needs) == ("/v1/namespaces/{ns}/things/{id}", Right.VIEW)
    assert entry.params == {"ns": "users~alice", "id": "4+5"}


async def test_who_is_refused_by_the_gate_learns_nothing_of_the_body(site: httpx.AsyncClient) -> None:
    del site.headers["authorization"]
    answer = await post(site, b"no JSON")
    assert answer.status_code == 401
    told = answer.json()
    assert (told["code"], told["message"]) == ("UNAUTHORIZED", "Log in first.")
    assert told["suggestions"]
    assert told["requestId"] == answer.headers["x-request-id"]
    assert told["timestamp"].endswith("Z")


@pytest.mark.parametrize(
    "path",
    [
        "/v1",
        "/v1/",
        "/v1/nothing",
        f"{THINGS}/",
        f"{THINGS}/1/",
        "/v1/namespaces//things",
        "/v1/namespaces/a%2Fb/things",
        "/v1/namespaces/a%00/things",
        "/v1/namespaces/%ff/things",
        "//v1/namespaces/acme/things",
        "/V1/namespaces/acme/things",
    ],
)
async def test_a_path_that_is_none_is_404_for_everybody(site: httpx.AsyncClient, gate: Gate, path: str) -> None:
    answer = await site.get(httpx.URL("http://localhost").copy_with(raw_path=path.encode()))
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")
    assert gate.asked == []


async def test_a_repository_is_one_segment_with_its_slashes_encoded(site: httpx.AsyncClient) -> None:
    assert (await site.get("/v1/repositories/acme%2Fapp")).json()["name"] == "acme/app"
    assert (await site.get("/v1/repositories/acme/app")).status_code == 404


async def test_another_method_is_405_and_says_which_there_are(site: httpx.AsyncClient, gate: Gate) -> None:
    answer = await site.put(THINGS)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST, GET, HEAD, OPTIONS")
    assert answer.json()["code"] == "METHOD_NOT_ALLOWED"
    answer = await site.options(THINGS, headers={"Origin": "https://example.com"})
    assert (answer.status_code, answer.headers["allow"]) == (204, "POST, GET, HEAD, OPTIONS")
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert gate.asked == []


async def test_a_word_of_a_path_goes_before_a_parameter_but_hides_no_other_method(site: httpx.AsyncClient) -> None:
    assert (await site.post(f"{THINGS}/poke")).status_code == 204
    assert (await site.get(f"{THINGS}/poke")).json()["name"] == "poke"
    assert "POST" in (await site.put(f"{THINGS}/poke")).headers["allow"]
    assert "POST" not in (await site.put(f"{THINGS}/other")).headers["allow"]


async def test_head_is_get_without_the_body(site: httpx.AsyncClient) -> None:
    whole = await site.get(f"{THINGS}/1")
    head = await site.head(f"{THINGS}/1")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(whole.content))


@pytest.mark.parametrize(
    ("body", "pointer", "words"),
    [
        (b'{"name": 5}', "/name", "expected `str`, got `int`"),
        (b'{"name": "a", "parts": [1, "b"]}', "/parts/1", "expected `int`, got `str`"),
        (b'{"name": "a", "labels": {"k": 1}}', "/labels", "expected `str`, got `int`"),
        (b'{"name": "a", "size": "1"}', "/size", "expected `int`, got `str`"),
        (b'{"name": "a", "size": true}', "/size", "expected `int`, got `bool`"),
        (b'{"name": "a", "size": 1.5}', "/size", "expected `int`, got `float`"),
        (b'{"name": "a", "size": 0}', "/size", ">= 1"),
        (b'{"name": "a", "size": 9223372036854775808}', "/size", "64 bits"),
        (b'{"name": "a", "size": -9223372036854775809}', "/size", "64 bits"),
        (b'{"name": "a", "size": 1e999}', "/size", "64 bits"),
        (b'{"name": ""}', "/name", "length >= 1"),
        (b'{"name": "12345678901"}', "/name", "length <= 10"),
        (b'{"name": "a\\u0000"}', "/name", "without NUL"),
        (b'{"name": "\\ud800"}', "/name", "surrogates"),
        (b'{"name": "a", "labels": {"a/b~c\\u0000": "x"}}', "/labels", "without NUL"),
        (b'{"name": "a", "labels": {"a/b~c": "\\u0000"}}', "/labels/a~1b~0c", "without NUL"),
        (b"{}", "/name", "missing required field"),
        (b'{"name": "a", "full_title": "b"}', "/full_title", "unknown field"),
        (b"[]", "", "expected `object`"),
        (b"null", "", "expected `object`"),
        (b"", "/name", "missing required field"),
    ],
)
async def test_a_body_of_another_form_is_422_and_says_where(
    site: httpx.AsyncClient, body: bytes, pointer: str, words: str
) -> None:
    answer = await post(site, body)
    told = answer.json()
    assert (answer.status_code, told["code"], told["details"]["pointer"]) == (422, "UNPROCESSABLE", pointer)
    assert words in told["message"]
    assert words in told["details"]["expected"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"no JSON", "is not JSON"),
        (b'{"name": "a"} {}', "is not JSON"),
        (b'{"name": "a", "name": "b"}', "twice"),
        (b'{"name": "a", "labels": {"k": "1", "k": "2"}}', "twice"),
        (b'{"name": "\xff"}', "not UTF-8"),
        (b'\xef\xbb\xbf{"name": "a"}', "is not JSON"),
        (b'{"name": "a", "size": NaN}', "NaN"),
        (b'{"name": "a", "size": -Infinity}', "-Infinity"),
        (b'{"name": "a", "size": ' + b"9" * 5000 + b"}", "is not JSON"),
        (b"[" * 65 + b"]" * 65, "deeper than 64"),
        (b"[" * 60_000, "deeper than 64"),
        (b'{"a":' * 10_000, "deeper than 64"),
    ],
)
async def test_a_body_without_one_reading_is_400(site: httpx.AsyncClient, body: bytes, words: str) -> None:
    answer = await post(site, body)
    assert (answer.status_code, answer.json()["code"]) == (400, "BAD_REQUEST")
    assert words in answer.json()["message"]


async def test_a_body_over_its_limit_is_413_whatever_it_says_of_its_length(site: httpx.AsyncClient) -> None:
    long = b'{"name": "' + b"a" * 65_536 + b'"}'

    async def pieces() -> Any:
        for at in range(0, len(long), 1000):
            yield long[at : at + 1000]

    json_type = {"Content-Type": "application/json"}
    assert (await post(site, long)).status_code == 413
    assert (await site.post(THINGS, content=pieces(), headers=json_type)).json()["code"] == "UPLOAD_SIZE_EXCEEDED"
    fitting = b'{"name": "a"' + b" " * (65_536 - 13) + b"}"
    assert (await post(site, fitting)).status_code == 201
    assert (await post(site, fitting + b" ")).status_code == 413


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 201),
        ("Application/JSON; charset=UTF-8", 201),
        ('application/json;charset="utf-8"', 201),
        ("application/json; charset=utf-16", 415),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/merge-patch+json", 415),
        ("", 415),
    ],
)
async def test_a_body_is_json_and_says_so(site: httpx.AsyncClient, kind: str, status: int) -> None:
    answer = await post(site, b'{"name": "a"}', Content_Type=kind)
    assert answer.status_code == status
    if status == 415:
        assert answer.json()["code"] == "UNSUPPORTED_MEDIA_TYPE"


async def test_a_compressed_body_is_refused(site: httpx.AsyncClient) -> None:
    assert (await post(site, b'{"name": "a"}', Content_Encoding="gzip")).status_code == 415


async def test_a_body_that_may_be_empty_may_be_left_out(site: httpx.AsyncClient) -> None:
    answer = await site.post(f"{THINGS}/poke")
    assert (answer.status_code, answer.content) == (204, b"")
    assert "content-length" not in answer.headers
    assert "content-type" not in answer.headers


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        ("limit=", "limit"),
        ("limit=1&limit=2", "limit"),
        ("after=" + "x" * 501, "after"),
        ("after=%00", "after"),
        ("isOld=perhaps", "isOld"),
    ],
)
async def test_a_query_parameter_that_cannot_be_is_400_and_named(
    site: httpx.AsyncClient, query: str, name: str
) -> None:
    answer = await site.get(f"{THINGS}?{query}")
    assert (answer.status_code, answer.json()["details"]["parameter"]) == (400, name)
    assert name in answer.json()["message"]


@pytest.mark.parametrize("query", ["after=%ff", "&".join("a=b" for _ in range(101))])
async def test_a_query_that_cannot_be_read_is_400(site: httpx.AsyncClient, query: str) -> None:
    url = httpx.URL("http://localhost").copy_with(raw_path=f"{THINGS}?{query}".encode())
    assert (await site.get(url)).json()["code"] == "BAD_REQUEST"


async def test_query_parameters_have_defaults_and_unknown_ones_are_ignored(site: httpx.AsyncClient) -> None:
    plain = (await site.get(THINGS)).json()["items"]
    assert plain == [{"name": "[]None", "size": 20}]
    asked = await site.get(f"{THINGS}?limit=5&after=z&kind=a&kind=b&isOld=true&color=red&color=blue")
    assert asked.json()["items"] == [{"name": "['a', 'b']Truez", "size": 5}]


async def test_a_list_links_to_its_next_page_with_what_was_asked_for(site: httpx.AsyncClient) -> None:
    answer = await site.get(f"{THINGS}?limit=5&kind=x%20y&kind=z")
    assert answer.json()["next"] == "a&b"
    assert answer.links["next"]["url"].startswith(f"{THINGS}?")
    again = httpx.URL(answer.links["next"]["url"]).params
    assert (again["limit"], again["after"], again.get_list("kind")) == ("5", "a&b", ["x y", "z"])
    assert "isOld" not in again


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 200),
        ({"If-None-Match": '"6"'}, 200),
        ({"If-None-Match": '"7"'}, 304),
        ({"If-None-Match": 'W/"7"'}, 304),
        ({"If-None-Match": '"1", "7"'}, 304),
        ({"If-None-Match": "*"}, 304),
    ],
)
async def test_what_a_client_has_already_is_not_sent_again(
    site: httpx.AsyncClient, fields: dict[str, str], status: int
) -> None:
    answer = await site.get(f"{THINGS}/1", headers=fields)
    assert (answer.status_code, answer.headers["etag"]) == (status, '"7"')
    assert answer.headers["cache-control"] == "private, no-cache"
    assert "authorization" in answer.headers["vary"]
    assert (answer.content == b"") == (status == 304)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 200),
        ({"If-Match": '"7"'}, 200),
        ({"If-Match": "*"}, 200),
        ({"If-Match": '"6"'}, 412),
        ({"If-Match": 'W/"7"'}, 412),
        ({"If-Match": "7"}, 412),
    ],
)
async def test_a_change_holds_only_for_what_the_caller_has_seen(
    site: httpx.AsyncClient, fields: dict[str, str], status: int
) -> None:
    answer = await site.patch(f"{THINGS}/1", headers=fields)
    assert (answer.status_code, answer.headers["etag"]) == (status, '"8"' if status == 200 else '"7"')


async def test_what_an_action_refuses_is_noted(site: httpx.AsyncClient, refused: list[Any]) -> None:
    answer = await site.delete(f"{THINGS}/5")
    assert (answer.status_code, answer.json()["code"]) == (403, "INSUFFICIENT_PERMISSIONS")
    assert refused == [("alice", "DELETE /v1/namespaces/{ns}/things/{id}", f"{THINGS}/5", 3)]


async def test_answers_are_the_same_json_that_python_reads(site: httpx.AsyncClient) -> None:
    answer = await post(site, json.dumps({"name": 'ä"\u2028'}).encode())
    assert answer.json()["name"] == 'ä"\u2028'


def test_a_table_has_no_row_twice() -> None:
    row = Row("GET", "/v1/x", poke, Level.ANYONE, "Poke")
    with pytest.raises(ValueError, match="twice"):
        Table([row, row])
