"""end-11: mounting a blob from another repository of the same registry."""

import httpx
import pytest
from clauses import MAY, RULING, SHOULD, clause, unsupported
from client import Repository, Session, described, expect
from data import Content, Maker

MOUNT = "Mounting a blob from another repository"


@pytest.fixture(params=["sha256", "sha512"])
def blob(request: pytest.FixtureRequest, other: Repository, make: Maker) -> Content:
    """A blob that the other repository holds, by either algorithm."""
    blob = make.blob(algorithm=request.param)
    other.push_blob(blob)
    return blob


def mount(repository: Repository, digest: str, source: str | None = None) -> httpx.Response:
    """Ask for a blob to be mounted, from a named repository or from anywhere."""
    return repository.start({"mount": digest} | ({"from": source} if source is not None else {}))


def expect_mounted(repository: Repository, blob: Content, source: str | None) -> httpx.Response:
    """Mount the blob; a registry that opens a session instead does not support it."""
    response = mount(repository, blob.digest, source)
    if response.status_code == 202:
        unsupported(described(response, "201"))
    return expect(response, 201)


@clause("end-11", MOUNT)
def test_a_mounted_blob_is_here_and_the_location_gives_it(
    repository: Repository, other: Repository, blob: Content
) -> None:
    response = expect_mounted(repository, blob, other.name)
    address = response.url.join(response.headers["Location"])
    assert expect(repository.http.get(address), 200).content == blob.body
    assert expect(repository.blob(blob.digest), 200).content == blob.body
    assert response.headers.get("Docker-Content-Digest") in {None, blob.digest}


@clause("end-11", MOUNT, RULING)
def test_a_mount_answers_with_the_digest(repository: Repository, other: Repository, blob: Content) -> None:
    assert expect_mounted(repository, blob, other.name).headers.get("Docker-Content-Digest") == blob.digest


@clause("end-11", MOUNT, MAY)
def test_a_blob_may_be_mounted_without_a_source(repository: Repository, blob: Content) -> None:
    expect_mounted(repository, blob, None)
    assert expect(repository.blob(blob.digest), 200).content == blob.body


@clause("end-11", MOUNT)
@pytest.mark.parametrize("source", ["itself", "other", "none", "unknown"])
def test_a_blob_that_is_nowhere_opens_a_session(
    source: str, repository: Repository, other: Repository, make: Maker
) -> None:
    other.push_blob(make.blob())
    names = {"itself": repository.name, "other": other.name, "none": None, "unknown": f"{other.name}/unknown"}
    blob = make.blob()
    response = expect(mount(repository, blob.digest, names[source]), 202)
    expect(Session(repository.http, response).put(blob.digest, blob.body), 201)


@clause("end-11", MOUNT, SHOULD)
def test_a_source_that_does_not_hold_the_blob_opens_a_session(
    repository: Repository, other: Repository, blob: Content, make: Maker
) -> None:
    """Though a third repository holds it; a registry may look there, too."""
    response = expect(mount(repository, blob.digest, f"{other.name}/elsewhere"), 201, 202)
    if response.status_code == 202:
        expect(Session(repository.http, response).put(blob.digest, blob.body), 201)
    assert repository.blob(blob.digest).content == blob.body


@clause("end-11", MOUNT, RULING)
@pytest.mark.parametrize("source", ["", "UPPER/case", "../../etc", "a//b", "-", "a" * 300, "ä", "a%2Fb"])
def test_a_source_that_is_no_name_opens_a_session(source: str, repository: Repository, blob: Content) -> None:
    response = expect(mount(repository, blob.digest, source), 202)
    expect(Session(repository.http, response).put(blob.digest, blob.body), 201)


@clause("end-11", "Pushing blobs", SHOULD)
@pytest.mark.parametrize("digest", ["sha256:short", "nonsense", "sha256:" + "Z" * 64, "md5:" + "0" * 32])
def test_a_digest_that_is_none_is_400_or_opens_a_session(
    digest: str, repository: Repository, other: Repository
) -> None:
    expect(mount(repository, digest, other.name), 400, 202)


@clause("end-11", MOUNT, RULING)
@pytest.mark.parametrize("digest", ["sha256:short", "nonsense", ""])
def test_a_digest_that_is_none_is_400(digest: str, repository: Repository, other: Repository) -> None:
    expect(mount(repository, digest, other.name), 400)


@clause("end-11", MOUNT)
def test_parameters_that_nobody_knows_change_nothing(repository: Repository, other: Repository, blob: Content) -> None:
    known = {"mount": blob.digest, "from": other.name}
    response = repository.start(known | {"origin": "registry.example", "ns": "docker.io"})
    if expect(response, 201, 202).status_code == 201:
        assert repository.blob(blob.digest).content == blob.body


@clause("end-11", MOUNT)
def test_a_blob_can_be_mounted_where_it_is_already(repository: Repository, other: Repository, blob: Content) -> None:
    expect_mounted(repository, blob, other.name)
    expect_mounted(repository, blob, other.name)
    expect_mounted(other, blob, other.name)


@clause("end-11", MOUNT)
def test_a_manifest_may_use_a_mounted_blob(repository: Repository, other: Repository, make: Maker) -> None:
    bundle = make.image()
    for blob in bundle.blobs:
        other.push_blob(blob)
        expect_mounted(repository, blob, other.name)
    expect(repository.put("mounted", bundle.root), 201)
    assert repository.manifest("mounted").content == bundle.root.body


@clause("end-10", "Deleting Blobs")
def test_deleting_the_source_leaves_the_mounted_blob(repository: Repository, other: Repository, blob: Content) -> None:
    expect_mounted(repository, blob, other.name)
    expect(other.delete(f"blobs/{blob.digest}"), 202)
    expect(other.blob(blob.digest, "HEAD"), 404)
    assert expect(repository.blob(blob.digest), 200).content == blob.body


@clause("end-10", "Deleting Blobs")
def test_deleting_the_mounted_blob_leaves_the_source(repository: Repository, other: Repository, blob: Content) -> None:
    expect_mounted(repository, blob, other.name)
    expect(repository.delete(f"blobs/{blob.digest}"), 202)
    expect(repository.blob(blob.digest, "HEAD"), 404)
    assert expect(other.blob(blob.digest), 200).content == blob.body


@clause("end-10", "Deleting Blobs")
def test_a_deleted_blob_is_not_mounted_from_where_it_was(
    repository: Repository, other: Repository, blob: Content
) -> None:
    response = other.delete(f"blobs/{blob.digest}")
    expect(response, 202)
    session = Session(repository.http, expect(mount(repository, blob.digest, other.name), 202))
    expect(session.put(blob.digest, blob.body), 201)
