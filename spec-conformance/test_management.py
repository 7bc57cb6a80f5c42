"""end-9 and end-10: deleting tags, manifests and blobs."""

import pytest
from clauses import MAY, RULING, SHOULD, clause
from client import Repository, codes, expect
from data import ARTIFACT, Content, Maker, Shape

TAGS = "Deleting tags"
MANIFESTS = "Deleting Manifests"
BLOBS = "Deleting Blobs"


@pytest.fixture
def image(repository: Repository, make: Maker) -> Content:
    """An image in the repository under the tags `one` and `two`."""
    image = repository.push(make.image(), "one")
    expect(repository.put("two", image), 201)
    return image


@clause("end-9", TAGS)
def test_a_deleted_tag_is_404_and_its_manifest_stays(repository: Repository, image: Content) -> None:
    expect(repository.delete("manifests/one"), 202)
    expect(repository.manifest("one"), 404)
    expect(repository.manifest("one", "HEAD"), 404)
    assert repository.manifest(image.digest).content == image.body


@clause("end-9", TAGS)
def test_a_deleted_tag_leaves_other_tags_of_the_manifest(repository: Repository, image: Content) -> None:
    expect(repository.delete("manifests/one"), 202)
    assert expect(repository.manifest("two"), 200).content == image.body
    assert repository.tags().json()["tags"] == ["two"]


@clause("end-9", TAGS)
def test_the_last_tag_can_be_deleted_and_the_manifest_stays(repository: Repository, image: Content) -> None:
    for tag in ("one", "two"):
        expect(repository.delete(f"manifests/{tag}"), 202)
    assert expect(repository.manifest(image.digest), 200).content == image.body


@clause("end-9", TAGS)
def test_a_deleted_tag_can_be_set_again(repository: Repository, image: Content, make: Maker) -> None:
    expect(repository.delete("manifests/one"), 202)
    later = repository.push(make.image(), "one")
    assert repository.manifest("one").content == later.body


@clause("end-9", TAGS, SHOULD)
def test_an_unknown_tag_is_404(repository: Repository, image: Content) -> None:
    response = expect(repository.delete("manifests/none"), 404)
    assert codes(response) in ([], ["MANIFEST_UNKNOWN"])


@clause("end-9", MANIFESTS)
def test_a_deleted_manifest_is_404_by_digest_and_by_every_tag(repository: Repository, image: Content) -> None:
    expect(repository.delete(f"manifests/{image.digest}"), 202)
    for reference in (image.digest, "one", "two"):
        expect(repository.manifest(reference), 404)
        expect(repository.manifest(reference, "HEAD"), 404)


@clause("end-9", MANIFESTS)
def test_tags_of_a_deleted_manifest_are_listed_no_more(repository: Repository, image: Content, make: Maker) -> None:
    repository.push(make.image(), "other")
    expect(repository.delete(f"manifests/{image.digest}"), 202)
    assert repository.tags().json()["tags"] == ["other"]


@clause("end-9", MANIFESTS, SHOULD)
def test_a_manifest_cannot_be_deleted_twice(repository: Repository, image: Content) -> None:
    expect(repository.delete(f"manifests/{image.digest}"), 202)
    expect(repository.delete(f"manifests/{image.digest}"), 404)


@clause("end-9", MANIFESTS)
def test_a_manifest_of_an_unknown_repository_is_404(repository: Repository, make: Maker) -> None:
    expect(repository.delete(f"manifests/{make.blob().digest}"), 404)


@clause("end-9", MANIFESTS)
def test_a_deleted_manifest_can_be_pushed_again(repository: Repository, image: Content) -> None:
    expect(repository.delete(f"manifests/{image.digest}"), 202)
    expect(repository.put("one", image), 201)
    assert repository.manifest("one").content == image.body


@clause("end-9", MANIFESTS)
def test_a_manifest_of_another_repository_stays(repository: Repository, other: Repository, make: Maker) -> None:
    bundle = make.image()
    image = repository.push(bundle, "here")
    other.push(bundle, "there")
    expect(repository.delete(f"manifests/{image.digest}"), 202)
    assert expect(other.manifest("there"), 200).content == image.body
    for blob in bundle.blobs:
        assert expect(other.blob(blob.digest), 200).content == blob.body


@clause("end-9", MANIFESTS)
def test_the_blobs_of_a_deleted_manifest_serve_another(repository: Repository, make: Maker) -> None:
    bundle = make.image()
    first = repository.push(bundle, "first")
    second = Content(first.media_type, first.body + b" ")
    expect(repository.put("second", second), 201)
    expect(repository.delete(f"manifests/{first.digest}"), 202)
    for blob in bundle.blobs:
        assert expect(repository.blob(blob.digest), 200).content == blob.body


@clause("end-9", MANIFESTS, RULING)
def test_a_manifest_that_an_index_contains_is_405_naming_the_index(repository: Repository, make: Maker) -> None:
    bundle = make.platforms()
    index = repository.push(bundle, "index")
    child = bundle.manifests[0]
    response = expect(repository.call("DELETE", f"manifests/{child.digest}"), 405)
    assert index.digest in response.text
    assert response.headers["Allow"]
    expect(repository.manifest(child.digest), 200)


@clause("end-9", MANIFESTS)
def test_deleting_an_index_leaves_its_images(repository: Repository, make: Maker) -> None:
    bundle = make.platforms()
    index = repository.push(bundle, "index")
    expect(repository.delete(f"manifests/{index.digest}"), 202)
    for image in bundle.manifests[:-1]:
        assert expect(repository.manifest(image.digest), 200).content == image.body


@clause("end-9", MANIFESTS)
def test_deleting_an_index_leaves_what_it_refers_to_by_subject(repository: Repository, make: Maker) -> None:
    subject = repository.push(make.image(), "subject")
    referrer = repository.push(make.image(Shape(subject=subject.descriptor(), artifact_type=ARTIFACT.artifact_type)))
    expect(repository.delete(f"manifests/{referrer.digest}"), 202)
    assert expect(repository.manifest("subject"), 200).content == subject.body


@clause("end-9", MANIFESTS, SHOULD)
def test_a_sha512_manifest_can_be_deleted(repository: Repository, make: Maker) -> None:
    bundle = make.image(Shape(algorithm="sha512"))
    for blob in bundle.blobs:
        repository.push_blob(blob)
    if repository.put(bundle.root.digest, bundle.root).status_code == 201:
        expect(repository.delete(f"manifests/{bundle.root.digest}"), 202)
    expect(repository.manifest(bundle.root.digest), 404)


@clause("end-9", MANIFESTS, SHOULD)
@pytest.mark.parametrize("reference", ["sha256:short", "-x", "a" * 129])
def test_what_is_neither_tag_nor_digest_is_refused(reference: str, repository: Repository, image: Content) -> None:
    expect(repository.call("DELETE", f"manifests/{reference}"), 400, 404, 405)


@clause("end-10", BLOBS)
def test_a_deleted_blob_is_404(repository: Repository, make: Maker) -> None:
    blob, stays = make.blob(), make.blob()
    repository.push_blob(blob)
    repository.push_blob(stays)
    expect(repository.delete(f"blobs/{blob.digest}"), 202)
    expect(repository.blob(blob.digest), 404)
    expect(repository.blob(blob.digest, "HEAD"), 404)
    expect(repository.blob(stays.digest), 200)


@clause("end-10", BLOBS)
def test_an_unknown_blob_is_404(repository: Repository, make: Maker) -> None:
    repository.push_blob(make.blob())
    expect(repository.delete(f"blobs/{make.blob().digest}"), 404)


@clause("end-10", BLOBS)
def test_a_blob_cannot_be_deleted_twice(repository: Repository, make: Maker) -> None:
    blob = make.blob()
    repository.push_blob(blob)
    expect(repository.delete(f"blobs/{blob.digest}"), 202)
    expect(repository.delete(f"blobs/{blob.digest}"), 404)


@clause("end-10", BLOBS)
def test_a_deleted_blob_can_be_pushed_again(repository: Repository, make: Maker) -> None:
    blob = make.blob()
    for _ in range(3):
        repository.push_blob(blob)
        assert expect(repository.blob(blob.digest), 200).content == blob.body
        expect(repository.delete(f"blobs/{blob.digest}"), 202)


@clause("end-10", BLOBS)
def test_the_same_blob_of_another_repository_stays(repository: Repository, other: Repository, make: Maker) -> None:
    blob = make.blob()
    repository.push_blob(blob)
    other.push_blob(blob)
    expect(repository.delete(f"blobs/{blob.digest}"), 202)
    assert expect(other.blob(blob.digest), 200).content == blob.body


@clause("end-10", BLOBS, RULING)
def test_a_blob_that_a_manifest_uses_is_405_and_stays(repository: Repository, make: Maker) -> None:
    bundle = make.image()
    repository.push(bundle, "here")
    for blob in bundle.blobs:
        response = expect(repository.call("DELETE", f"blobs/{blob.digest}"), 405)
        assert response.headers["Allow"]
        assert expect(repository.blob(blob.digest), 200).content == blob.body


@clause("end-10", BLOBS, SHOULD)
@pytest.mark.parametrize("digest", ["sha256:short", "nonsense"])
def test_a_digest_that_is_none_is_refused(digest: str, repository: Repository, image: Content) -> None:
    expect(repository.call("DELETE", f"blobs/{digest}"), 400, 404, 405)


@clause("end-9", MANIFESTS, MAY)
def test_the_answer_to_a_delete_has_no_body(repository: Repository, image: Content) -> None:
    assert expect(repository.delete(f"manifests/{image.digest}"), 202).content == b""
