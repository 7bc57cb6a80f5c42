"""end-5, end-6, end-13 and end-14: pushing a blob in chunks, asking how far it is, and giving it up."""

import pytest
from clauses import DEV, MAY, MUST, RULING, SHOULD, clause, unsupported
from client import Repository, Session, codes, described, expect, refused
from data import Content, Maker, digest_of

CHUNKS = "Pushing a blob in chunks"
STATUS = "Pushing a blob in chunks: status"
CANCEL = "Cancel a blob upload"
LEAST = 1024

algorithms = pytest.mark.parametrize("algorithm", ["sha256", "sha512"])


class Upload:
    """A blob of three chunks and the session it goes through."""

    def __init__(self, repository: Repository, make: Maker, algorithm: str = "sha256") -> None:
        self.session = repository.session()
        self.size = max(LEAST, int(self.session.started.headers.get("OCI-Chunk-Min-Length", 0)))
        self.blob = make.blob(3 * self.size - 5, algorithm)
        self.repository = repository

    def chunk(self, number: int) -> bytes:
        """The bytes of the first, second or third chunk."""
        return self.blob.body[number * self.size : (number + 1) * self.size]

    def send(self, *numbers: int) -> None:
        """Send these chunks, saying which bytes they are."""
        for number in numbers:
            expect(self.session.patch(self.chunk(number), number * self.size), 202)

    def expect_whole(self, data: bytes = b"", start: int | None = None) -> None:
        """Close the session and find the blob whole."""
        response = self.session.put(self.blob.digest, data, start)
        if response.status_code == 400 and self.blob.algorithm != "sha256":
            unsupported(described(response, "201"))
        expect(response, 201)
        assert expect(self.repository.blob(self.blob.digest), 200).content == self.blob.body


@pytest.fixture
def upload(repository: Repository, make: Maker) -> Upload:
    """A session that has just been opened."""
    return Upload(repository, make)


def expect_end(session: Session, last: int) -> None:
    """The registry must say that the last byte it has is that one."""
    response = expect(session.status(), 204)
    assert response.headers["Range"].removeprefix("bytes=") == f"0-{last}"


@clause("end-5", CHUNKS)
@algorithms
def test_chunks_in_order_make_the_blob(algorithm: str, repository: Repository, make: Maker) -> None:
    upload = Upload(repository, make, algorithm)
    upload.send(0, 1, 2)
    upload.expect_whole()


@clause("end-5", CHUNKS)
def test_each_chunk_is_answered_with_where_and_how_far(upload: Upload) -> None:
    for number, last in ((0, upload.size - 1), (1, 2 * upload.size - 1), (2, 3 * upload.size - 6)):
        response = expect(upload.session.patch(upload.chunk(number), number * upload.size), 202)
        assert response.headers["Location"]
        assert response.headers["Range"].removeprefix("bytes=") == f"0-{last}"


@clause("end-5", CHUNKS)
@algorithms
def test_a_single_chunk_makes_the_blob(algorithm: str, repository: Repository, make: Maker) -> None:
    upload = Upload(repository, make, algorithm)
    expect(upload.session.patch(upload.blob.body, 0), 202)
    upload.expect_whole()


@clause("end-6", CHUNKS)
@algorithms
def test_the_last_chunk_may_come_with_the_put(algorithm: str, repository: Repository, make: Maker) -> None:
    upload = Upload(repository, make, algorithm)
    upload.send(0, 1)
    upload.expect_whole(upload.chunk(2), 2 * upload.size)


@clause("end-6", CHUNKS, RULING)
def test_the_last_chunk_may_come_with_the_put_without_saying_where(upload: Upload) -> None:
    upload.send(0, 1)
    upload.expect_whole(upload.chunk(2))


@clause("end-5", "Pushing a blob in chunks: without Content-Range")
@algorithms
def test_a_stream_without_content_range_makes_the_blob(algorithm: str, repository: Repository, make: Maker) -> None:
    upload = Upload(repository, make, algorithm)
    expect(upload.session.patch(upload.blob.body), 202)
    upload.expect_whole()


@clause("end-5", "Pushing a blob in chunks: without Content-Range", MAY)
def test_chunks_without_content_range_are_appended(upload: Upload) -> None:
    for number in (0, 1, 2):
        expect(upload.session.patch(upload.chunk(number)), 202)
    upload.expect_whole()


@clause("end-5", CHUNKS, RULING)
def test_a_body_of_unknown_length_is_appended(upload: Upload) -> None:
    parts = iter([upload.chunk(0), upload.chunk(1)])
    http, session = upload.repository.http, upload.session
    expect(http.patch(session.location, content=parts), 202)
    expect_end(session, 2 * upload.size - 1)


@clause("end-5", CHUNKS, RULING)
def test_an_empty_chunk_is_202_and_changes_nothing(upload: Upload) -> None:
    upload.send(0)
    expect(upload.session.patch(b""), 202)
    expect_end(upload.session, upload.size - 1)


@clause("end-5", CHUNKS, RULING)
def test_content_range_may_be_in_the_form_of_rfc_9110(upload: Upload) -> None:
    expect(upload.session.patch(upload.chunk(0), content_range=f"bytes 0-{upload.size - 1}/*"), 202)
    expect_end(upload.session, upload.size - 1)


@clause("end-5", CHUNKS)
@pytest.mark.parametrize("number", [1, 2])
def test_a_chunk_that_skips_ahead_is_416(number: int, upload: Upload) -> None:
    expect(upload.session.patch(upload.chunk(number), number * upload.size), 416)


@clause("end-5", CHUNKS)
def test_a_chunk_that_goes_back_is_416(upload: Upload) -> None:
    upload.send(0)
    expect(upload.session.patch(upload.chunk(0), 0), 416)


@clause("end-5", CHUNKS)
def test_a_chunk_that_overlaps_or_leaves_a_gap_is_416(upload: Upload) -> None:
    upload.send(0)
    expect(upload.session.patch(upload.chunk(1), upload.size - 1), 416)
    expect(upload.session.patch(upload.chunk(1), upload.size + 1), 416)


@clause("end-6", CHUNKS)
@pytest.mark.parametrize("offset", [-1, 1])
def test_a_last_chunk_out_of_order_is_416(offset: int, upload: Upload) -> None:
    upload.send(0, 1)
    expect(upload.session.put(upload.blob.digest, upload.chunk(2), 2 * upload.size + offset), 416)


@clause("end-5", CHUNKS)
def test_a_416_keeps_the_session_and_the_upload_goes_on(upload: Upload) -> None:
    """At every step a chunk out of order, then the true offset, then the right chunk."""
    for number in (0, 1, 2):
        wrong = 2 if number == 0 else 0
        expect(upload.session.patch(upload.chunk(wrong), wrong * upload.size), 416)
        expect(upload.session.status(), 204)
        upload.send(number)
    upload.expect_whole()


@clause("end-6", CHUNKS)
def test_a_416_of_the_put_keeps_the_session(upload: Upload) -> None:
    upload.send(0)
    expect(upload.session.put(upload.blob.digest, upload.chunk(2), 2 * upload.size), 416)
    expect_end(upload.session, upload.size - 1)
    upload.send(1)
    upload.expect_whole(upload.chunk(2), 2 * upload.size)


@clause("end-5", CHUNKS, RULING)
def test_a_416_tells_the_true_offset_and_where_to_go_on(upload: Upload) -> None:
    upload.send(0)
    response = expect(upload.session.patch(upload.chunk(2), 2 * upload.size), 416)
    assert response.headers["Range"] == f"0-{upload.size - 1}"
    assert response.url.join(response.headers["Location"]) == upload.session.location


@clause("end-6", CHUNKS, RULING)
def test_the_offset_is_judged_before_the_digest(upload: Upload) -> None:
    upload.send(0)
    wrong = digest_of(b"other")
    expect(upload.session.put(wrong, upload.chunk(2), 2 * upload.size), 416)
    expect_end(upload.session, upload.size - 1)


@clause("end-5", CHUNKS, SHOULD)
@pytest.mark.parametrize("text", ["a-b", "-5", "5-", "0", "5-2", "0-99999999999999999999", "0-1,2-3", "-", "0--1"])
def test_a_content_range_that_is_none_is_refused_and_keeps_the_session(text: str, upload: Upload) -> None:
    expect(upload.session.patch(upload.chunk(0), content_range=text), 400, 416)
    expect_end(upload.session, 0)


@clause("end-5", CHUNKS, RULING)
@pytest.mark.parametrize("more", [-1, 1])
def test_a_chunk_shorter_or_longer_than_its_range_is_400(more: int, upload: Upload) -> None:
    response = upload.session.patch(upload.chunk(0), content_range=f"0-{upload.size - 1 + more}")
    assert codes(expect(response, 400)) == ["SIZE_INVALID"]
    expect_end(upload.session, 0)


@clause("end-6", CHUNKS, SHOULD)
@algorithms
@pytest.mark.parametrize("with_put", [True, False])
def test_a_wrong_digest_after_chunks_is_400(
    with_put: bool, algorithm: str, repository: Repository, make: Maker
) -> None:
    upload, wrong = Upload(repository, make, algorithm), make.blob(10, algorithm).digest
    upload.send(0, 1)
    if not with_put:
        upload.send(2)
    expect(upload.session.put(wrong, upload.chunk(2) if with_put else b""), 400)
    expect(repository.blob(wrong, "HEAD"), 404)


@clause("end-4a", CHUNKS, SHOULD)
def test_a_least_length_of_chunks_is_a_positive_number(repository: Repository) -> None:
    least = repository.session().started.headers.get("OCI-Chunk-Min-Length")
    assert least is None or int(least) > 0


@clause("end-5", CHUNKS, SHOULD)
def test_the_last_chunk_may_be_shorter_than_the_least_length(upload: Upload) -> None:
    blob = Content(upload.blob.media_type, upload.blob.body[: upload.size + 1])
    upload.send(0)
    expect(upload.session.patch(blob.body[-1:], upload.size), 202)
    expect(upload.session.put(blob.digest), 201)


@clause("end-13", STATUS)
def test_the_status_tells_where_and_how_far(upload: Upload) -> None:
    upload.send(0)
    response = expect(upload.session.status(), 204)
    assert response.headers["Location"]
    assert response.headers["Range"].removeprefix("bytes=") == f"0-{upload.size - 1}"
    assert response.content == b""


@clause("end-13", STATUS, MAY)
def test_the_status_of_a_new_session_is_0_0(upload: Upload) -> None:
    expect_end(upload.session, 0)


@clause("end-13", STATUS)
def test_the_status_changes_nothing(upload: Upload) -> None:
    upload.send(0)
    for _ in range(3):
        expect_end(upload.session, upload.size - 1)
    upload.send(1, 2)
    upload.expect_whole()


@clause("end-13", STATUS)
def test_the_status_of_a_session_that_is_over_is_404(upload: Upload) -> None:
    upload.send(0, 1, 2)
    upload.expect_whole()
    expect(upload.session.status(), 404)


@clause("end-13", STATUS, SHOULD)
def test_an_unknown_session_is_called_so(repository: Repository, make: Maker) -> None:
    response = expect(repository.call("GET", "blobs/uploads/00000000-0000-4000-8000-000000000000"), 404)
    assert codes(response) == ["BLOB_UPLOAD_UNKNOWN"]


@clause("end-5", CHUNKS)
@pytest.mark.parametrize("name", ["00000000-0000-4000-8000-000000000000", "nonsense", "a.b", "~"])
def test_a_chunk_for_a_session_that_never_was_is_404(name: str, repository: Repository, make: Maker) -> None:
    repository.push_blob(make.blob())
    expect(repository.call("PATCH", f"blobs/uploads/{name}", content=b"data"), 404)


@clause("end-13", STATUS, RULING)
def test_the_location_stays_the_same_through_the_session(upload: Upload) -> None:
    location = upload.session.location
    upload.send(0)
    expect(upload.session.status(), 204)
    assert upload.session.location == location


@clause("end-5", CHUNKS, RULING)
def test_a_query_at_the_session_is_ignored(upload: Upload) -> None:
    http, location = upload.repository.http, upload.session.location
    expect(http.patch(location, params={"digest": "nonsense", "ns": "docker.io"}, content=upload.chunk(0)), 202)
    expect(http.get(location, params={"digest": "nonsense"}), 204)
    expect(http.delete(location, params={"digest": "nonsense"}), 204)


@clause("end-14", CANCEL, SHOULD, DEV)
def test_a_cancelled_upload_is_gone(upload: Upload) -> None:
    upload.send(0)
    response = upload.session.cancel()
    if refused(response) or response.status_code == 404:
        unsupported(described(response, "204"))
    expect(response, 204)
    expect(upload.session.status(), 404)
    expect(upload.session.patch(upload.chunk(1), upload.size), 404)
    expect(upload.session.put(upload.blob.digest, upload.blob.body), 404)


@clause("end-14", CANCEL, MUST, DEV)
def test_an_upload_that_is_over_cannot_be_cancelled_and_its_blob_stays(upload: Upload) -> None:
    upload.send(0, 1, 2)
    upload.expect_whole()
    expect(upload.session.cancel(), 404, 400, 204)
    expect(upload.repository.blob(upload.blob.digest, "HEAD"), 200)


@clause("end-14", CANCEL, MUST, DEV)
def test_a_session_cannot_be_cancelled_twice(upload: Upload) -> None:
    if refused(upload.session.cancel()):
        unsupported("uploads cannot be cancelled")
    expect(upload.session.cancel(), 404, 400)
