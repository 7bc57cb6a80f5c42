"""end-4a, end-4b, end-4c and end-6: pushing a blob in one piece."""

import re

import httpx
import pytest
from clauses import DEV, MAY, MUST, RULING, SHOULD, clause, unsupported
from client import Repository, Session, codes, described, expect, with_query
from data import OCTETS, Content, Maker, digest_of

TWO_STEPS = "Pushing a blob monolithically: POST then PUT"
ONE_STEP = "Pushing a blob monolithically: Single POST"
BLOBS = "Pushing blobs"
ALGORITHM = "Pushing a blob in chunks: digest-algorithm"
UUID = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)

algorithms = pytest.mark.parametrize("algorithm", ["sha256", "sha512"])


def post(repository: Repository, blob: Content, digest: str | None = None) -> httpx.Response:
    """A single POST; a registry that opens a session instead does not support it."""
    response = repository.start({"digest": digest or blob.digest}, blob.body)
    if response.status_code == 202:
        unsupported(described(response, "201"))
    if response.status_code == 400 and blob.algorithm != "sha256" and digest is None:
        unsupported(described(response, "201"))
    return response


@clause("end-4a", TWO_STEPS)
def test_post_opens_a_session_and_says_where(repository: Repository) -> None:
    response = expect(repository.start(), 202)
    assert response.headers["Location"]
    assert response.content == b""


@clause("end-4a", TWO_STEPS)
def test_each_session_has_its_own_uuid_in_the_location(repository: Repository) -> None:
    locations = [expect(repository.start(), 202).headers["Location"] for _ in range(3)]
    assert len(set(locations)) == 3
    assert all(UUID.search(location) for location in locations)


@clause("end-4a", TWO_STEPS, RULING)
def test_the_location_is_path_absolute_and_holds_no_state_in_a_query(repository: Repository) -> None:
    location = expect(repository.start(), 202).headers["Location"]
    assert location.startswith(f"/v2/{repository.name}/blobs/uploads/")
    assert "?" not in location


@clause("end-4a", TWO_STEPS, MAY)
def test_a_new_session_says_0_0_and_its_id(repository: Repository) -> None:
    response = expect(repository.start(), 202)
    assert response.headers.get("Range") in {"0-0", "bytes=0-0"}
    assert response.headers.get("Docker-Upload-UUID", "-") in response.headers["Location"]


@clause("end-4a", TWO_STEPS, RULING)
def test_post_without_the_trailing_slash_opens_a_session_too(repository: Repository) -> None:
    response = repository.call("POST", "blobs/uploads", follow_redirects=False, headers={"Content-Length": "0"})
    expect(response, 202)


@clause("end-6", TWO_STEPS)
@algorithms
def test_put_completes_the_blob_and_says_where_it_is(algorithm: str, repository: Repository, make: Maker) -> None:
    blob = make.blob(700, algorithm)
    response = repository.push_blob(blob)
    address = response.url.join(response.headers["Location"])
    assert expect(repository.http.get(address), 200).content == blob.body
    assert expect(repository.blob(blob.digest), 200).content == blob.body


@clause("end-6", TWO_STEPS, MUST, DEV)
@algorithms
def test_put_answers_with_the_digest(algorithm: str, repository: Repository, make: Maker) -> None:
    blob = make.blob(700, algorithm)
    assert repository.push_blob(blob).headers.get("Docker-Content-Digest") == blob.digest


@clause("end-6", TWO_STEPS)
@algorithms
@pytest.mark.parametrize("body", [b"", b"{}"], ids=["empty", "empty-json"])
def test_well_known_small_blobs_are_taken(body: bytes, algorithm: str, repository: Repository) -> None:
    blob = Content(OCTETS, body, algorithm)
    repository.push_blob(blob)
    assert expect(repository.blob(blob.digest), 200).content == body


@clause("end-6", TWO_STEPS)
def test_a_blob_that_is_here_can_be_pushed_again(repository: Repository, make: Maker) -> None:
    blob = make.blob()
    repository.push_blob(blob)
    repository.push_blob(blob)
    assert repository.blob(blob.digest).content == blob.body


@clause("end-6", TWO_STEPS)
def test_a_blob_of_several_mebibytes_comes_back_whole(repository: Repository, make: Maker) -> None:
    blob = make.blob(5_000_003)
    repository.push_blob(blob)
    assert expect(repository.blob(blob.digest), 200).content == blob.body


@clause("end-6", TWO_STEPS, RULING)
@pytest.mark.parametrize("kind", [None, "application/json", "text/plain; charset=utf-8", "nonsense"])
def test_put_takes_any_content_type_or_none(kind: str | None, repository: Repository, make: Maker) -> None:
    blob, session = make.blob(), repository.session()
    headers = {"Content-Type": kind} if kind else {}
    url = with_query(session.location, {"digest": blob.digest})
    expect(repository.http.put(url, content=blob.body, headers=headers), 201)


@clause("end-6", TWO_STEPS, RULING)
def test_put_takes_a_body_of_unknown_length(repository: Repository, make: Maker) -> None:
    blob, session = make.blob(), repository.session()
    url = with_query(session.location, {"digest": blob.digest})
    expect(repository.http.put(url, content=iter([blob.body[:200], blob.body[200:]])), 201)
    assert repository.blob(blob.digest).content == blob.body


@clause("end-6", BLOBS, SHOULD)
@algorithms
def test_put_with_the_digest_of_other_bytes_is_400(algorithm: str, repository: Repository, make: Maker) -> None:
    blob, wrong = make.blob(300, algorithm), make.blob(300, algorithm).digest
    expect(repository.session().put(wrong, blob.body), 400)
    expect(repository.blob(wrong, "HEAD"), 404)
    expect(repository.blob(blob.digest, "HEAD"), 404)


@clause("end-6", "Error Codes", SHOULD)
def test_a_wrong_digest_is_called_digest_invalid(repository: Repository, make: Maker) -> None:
    response = expect(repository.session().put(make.blob().digest, make.blob().body), 400)
    assert codes(response) == ["DIGEST_INVALID"]


@clause("end-6", BLOBS, RULING)
def test_a_wrong_digest_ends_the_session(repository: Repository, make: Maker) -> None:
    session = repository.session()
    expect(session.put(make.blob().digest, make.blob().body), 400)
    expect(session.status(), 404)


@clause("end-6", BLOBS, SHOULD)
@pytest.mark.parametrize(
    "digest",
    [
        "sha256:short",
        "sha256:" + "g" * 64,
        "sha256:" + "A" * 64,
        "sha256:" + "0" * 63,
        "sha512:" + "0" * 64,
        "nonsense",
        "md5:" + "0" * 32,
        "unknown+algorithm:abc",
        ":",
        "",
    ],
)
def test_put_with_a_digest_that_is_none_is_400(digest: str, repository: Repository, make: Maker) -> None:
    expect(repository.session().put(digest, make.blob().body), 400)


@clause("end-6", BLOBS, SHOULD)
def test_put_without_a_digest_is_400(repository: Repository, make: Maker) -> None:
    expect(repository.session().put(None, make.blob().body), 400)


@clause("end-6", "Pushing a blob in chunks", RULING)
def test_a_final_put_that_is_repeated_is_201_again(repository: Repository, make: Maker) -> None:
    """The client that lost the 201 asks once more, with the bytes and without."""
    blob, session = make.blob(), repository.session()
    expect(session.put(blob.digest, blob.body), 201)
    expect(session.put(blob.digest, blob.body), 201)
    expect(session.put(blob.digest), 201)
    assert repository.blob(blob.digest).content == blob.body


@clause("end-6", TWO_STEPS)
def test_put_to_a_session_that_never_was_is_404(repository: Repository, make: Maker) -> None:
    session, blob = repository.session(), make.blob()
    path = UUID.sub("00000000-0000-4000-8000-000000000000", session.location.path)
    session.location = session.location.copy_with(path=path, query=None)
    expect(session.put(blob.digest, blob.body), 404)


@clause("end-6", TWO_STEPS, RULING)
def test_a_session_belongs_to_its_repository(repository: Repository, other: Repository, make: Maker) -> None:
    blob, session = make.blob(), repository.session()
    other.push_blob(make.blob())
    moved = session.location.copy_with(path=session.location.path.replace(repository.name, other.name))
    response = repository.http.put(with_query(moved, {"digest": blob.digest}), content=blob.body)
    expect(response, 404)
    expect(other.blob(blob.digest, "HEAD"), 404)


@clause("end-4b", ONE_STEP, MAY)
@algorithms
def test_a_single_post_completes_the_blob(algorithm: str, repository: Repository, make: Maker) -> None:
    blob = make.blob(900, algorithm)
    response = expect(post(repository, blob), 201)
    address = response.url.join(response.headers["Location"])
    assert expect(repository.http.get(address), 200).content == blob.body
    assert response.headers.get("Docker-Content-Digest") in {None, blob.digest}


@clause("end-4b", ONE_STEP, SHOULD)
def test_a_single_post_completes_or_opens_a_session(repository: Repository, make: Maker) -> None:
    blob = make.blob()
    response = expect(repository.start({"digest": blob.digest}, blob.body), 201, 202)
    if response.status_code == 202:
        expect(Session(repository.http, response).put(blob.digest, blob.body), 201)
    assert repository.blob(blob.digest).content == blob.body


@clause("end-4b", ONE_STEP, MAY)
def test_a_single_post_takes_an_empty_blob(repository: Repository) -> None:
    empty = Content(OCTETS, b"")
    expect(post(repository, empty), 201)
    assert repository.blob(empty.digest).content == b""


@clause("end-4b", BLOBS, SHOULD)
@algorithms
def test_a_single_post_with_a_wrong_digest_is_400(algorithm: str, repository: Repository, make: Maker) -> None:
    blob, wrong = make.blob(300, algorithm), make.blob(200, algorithm).digest
    expect(post(repository, blob, wrong), 400)
    expect(repository.blob(wrong, "HEAD"), 404)


@clause("end-4b", BLOBS, SHOULD)
@pytest.mark.parametrize("digest", ["sha256:short", "nonsense", "md5:" + "0" * 32])
def test_a_single_post_with_a_digest_that_is_none_is_400(digest: str, repository: Repository, make: Maker) -> None:
    expect(post(repository, make.blob(), digest), 400)


@clause("end-4b", ONE_STEP, RULING)
def test_a_single_post_without_the_bytes_opens_a_session(repository: Repository, make: Maker) -> None:
    blob = make.blob()
    session = Session(repository.http, expect(repository.start({"digest": blob.digest}), 202))
    expect(session.put(blob.digest, blob.body), 201)


@clause("end-4c", ALGORITHM)
@algorithms
def test_a_session_may_be_told_the_algorithm(algorithm: str, repository: Repository, make: Maker) -> None:
    blob = make.blob(600, algorithm)
    response = repository.start({"digest-algorithm": algorithm})
    if response.status_code == 400 and algorithm != "sha256":
        unsupported(described(response, "202"))
    finished = Session(repository.http, expect(response, 202)).put(blob.digest, blob.body)
    if finished.status_code == 400 and algorithm != "sha256":
        unsupported(described(finished, "201"))
    expect(finished, 201)
    assert repository.blob(blob.digest).content == blob.body


@clause("end-4c", ALGORITHM, SHOULD, DEV)
@pytest.mark.parametrize("algorithm", ["md5", "nonsense", "", "SHA256"])
def test_an_unknown_algorithm_is_400(algorithm: str, repository: Repository) -> None:
    response = repository.start({"digest-algorithm": algorithm})
    if response.status_code == 202:
        unsupported("digest-algorithm is ignored")
    expect(response, 400)


@clause("end-4c", ALGORITHM, RULING)
def test_the_algorithm_told_is_only_a_hint(repository: Repository, make: Maker) -> None:
    body = make.blob(5000).body
    for told, used in (("sha512", "sha256"), ("sha256", "sha512")):
        session = Session(repository.http, expect(repository.start({"digest-algorithm": told}), 202))
        expect(session.patch(body[:2000], 0), 202)
        expect(session.put(digest_of(body, used), body[2000:], 2000), 201)
        assert repository.blob(digest_of(body, used)).content == body
