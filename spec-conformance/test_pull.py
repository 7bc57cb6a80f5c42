"""end-2 and end-3: pulling, and asking whether something is there."""

import pytest
from clauses import DEV, MAY, MUST, RULING, SHOULD, clause, unsupported
from client import Repository, codes, expect
from data import INDEX, MANIFEST, Content, Maker, digest_of

BLOBS = "Pulling blobs"
MANIFESTS = "Pulling manifests"
EXISTS = "Checking if content exists in the registry"
SEMANTICS = "API: HTTP semantics of RFC 9110"
CONNECTION = {"date", "connection", "keep-alive", "x-request-id", "server", "transfer-encoding"}


@pytest.fixture
def image(repository: Repository, make: Maker) -> Content:
    """The manifest of an image that the repository holds under the tag `here`."""
    return repository.push(make.image(), "here")


@pytest.fixture
def blob(repository: Repository, make: Maker) -> Content:
    """A blob that the repository holds."""
    blob = make.blob(3000)
    repository.push_blob(blob)
    return blob


@clause("end-2", BLOBS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_blob_that_is_not_here_is_404(method: str, repository: Repository, blob: Content, make: Maker) -> None:
    expect(repository.blob(make.blob().digest, method), 404)


@clause("end-2", BLOBS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_blob_of_another_repository_is_404_here(
    method: str, repository: Repository, blob: Content, other: Repository, make: Maker
) -> None:
    other.push_blob(make.blob())
    expect(other.blob(blob.digest, method), 404)


@clause("end-2", BLOBS)
def test_a_blob_of_an_unknown_repository_is_404(repository: Repository, make: Maker) -> None:
    expect(repository.blob(make.blob().digest), 404)


@clause("end-3", MANIFESTS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_manifest_that_is_not_here_is_404_by_tag_and_digest(
    method: str, repository: Repository, image: Content, make: Maker
) -> None:
    expect(repository.manifest(make.word(), method), 404)
    expect(repository.manifest(make.blob().digest, method), 404)


@clause("end-3", "Pushing Manifests")
def test_a_manifest_of_an_unknown_repository_is_404(repository: Repository) -> None:
    expect(repository.manifest("latest"), 404)


@clause("end-3", MANIFESTS)
def test_a_blob_is_no_manifest_of_that_digest(repository: Repository, blob: Content) -> None:
    expect(repository.manifest(blob.digest), 404)


@clause("end-3", MANIFESTS, RULING)
def test_a_manifest_is_no_blob_of_that_digest(repository: Repository, image: Content) -> None:
    expect(repository.blob(image.digest), 404)


@clause("end-3", EXISTS)
def test_head_of_a_manifest_has_the_headers_of_its_get(repository: Repository, image: Content) -> None:
    for reference in ("here", image.digest):
        got = expect(repository.manifest(reference), 200).headers
        headed = expect(repository.manifest(reference, "HEAD"), 200).headers
        assert {k: v for k, v in headed.items() if k not in CONNECTION} == {
            k: v for k, v in got.items() if k not in CONNECTION
        }


@clause("end-2", EXISTS)
def test_head_of_a_blob_has_the_headers_of_its_get(repository: Repository, blob: Content) -> None:
    got = expect(repository.blob(blob.digest, Accept_Encoding="identity"), 200).headers
    headed = expect(repository.blob(blob.digest, "HEAD", Accept_Encoding="identity"), 200).headers
    assert {k: v for k, v in headed.items() if k not in CONNECTION} == {
        k: v for k, v in got.items() if k not in CONNECTION
    }


@clause("end-2", BLOBS, MUST, DEV)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_blob_names_its_digest(method: str, repository: Repository, blob: Content) -> None:
    assert repository.blob(blob.digest, method).headers.get("Docker-Content-Digest") == blob.digest


@clause("end-3", MANIFESTS, MUST, DEV)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_manifest_by_tag_names_its_digest(method: str, repository: Repository, image: Content) -> None:
    assert repository.manifest("here", method).headers.get("Docker-Content-Digest") == image.digest


@clause("end-2", EXISTS)
def test_an_empty_blob_says_that_its_length_is_0(repository: Repository) -> None:
    empty = Content("application/octet-stream", b"")
    repository.push_blob(empty)
    for method in ("GET", "HEAD"):
        response = expect(repository.blob(empty.digest, method), 200)
        assert response.headers.get("Content-Length") == "0"
        assert response.content == b""


@clause("end-3", MANIFESTS, SHOULD)
def test_the_content_type_has_no_parameter(repository: Repository, image: Content) -> None:
    assert ";" not in repository.manifest("here").headers["Content-Type"]


@clause("end-3", MANIFESTS, RULING)
@pytest.mark.parametrize(
    "accept", [INDEX, "text/html", "*/*", "application/json;q=0", "", "nonsense", f"{INDEX}, text/plain;q=0.1"]
)
def test_accept_never_changes_or_refuses_what_was_pushed(accept: str, repository: Repository, image: Content) -> None:
    for method in ("GET", "HEAD"):
        response = expect(repository.manifest("here", method, Accept=accept), 200)
        assert response.headers["Content-Type"] == MANIFEST
        assert response.headers["Content-Length"] == str(len(image.body))


@clause("end-3", MANIFESTS, RULING)
def test_an_index_is_never_resolved_to_one_of_its_images(repository: Repository, make: Maker) -> None:
    index = repository.push(make.platforms(), "many")
    assert expect(repository.manifest("many", Accept=MANIFEST), 200).content == index.body


@clause("end-3", SEMANTICS, MAY)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_manifest_that_the_client_has_is_304(method: str, repository: Repository, image: Content) -> None:
    etag = repository.manifest("here").headers.get("ETag")
    if etag is None:
        unsupported("no ETag")
    response = expect(repository.manifest("here", method, If_None_Match=etag), 304)
    assert response.content == b""
    assert response.headers.get("ETag", etag) == etag


@clause("end-2", SEMANTICS, MAY)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_blob_that_the_client_has_is_304(method: str, repository: Repository, blob: Content) -> None:
    etag = repository.blob(blob.digest).headers.get("ETag")
    if etag is None:
        unsupported("no ETag")
    expect(repository.blob(blob.digest, method, If_None_Match=etag), 304)


@clause("end-3", SEMANTICS, RULING)
def test_the_etag_is_the_digest_in_quotes_and_a_304_names_it(
    repository: Repository, image: Content, blob: Content
) -> None:
    for response in (
        repository.manifest("here", If_None_Match=f'"{image.digest}"'),
        repository.manifest(image.digest, If_None_Match=f'"{image.digest}"'),
    ):
        assert expect(response, 304).headers["ETag"] == f'"{image.digest}"'
        assert response.headers["Docker-Content-Digest"] == image.digest
    assert repository.blob(blob.digest).headers["ETag"] == f'"{blob.digest}"'


@clause("end-3", SEMANTICS, RULING)
@pytest.mark.parametrize(
    ("condition", "status"),
    [('"nothing", {}', 304), ("W/{}", 304), ("*", 304), ('"nothing"', 200), ("nonsense", 200), ("", 200)],
)
def test_if_none_match_is_read_as_rfc_9110_says(
    condition: str, status: int, repository: Repository, image: Content
) -> None:
    etag = f'"{image.digest}"'
    expect(repository.manifest("here", If_None_Match=condition.format(etag)), status)


@clause("end-3", MANIFESTS)
def test_a_moved_tag_gives_the_new_manifest_at_once(repository: Repository, image: Content, make: Maker) -> None:
    later = repository.push(make.image(), "here")
    assert repository.manifest("here").content == later.body
    assert repository.manifest(image.digest).content == image.body


@clause("end-3", MANIFESTS)
def test_tags_that_differ_in_case_are_different_tags(repository: Repository, make: Maker) -> None:
    lower, upper = repository.push(make.image(), "edge"), repository.push(make.image(), "EDGE")
    assert repository.manifest("edge").content == lower.body
    assert repository.manifest("EDGE").content == upper.body


@clause("end-2", "Registry Proxying")
def test_the_parameter_ns_of_mirrors_is_no_obstacle(repository: Repository, image: Content, blob: Content) -> None:
    expect(repository.call("GET", "manifests/here", {"ns": "docker.io"}, headers={"Accept": MANIFEST}), 200)
    expect(repository.call("GET", f"blobs/{blob.digest}", {"ns": "docker.io"}), 200)


@clause("end-2", BLOBS, SHOULD)
@pytest.mark.parametrize(
    ("kind", "code"), [("blobs", "BLOB_UNKNOWN"), ("manifests", "MANIFEST_UNKNOWN")], ids=["blob", "manifest"]
)
def test_a_404_says_what_is_unknown(kind: str, code: str, repository: Repository, image: Content, make: Maker) -> None:
    assert codes(expect(repository.call("GET", f"{kind}/{make.blob().digest}"), 404)) == [code]


@clause("end-2", BLOBS, SHOULD)
def test_the_same_bytes_are_found_under_each_algorithm_they_were_pushed_by(repository: Repository, make: Maker) -> None:
    body = make.blob(100).body
    first = Content("application/octet-stream", body)
    second = Content("application/octet-stream", body, "sha512")
    repository.push_blob(first)
    repository.push_blob(second)
    for blob in (first, second):
        response = expect(repository.blob(blob.digest), 200)
        assert digest_of(response.content, blob.algorithm) == blob.digest
        assert response.headers.get("Docker-Content-Digest") in {None, blob.digest}
