import json
from typing import Any

import httpx
import pytest

from registry.oci import lists
from tests.pushing import (
    EMPTY,
    OCI_INDEX,
    OCI_MANIFEST,
    descriptor,
    digest,
    image,
    push_blob,
    push_image,
    push_manifest,
)


def code(answer: httpx.Response) -> tuple[int, str]:
    [error] = answer.json()["errors"]
    assert error["message"].endswith((".", "…"))
    return answer.status_code, error["code"]


def body(**more: Any) -> bytes:
    return json.dumps(json.loads(image()) | more).encode()


INVALID, BAD_DIGEST = (400, "MANIFEST_INVALID"), (400, "DIGEST_INVALID")
MANIFESTS: list[tuple[str, bytes, str | None, tuple[int, str]]] = [
    ("not JSON", b"{", OCI_MANIFEST, (400, "MANIFEST_INVALID")),
    ("not an object", b"[]", OCI_MANIFEST, (400, "MANIFEST_INVALID")),
    ("two objects", b"{}{}", OCI_MANIFEST, (400, "MANIFEST_INVALID")),
    ("a byte order mark", b"\xef\xbb\xbf" + body(), OCI_MANIFEST, (400, "MANIFEST_INVALID")),
    ("UTF-16", body().decode().encode("utf-16"), OCI_MANIFEST, (400, "MANIFEST_INVALID")),
    ("not UTF-8", b'{"a":"\xff"}', OCI_MANIFEST, (400, "MANIFEST_INVALID")),
    ("duplicate keys", body()[:-1] + b',"layers":[]}', OCI_MANIFEST, (400, "MANIFEST_INVALID")),
    ("a depth bomb", b'{"a":' + b"[" * 100_000, OCI_MANIFEST, (400, "MANIFEST_INVALID")),
    ("depth 65", b'{"a":' + b"[" * 64 + b"]" * 64 + b"}", OCI_MANIFEST, (400, "MANIFEST_INVALID")),
    ("a million objects", b'{"a":[' + b"{}," * 1_000_000 + b"0]}", OCI_MANIFEST, (400, "MANIFEST_INVALID")),
    ("a string of quotes without end", b'{"' + b'\\"' * 2_000_000, OCI_MANIFEST, (400, "MANIFEST_INVALID")),
    ("a million backslashes", b'{"' + b"\\" * 1_000_000, OCI_MANIFEST, (400, "MANIFEST_INVALID")),
    ("a number of 4 MB", b'{"a":' + b"9" * 4_000_000 + b"}", OCI_MANIFEST, (400, "MANIFEST_INVALID")),
    ("NaN", body()[:-1] + b',"x":NaN}', OCI_MANIFEST, (400, "MANIFEST_INVALID")),
    ("manifests and layers", body(manifests=[]), OCI_MANIFEST, (400, "MANIFEST_INVALID")),
    ("another mediaType", body(mediaType=OCI_INDEX), OCI_MANIFEST, (400, "MANIFEST_INVALID")),
    ("schemaVersion 1", body(schemaVersion=1), OCI_MANIFEST, (400, "MANIFEST_INVALID")),
    ("no config", b'{"schemaVersion":2,"layers":[]}', OCI_MANIFEST, (400, "MANIFEST_INVALID")),
    ("layers no array", body(layers={}), OCI_MANIFEST, (400, "MANIFEST_INVALID")),
    ("a layer no object", body(layers=["x"]), OCI_MANIFEST, (400, "MANIFEST_INVALID")),
    (
        "annotations of a referrer that fill a list",
        body(subject={"mediaType": "a/b", "size": 1, "digest": digest(b"x")}, annotations={"a": "\1" * 180_000}),
        OCI_MANIFEST,
        (400, "MANIFEST_INVALID"),
    ),
    ("a size that is no integer", body(layers=[descriptor(b"x") | {"size": 1.0}]), OCI_MANIFEST, INVALID),
    ("a size that is true", body(layers=[descriptor(b"x") | {"size": True}]), OCI_MANIFEST, INVALID),
    ("a size of 2^63", body(layers=[descriptor(b"x") | {"size": 2**63}]), OCI_MANIFEST, (400, "SIZE_INVALID")),
    (
        "a digest in capitals",
        body(layers=[descriptor(b"x") | {"digest": digest(b"x").upper()}]),
        OCI_MANIFEST,
        BAD_DIGEST,
    ),
    (
        "a digest of no known algorithm",
        body(layers=[descriptor(b"x") | {"digest": "md5:" + "0" * 32}]),
        OCI_MANIFEST,
        BAD_DIGEST,
    ),
    ("a line break in an annotation's key", body(annotations={"a\r\nb": ""}), OCI_MANIFEST, INVALID),
    ("a line break in a layer's type", body(layers=[descriptor(b"x", "a/b\nc")]), OCI_MANIFEST, INVALID),
    ("a config that is null", body(config=None), OCI_MANIFEST, INVALID),
    ("a subject without a size", body(subject={"mediaType": "a/b", "digest": digest(b"x")}), OCI_MANIFEST, INVALID),
    ("annotations no map", body(annotations={"a": 1}), OCI_MANIFEST, (400, "MANIFEST_INVALID")),
    ("a line break in artifactType", body(artifactType="a/b\r\nX: y"), OCI_MANIFEST, (400, "MANIFEST_INVALID")),
    (
        "a traversal as digest",
        body(layers=[{"mediaType": "a/b", "size": 1, "digest": "sha256:../../etc"}]),
        OCI_MANIFEST,
        (400, "DIGEST_INVALID"),
    ),
    (
        "a negative size",
        body(layers=[{"mediaType": "a/b", "size": -1, "digest": digest(b"x")}]),
        OCI_MANIFEST,
        (400, "SIZE_INVALID"),
    ),
    (
        "a wrong size",
        body(config={"mediaType": "a/b", "size": 3, "digest": digest(EMPTY)}),
        OCI_MANIFEST,
        (400, "SIZE_INVALID"),
    ),
    (
        "an unknown blob",
        body(layers=[{"mediaType": "a/b", "size": 1, "digest": digest(b"x")}]),
        OCI_MANIFEST,
        (400, "MANIFEST_BLOB_UNKNOWN"),
    ),
    ("an unknown type", body(), "text/plain", (415, "MANIFEST_INVALID")),
    ("over 4 MiB", body()[:-1] + b" " * (4 << 20) + b"}", OCI_MANIFEST, (413, "SIZE_INVALID")),
]


@pytest.mark.parametrize(
    ("raw", "media_type", "wanted"), [row[1:] for row in MANIFESTS], ids=[row[0] for row in MANIFESTS]
)
async def test_a_bad_manifest_is_refused_and_leaves_nothing(
    client: httpx.AsyncClient, raw: bytes, media_type: str, wanted: tuple[int, str]
) -> None:
    await push_blob(client, "a", EMPTY)
    assert code(await push_manifest(client, "a", raw, "t", media_type)) == wanted
    assert (await client.get("/v2/a/tags/list")).json()["tags"] == []


async def test_a_manifest_of_exactly_4_mib_is_taken(client: httpx.AsyncClient) -> None:
    await push_blob(client, "a", EMPTY)
    raw = image()
    raw = raw[:-1] + b" " * ((4 << 20) - len(raw)) + b"}"
    assert (await push_manifest(client, "a", raw)).status_code == 201


@pytest.mark.parametrize("name", ["A", "a//b", "-a", "a/", "a" * 256, "a..b", "%2e%2e", "a%2Fb", "a%00", "%ff"])
async def test_an_illegal_name_never_reaches_storage(client: httpx.AsyncClient, name: str) -> None:
    for method, path in (("GET", "tags/list"), ("GET", f"blobs/{digest(b'')}"), ("POST", "blobs/uploads/")):
        answer = await client.request(method, f"/v2/{name}/{path}")
        assert code(answer) == (400, "NAME_INVALID")


@pytest.mark.parametrize("tag", [".a", "-a", "a" * 129, "a b", "ä"])
async def test_an_illegal_tag_is_refused(client: httpx.AsyncClient, tag: str) -> None:
    assert code(await client.get(f"/v2/a/manifests/{tag}")) == (400, "MANIFEST_INVALID")
    await push_blob(client, "a", EMPTY)
    for wrong in (tag, ""):
        answer = await client.put(f"/v2/a/manifests/{digest(image())}", params={"tag": ["ok", wrong]}, content=image())
        assert code(answer) == (400, "MANIFEST_INVALID")
    assert (await client.get("/v2/a/tags/list")).json()["tags"] == []
    assert (await client.get(f"/v2/a/manifests/{digest(image())}")).status_code == 404


@pytest.mark.parametrize(
    "named", ["sha256:", "sha256:xyz", "md5:" + "0" * 32, "sha256:" + "A" * 64, "sha512:" + "0" * 64]
)
async def test_an_illegal_digest_is_refused_everywhere(client: httpx.AsyncClient, named: str) -> None:
    for path in ("blobs", "manifests", "referrers"):
        assert code(await client.get(f"/v2/a/{path}/{named}")) == (400, "DIGEST_INVALID")
    for query in ({"digest": named}, {"mount": named}):
        answer = await client.post("/v2/a/blobs/uploads/", params=query, content=b"x")
        assert code(answer) == (400, "DIGEST_INVALID")
    assert code(await client.post("/v2/a/blobs/uploads/?digest-algorithm=md5")) == (400, "DIGEST_INVALID")


@pytest.mark.parametrize("n", ["-1", "x", "", "1.5", "1e3", "٣"])
async def test_a_page_size_that_is_no_count_is_refused(client: httpx.AsyncClient, n: str) -> None:
    await push_image(client, "a")
    for path in ("/v2/_catalog", "/v2/a/tags/list"):
        assert code(await client.get(path, params={"n": n})) == (400, "UNSUPPORTED")


async def test_a_huge_page_is_cut_and_an_empty_one_is_empty(client: httpx.AsyncClient) -> None:
    await push_image(client, "a")
    assert (await client.get("/v2/a/tags/list?n=99999999999999999999")).json()["tags"] == ["latest"]
    empty = await client.get("/v2/a/tags/list?n=0")
    assert (empty.json()["tags"], "link" in empty.headers) == ([], False)


@pytest.mark.parametrize(
    ("stated", "wanted"),
    [
        ("x", (400, "BLOB_UPLOAD_INVALID")),
        ("5", (400, "BLOB_UPLOAD_INVALID")),
        ("0-3", (400, "SIZE_INVALID")),
        ("9-1", (400, "SIZE_INVALID")),
        ("7-11", (416, "BLOB_UPLOAD_INVALID")),
        ("0-99999999999999999999999", (400, "BLOB_UPLOAD_INVALID")),
    ],
)
async def test_a_hostile_content_range_leaves_the_session_where_it_is(
    client: httpx.AsyncClient, stated: str, wanted: tuple[int, str]
) -> None:
    place = (await client.post("/v2/a/blobs/uploads/")).headers["location"]
    answer = await client.patch(place, content=b"12345", headers={"Content-Range": stated})
    assert code(answer) == wanted
    assert (await client.get(place)).headers["range"] == "0-0"
    assert (await client.put(place, params={"digest": digest(b"12345")}, content=b"12345")).status_code == 201


async def test_a_session_belongs_to_its_repository(client: httpx.AsyncClient) -> None:
    place = (await client.post("/v2/a/blobs/uploads/")).headers["location"]
    await client.post("/v2/b/blobs/uploads/")
    foreign = place.replace("/v2/a/", "/v2/b/")
    for answer in (await client.get(foreign), await client.patch(foreign, content=b"x"), await client.delete(foreign)):
        assert code(answer) == (404, "BLOB_UPLOAD_UNKNOWN")
    spelled = place.rpartition("/")[2]
    for other in ("no-uuid", "%00", f"{{{spelled}}}", spelled.replace("-", ""), spelled.upper()):
        assert code(await client.patch(f"/v2/a/blobs/uploads/{other}")) == (404, "BLOB_UPLOAD_UNKNOWN")
    assert (await client.delete(place)).status_code == 204
    assert (await client.get(place)).status_code == 404


async def test_a_method_that_is_none_names_those_that_are(client: httpx.AsyncClient) -> None:
    for method, path, allowed in (
        ("POST", "/v2/a/manifests/x", "PUT"),
        ("PUT", "/v2/a/tags/list", "GET"),
        ("DELETE", "/v2/", "GET"),
        ("GET", "/v2/a/blobs/uploads/", "POST"),
        ("PATCH", f"/v2/a/blobs/{digest(b'')}", "DELETE"),
    ):
        answer = await client.request(method, path)
        assert code(answer) == (405, "UNSUPPORTED")
        assert allowed in answer.headers["allow"]
    assert (await client.get("/v2/a/nothing")).status_code == 404


async def test_a_page_of_a_stranger_cannot_reach_an_open_registry(client: httpx.AsyncClient) -> None:
    for headers in (
        {"Host": "evil.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "[::1"},
    ):
        assert code(await client.get("/v2/", headers=headers)) == (403, "DENIED")
    for headers in (
        {"Host": "localhost:5000"},
        {"Host": "[::1]:80"},
        {"Host": "10.1.2.3"},
        {"Origin": "http://localhost"},
    ):
        assert (await client.get("/v2/", headers=headers)).status_code == 200


async def test_several_tags_come_all_or_none(client: httpx.AsyncClient) -> None:
    await push_blob(client, "a", EMPTY)
    place, raw = f"/v2/a/manifests/{digest(image())}", image()
    headers = {"Content-Type": OCI_MANIFEST}
    many = {"tag": [f"t{n}" for n in range(101)]}
    assert (await client.put(place, params=many, content=raw, headers=headers)).status_code == 414
    by_tag = await client.put("/v2/a/manifests/x", params={"tag": "y"}, content=raw, headers=headers)
    assert by_tag.status_code == 400
    assert (await client.get("/v2/a/tags/list")).json()["tags"] == []


async def test_a_full_disk_is_told_and_reading_goes_on(client: httpx.AsyncClient, shelf: Any) -> None:
    named = await push_image(client, "a", b"x")
    place = (await client.post("/v2/a/blobs/uploads/")).headers["location"]
    shelf.store._reserve = 1 << 62
    for answer in (
        await client.post("/v2/a/blobs/uploads/"),
        await client.patch(place, content=b"more"),
        await push_manifest(client, "a", image()),
    ):
        assert code(answer) == (507, "STORAGE_FULL")
    assert (await client.get(f"/v2/a/manifests/{named}")).status_code == 200
    assert (await client.delete(f"/v2/a/manifests/{named}")).status_code == 202
    shelf.store._reserve = 0
    assert (await client.put(place, params={"digest": digest(b"more")}, content=b"more")).status_code == 201


async def test_a_nul_in_a_query_is_no_failure(client: httpx.AsyncClient) -> None:
    named = await push_image(client, "a")
    filtered = await client.get(f"/v2/a/referrers/{named}?artifactType=%00")
    assert (filtered.status_code, filtered.json()["manifests"]) == (200, [])
    assert (await client.get("/v2/a/tags/list?last=%00")).json()["tags"] == ["latest"]
    assert (await client.post(f"/v2/a/blobs/uploads/?mount={digest(b'')}&from=%00")).status_code == 202
    assert (await client.get(f"/v2/a/referrers/{named}?last=%00")).status_code == 400


async def test_no_count_of_referrers_is_a_failure(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """None at all, or fewer than there are, while the list is longer than the registry reads at once."""
    monkeypatch.setattr(lists, "_REFERRERS", 2)
    named = await push_image(client, "a", b"x")
    for number in range(3):
        raw = image(subject=descriptor(image(b"x"), OCI_MANIFEST), annotations={"n": str(number)})
        assert (await push_manifest(client, "a", raw, digest(raw))).status_code == 201
    for count, shown in (("0", 0), ("1", 1), ("9", 2)):
        answer = await client.get(f"/v2/a/referrers/{named}", params={"n": count})
        assert (answer.status_code, len(answer.json()["manifests"])) == (200, shown)
        assert ("next" in answer.links) == (shown > 0)


async def test_more_uploads_than_a_repository_may_have_are_refused(client: httpx.AsyncClient, shelf: Any) -> None:
    object.__setattr__(shelf.policy, "max_uploads", 2)
    places = [(await client.post("/v2/a/blobs/uploads/")).headers["location"] for _ in range(2)]
    refused = await client.post("/v2/a/blobs/uploads/")
    assert code(refused) == (429, "TOOMANYREQUESTS")
    assert "retry-after" in refused.headers
    assert (await client.post("/v2/b/blobs/uploads/")).status_code == 202
    assert (await client.delete(places[0])).status_code == 204
    assert (await client.post("/v2/a/blobs/uploads/")).status_code == 202


async def test_a_blob_over_the_limit_is_refused(client: httpx.AsyncClient, shelf: Any) -> None:
    object.__setattr__(shelf.policy, "max_blob_size", 5)
    whole = await client.post("/v2/a/blobs/uploads/", params={"digest": digest(b"123456")}, content=b"123456")
    assert code(whole) == (413, "SIZE_INVALID")
    place = (await client.post("/v2/a/blobs/uploads/")).headers["location"]
    assert (await client.patch(place, content=b"12345")).status_code == 202
    assert code(await client.patch(place, content=b"6")) == (413, "SIZE_INVALID")
    assert (await client.put(place, params={"digest": digest(b"12345")})).status_code == 201


async def test_a_path_outside_the_api_is_404_and_a_wrong_method_405(client: httpx.AsyncClient) -> None:
    for path in ("/", "/nothing", "/health/"):
        assert (await client.get(path)).status_code == 404
    wrong = await client.post("/health")
    assert (wrong.status_code, "GET" in wrong.headers["allow"]) == (405, True)
