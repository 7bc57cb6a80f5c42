"""end-2 with a Range header: RFC 9110, section 14."""

from collections.abc import Callable

import httpx
import pytest
from clauses import RULING, SHOULD, clause, unsupported
from client import Repository, described, expect
from data import Content, Maker

RANGES = "Pulling blobs: Range"
SIZE = 2048

Get = Callable[..., httpx.Response]


@pytest.fixture(params=["sha256", "sha512"])
def blob(request: pytest.FixtureRequest, repository: Repository, make: Maker) -> Content:
    """A blob of SIZE bytes in the repository, by either algorithm."""
    blob = make.blob(SIZE, request.param)
    repository.push_blob(blob)
    return blob


@pytest.fixture
def get(repository: Repository, blob: Content) -> Get:
    """GET of the blob with a Range; a registry that gives the whole blob does not support ranges."""

    def get(ranges: str, method: str = "GET", **headers: str) -> httpx.Response:
        response = repository.blob(blob.digest, method, Range=ranges, Accept_Encoding="identity", **headers)
        if method == "GET" and response.status_code == 200:
            plain = repository.blob(blob.digest, Range="bytes=0-0")
            if plain.status_code == 200:
                unsupported(described(plain, "206"))
        return response

    return get


@clause("end-2", RANGES, SHOULD)
@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("500-1499", 500, 1499),
        ("500-", 500, SIZE - 1),
        ("-500", SIZE - 500, SIZE - 1),
        ("2000-5000", 2000, SIZE - 1),
        ("0-0", 0, 0),
        ("0-", 0, SIZE - 1),
        (f"{SIZE - 1}-", SIZE - 1, SIZE - 1),
        ("-1", SIZE - 1, SIZE - 1),
        ("-9999", 0, SIZE - 1),
        ("0-99999999999999999999999", 0, SIZE - 1),
    ],
)
def test_a_range_gives_these_bytes(asked: str, first: int, last: int, get: Get, blob: Content) -> None:
    response = expect(get(f"bytes={asked}"), 206)
    assert response.content == blob.body[first : last + 1]
    assert response.headers["Content-Length"] == str(last - first + 1)
    assert response.headers["Content-Range"] in {f"bytes {first}-{last}/{SIZE}", f"bytes {first}-{last}/*"}


@clause("end-2", RANGES, SHOULD)
@pytest.mark.parametrize("asked", ["5000-10000", f"{SIZE}-", "-0"])
def test_a_range_beyond_the_end_is_416(asked: str, get: Get) -> None:
    expect(get(f"bytes={asked}"), 416)


@clause("end-2", RANGES, SHOULD)
def test_an_inverted_range_is_416(get: Get) -> None:
    expect(get("bytes=500-0"), 416)


@clause("end-2", RANGES, RULING)
@pytest.mark.parametrize("asked", ["5000-10000", "500-0"])
def test_a_416_tells_the_size(asked: str, get: Get) -> None:
    assert expect(get(f"bytes={asked}"), 416).headers.get("Content-Range") == f"bytes */{SIZE}"


@clause("end-2", RANGES, RULING)
@pytest.mark.parametrize("asked", ["0-9,20-29", "0-0,-1", "5000-6000,0-1", "0-1, 3-4 ,6-7"])
def test_several_ranges_give_the_whole_blob(asked: str, get: Get, blob: Content) -> None:
    response = expect(get(f"bytes={asked}"), 200)
    assert response.content == blob.body
    assert "Content-Range" not in response.headers


@clause("end-2", RANGES, RULING)
@pytest.mark.parametrize("asked", ["lines=0-9", "bytes", "bytes=", "bytes=a-b", "bytes=1", "bytes=--5", "0-9"])
def test_a_range_that_cannot_be_read_is_ignored(asked: str, get: Get, blob: Content) -> None:
    assert expect(get(asked), 200).content == blob.body


@clause("end-2", RANGES, SHOULD)
@pytest.mark.parametrize("asked", ["bytes=0-9", "bytes=5000-"])
def test_a_range_on_head_is_ignored(asked: str, get: Get) -> None:
    response = expect(get(asked, "HEAD"), 200)
    assert response.headers["Content-Length"] == str(SIZE)
    assert "Content-Range" not in response.headers


@clause("end-2", RANGES, RULING)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_blob_says_that_it_takes_ranges(method: str, repository: Repository, blob: Content) -> None:
    assert repository.blob(blob.digest, method).headers.get("Accept-Ranges") == "bytes"


@clause("end-2", RANGES, RULING)
def test_a_part_carries_the_digest_and_the_etag_of_the_whole(get: Get, blob: Content) -> None:
    response = expect(get("bytes=10-19"), 206)
    assert response.headers.get("Docker-Content-Digest") == blob.digest
    assert response.headers.get("ETag") == f'"{blob.digest}"'


@clause("end-2", RANGES, RULING)
def test_if_range_with_another_tag_gives_the_whole_blob(get: Get, blob: Content) -> None:
    assert expect(get("bytes=0-9", If_Range='"sha256:other"'), 200).content == blob.body
    assert expect(get("bytes=0-9", If_Range=f'"{blob.digest}"'), 206).content == blob.body[:10]


@clause("end-2", RANGES, RULING)
def test_any_range_of_an_empty_blob_is_416(repository: Repository) -> None:
    empty = Content("application/octet-stream", b"")
    repository.push_blob(empty)
    expect(repository.blob(empty.digest, Range="bytes=0-"), 416)


@clause("end-2", "Use Cases: Resumable Pull", SHOULD)
def test_an_interrupted_pull_goes_on_where_it_stopped(repository: Repository, get: Get, blob: Content) -> None:
    with repository.http.stream("GET", repository.url(f"blobs/{blob.digest}")) as response:
        part = next(response.iter_raw(700))
    rest = expect(get(f"bytes={len(part)}-"), 206) if len(part) < SIZE else None
    assert part + (rest.content if rest else b"") == blob.body


@clause("end-3", "Pulling manifests", RULING)
def test_a_range_on_a_manifest_is_ignored(repository: Repository, make: Maker) -> None:
    image = repository.push(make.image(), "here")
    assert expect(repository.manifest("here", Range="bytes=0-9"), 200).content == image.body
