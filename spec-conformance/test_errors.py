"""Errors: their envelope and codes, methods, and names, tags and digests that are none."""

import re
from collections.abc import Callable

import httpx
import pytest
from clauses import MUST, RULING, SHOULD, clause
from client import Repository, codes, expect
from data import MANIFEST, Content, Maker

ENVELOPE = "Error Codes"
METHODS = "API: HTTP semantics of RFC 9110"
NAMES = "Pulling manifests: names"
CODE = re.compile(r"[A-Z_]+")
KNOWN = {
    "BLOB_UNKNOWN",
    "BLOB_UPLOAD_INVALID",
    "BLOB_UPLOAD_UNKNOWN",
    "DIGEST_INVALID",
    "MANIFEST_BLOB_UNKNOWN",
    "MANIFEST_INVALID",
    "MANIFEST_UNKNOWN",
    "NAME_INVALID",
    "NAME_UNKNOWN",
    "SIZE_INVALID",
    "UNAUTHORIZED",
    "DENIED",
    "UNSUPPORTED",
    "TOOMANYREQUESTS",
}
"""The codes of the specification; TAG_INVALID and MANIFEST_UNVERIFIED are allowed as older than it."""
OLDER = {"TAG_INVALID", "MANIFEST_UNVERIFIED"}
ABSENT = "sha256:" + "0" * 64

Call = Callable[[Repository], httpx.Response]


def _bad_referrers(here: Repository) -> httpx.Response:
    here.referrers(ABSENT)
    return here.call("GET", "referrers/sha256:short")


REFUSALS: dict[str, tuple[str, Call]] = {
    "blob unknown": ("BLOB_UNKNOWN", lambda here: here.blob(ABSENT)),
    "blob of no digest": ("DIGEST_INVALID", lambda here: here.blob("sha256:short")),
    "manifest unknown by tag": ("MANIFEST_UNKNOWN", lambda here: here.manifest("none")),
    "manifest unknown by digest": ("MANIFEST_UNKNOWN", lambda here: here.manifest(ABSENT)),
    "manifest is no json": (
        "MANIFEST_INVALID",
        lambda here: here.call("PUT", "manifests/bad", content=b"{", headers={"Content-Type": MANIFEST}),
    ),
    "manifest of another digest": (
        "DIGEST_INVALID",
        lambda here: here.put(ABSENT, Content(MANIFEST, here.manifest("here").content)),
    ),
    "upload unknown": ("BLOB_UPLOAD_UNKNOWN", lambda here: here.call("GET", "blobs/uploads/none")),
    "upload of another digest": ("DIGEST_INVALID", lambda here: here.session().put(ABSENT, b"x")),
    "upload of no digest": ("DIGEST_INVALID", lambda here: here.session().put("nonsense", b"x")),
    "referrers of no digest": ("DIGEST_INVALID", _bad_referrers),
    "delete of an unknown manifest": ("MANIFEST_UNKNOWN", lambda here: here.call("DELETE", f"manifests/{ABSENT}")),
    "delete of an unknown blob": ("BLOB_UNKNOWN", lambda here: here.call("DELETE", f"blobs/{ABSENT}")),
    "tags of an unknown repository": (
        "NAME_UNKNOWN",
        lambda here: Repository(here.http, here.root, f"{here.name}/none").tags(),
    ),
    "name in capitals": ("NAME_INVALID", lambda here: Repository(here.http, here.root, "Upper/Case").tags()),
}
each_refusal = pytest.mark.parametrize("name", REFUSALS)


@pytest.fixture(scope="module")
def here(request: pytest.FixtureRequest, new_repository: Callable[[str], Repository]) -> Repository:
    """A repository that exists, with one image; no test here changes it."""
    repository = new_repository("here")
    repository.push(Maker(f"{request.config.option.seed} here").image(), "here")
    return repository


@clause("-", ENVELOPE)
@each_refusal
def test_an_error_in_json_has_the_envelope(name: str, here: Repository) -> None:
    response = REFUSALS[name][1](here)
    assert 400 <= response.status_code < 500
    if "json" not in response.headers.get("Content-Type", ""):
        return
    errors = response.json()["errors"]
    assert errors
    for error in errors:
        assert CODE.fullmatch(error["code"])
        assert isinstance(error.get("message", ""), str)


@clause("-", ENVELOPE)
@each_refusal
def test_an_error_has_a_code_of_the_specification(name: str, here: Repository) -> None:
    response = REFUSALS[name][1](here)
    assert set(codes(response)) <= KNOWN | OLDER


@clause("-", ENVELOPE)
def test_a_count_that_is_none_has_a_code_of_the_specification(here: Repository) -> None:
    assert set(codes(here.tags(n="-1"))) <= KNOWN | OLDER


@clause("-", ENVELOPE, SHOULD)
@each_refusal
def test_an_error_has_the_code_that_fits(name: str, here: Repository) -> None:
    code, call = REFUSALS[name]
    response = call(here)
    assert code in codes(response), f"{response.status_code} {codes(response)}"


@clause("-", ENVELOPE, RULING)
@each_refusal
def test_an_error_is_one_error_in_json_with_the_api_version(name: str, here: Repository) -> None:
    code, call = REFUSALS[name]
    response = call(here)
    assert codes(response) == [code]
    assert response.headers["Content-Type"].split(";")[0] == "application/json"
    assert response.headers["Docker-Distribution-API-Version"] == "registry/2.0"
    assert response.headers["Content-Length"] == str(len(response.content))


@clause("-", ENVELOPE)
@pytest.mark.parametrize("rest", [f"blobs/{ABSENT}", "manifests/none", f"manifests/{ABSENT}"])
def test_an_error_on_head_has_no_body(rest: str, here: Repository) -> None:
    assert expect(here.call("HEAD", rest), 404).content == b""


METHOD_ROWS = [
    ("POST", f"blobs/{ABSENT}"),
    ("PUT", f"blobs/{ABSENT}"),
    ("PATCH", f"blobs/{ABSENT}"),
    ("POST", "manifests/here"),
    ("PATCH", "manifests/here"),
    ("POST", "tags/list"),
    ("PUT", "tags/list"),
    ("DELETE", "tags/list"),
    ("PUT", "blobs/uploads/"),
    ("PATCH", "blobs/uploads/"),
    ("GET", "blobs/uploads/"),
    ("DELETE", "blobs/uploads/"),
    ("POST", f"referrers/{ABSENT}"),
    ("DELETE", f"referrers/{ABSENT}"),
    ("TRACE", "manifests/here"),
    ("BREW", "manifests/here"),
]


@clause("-", METHODS, SHOULD)
@pytest.mark.parametrize(("method", "rest"), METHOD_ROWS)
def test_a_method_that_no_endpoint_has_is_refused_and_changes_nothing(method: str, rest: str, here: Repository) -> None:
    expect(here.call(method, rest), 400, 404, 405, 501)
    expect(here.manifest("here"), 200)


@clause("-", METHODS, RULING)
@pytest.mark.parametrize(("method", "rest"), [row for row in METHOD_ROWS if row[0] != "BREW"])
def test_such_a_method_is_405_with_the_methods_that_there_are(method: str, rest: str, here: Repository) -> None:
    response = expect(here.call(method, rest), 405)
    allowed = {word.strip() for word in response.headers["Allow"].split(",")}
    assert allowed
    assert method not in allowed
    assert codes(response) == ["UNSUPPORTED"]


BAD_NAMES = [
    "Upper",
    "a/B",
    "-a",
    "a-",
    "a..b",
    "a___b",
    "a/-b",
    "a/.b",
    "_a",
    "a._b",
    "a b",
    "ä",
    "a:b",
    "a@b",
    "a\\b",
    "a%b",
    "a+b",
    "~",
]


def named(here: Repository, name: str) -> Repository:
    """A repository of that name, encoded as a path needs it."""
    encoded = httpx.URL("http://x/").copy_with(path=f"/{name}").raw_path.decode()[1:]
    return Repository(here.http, here.root, encoded)


@clause("-", NAMES)
@pytest.mark.parametrize("name", BAD_NAMES)
def test_nothing_can_be_pushed_under_a_name_that_is_none(name: str, here: Repository) -> None:
    expect(named(here, name).start(), 400, 404)


@clause("-", NAMES, RULING)
@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_is_none_is_called_so_everywhere(name: str, here: Repository) -> None:
    there = named(here, name)
    for response in (there.start(), there.tags(), there.manifest("latest"), there.blob(ABSENT)):
        assert codes(expect(response, 400)) == ["NAME_INVALID"]


@clause("-", NAMES)
@pytest.mark.parametrize("name", ["a", "0", "a/b/c/d/e/f", "a.b", "a_b", "a__b", "a---b", "a-b.c_d", "a/0", "9.9"])
def test_every_legal_name_is_taken(name: str, here: Repository, make: Maker) -> None:
    there = Repository(here.http, here.root, f"{here.name}/{name}")
    image = there.push(make.image(), "here")
    assert there.manifest("here").content == image.body
    assert there.tags().json() == {"name": there.name, "tags": ["here"]}


@clause("-", NAMES, RULING)
def test_a_name_has_255_characters_at_most(here: Repository, make: Maker) -> None:
    room = 255 - len(here.name) - 1
    longest = Repository(here.http, here.root, f"{here.name}/{'n' * room}")
    longest.push(make.image(), "here")
    expect(longest.manifest("here"), 200)
    response = expect(Repository(here.http, here.root, f"{longest.name}n").start(), 400)
    assert codes(response) == ["NAME_INVALID"]


@clause("-", NAMES)
@pytest.mark.parametrize("word", ["blobs", "manifests", "tags", "referrers", "uploads", "list", "v2"])
def test_a_name_may_contain_the_words_of_the_api(word: str, here: Repository, make: Maker) -> None:
    for name in (f"{here.name}/{word}", f"{here.name}/{word}/{word}"):
        there = Repository(here.http, here.root, name)
        image = there.push(make.image(), "here")
        assert there.manifest("here").content == image.body
        assert there.tags().json()["name"] == name


@clause("end-3", NAMES, MUST)
@pytest.mark.parametrize("tag", ["-x", ".x", "a" * 129, "a b", "ä", "a+b", "a%b", "a@b", "a$"])
def test_a_tag_that_is_none_is_neither_set_nor_found(tag: str, here: Repository) -> None:
    encoded = named(here, tag).name
    image = here.manifest("here")
    headers = {"Content-Type": MANIFEST}
    expect(here.call("PUT", f"manifests/{encoded}", content=image.content, headers=headers), 400, 404)
    expect(here.manifest(encoded), 400, 404)
    assert here.tags().json()["tags"] == ["here"]


@clause("end-3", NAMES, RULING)
@pytest.mark.parametrize("tag", ["-x", ".x", "a" * 129, "a b", "ä"])
def test_a_tag_that_is_none_is_400(tag: str, here: Repository) -> None:
    encoded = named(here, tag).name
    image = here.manifest("here")
    headers = {"Content-Type": MANIFEST}
    expect(here.call("PUT", f"manifests/{encoded}", content=image.content, headers=headers), 400)
    expect(here.manifest(encoded), 400)
