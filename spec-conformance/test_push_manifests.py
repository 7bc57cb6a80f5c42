"""end-7a and end-7b: pushing manifests, with tags as parameters, with subjects, and up to the limit of size."""

import json

import httpx
import pytest
from clauses import DEV, MAY, MUST, RULING, SHOULD, clause, unsupported
from client import Repository, codes, expect
from data import INDEX, MANIFEST, Content, Json, Maker, Shape, digest_of, manifest_of

PUSH = "Pushing Manifests"
SUBJECT = "Pushing Manifests with Subject"
LIMIT = 4 * 1024 * 1024


@pytest.fixture
def image(repository: Repository, make: Maker) -> Content:
    """The manifest of an image whose blobs are in the repository; it is not pushed itself."""
    bundle = make.image()
    for blob in bundle.blobs:
        repository.push_blob(blob)
    return bundle.root


def put(repository: Repository, reference: str, manifest: Content, kind: str | None) -> httpx.Response:
    """PUT with any Content-Type, or none."""
    headers = {"Content-Type": kind} if kind is not None else {}
    return repository.call("PUT", f"manifests/{reference}", content=manifest.body, headers=headers)


def sized(image: Content, size: int) -> Content:
    """The manifest with annotations that make it exactly that long."""
    document = image.document | {"annotations": {"org.example.long": ""}}
    room = size - len(manifest_of(document).body)
    return manifest_of(document | {"annotations": {"org.example.long": "n" * room}})


@clause("end-7a", PUSH)
def test_a_manifest_is_pushed_by_tag(repository: Repository, image: Content) -> None:
    response = expect(repository.put("v1", image), 201)
    address = response.url.join(response.headers["Location"])
    assert expect(repository.http.get(address, headers={"Accept": MANIFEST}), 200).content == image.body
    assert response.headers.get("Docker-Content-Digest") in {None, image.digest}


@clause("end-7a", PUSH, MUST, DEV)
@pytest.mark.parametrize("by", ["tag", "digest"])
def test_the_answer_names_the_digest(by: str, repository: Repository, image: Content) -> None:
    response = expect(repository.put("v1" if by == "tag" else image.digest, image), 201)
    assert response.headers.get("Docker-Content-Digest") == image.digest


@clause("end-7a", PUSH, RULING)
def test_the_location_is_path_absolute_and_ends_in_the_digest(repository: Repository, image: Content) -> None:
    response = expect(repository.put("v1", image), 201)
    assert response.headers["Location"] == f"/v2/{repository.name}/manifests/{image.digest}"


@clause("end-7a", PUSH)
def test_a_manifest_by_digest_has_no_tag(repository: Repository, image: Content) -> None:
    expect(repository.put(image.digest, image), 201)
    assert not expect(repository.tags(), 200, 404).json().get("tags")


@clause("end-7a", PUSH)
def test_a_manifest_may_be_pushed_again_under_more_tags(repository: Repository, image: Content) -> None:
    for tag in ("v1", "v1", "v1.0", "latest"):
        expect(repository.put(tag, image), 201)
    assert repository.tags().json()["tags"] == ["latest", "v1", "v1.0"]


@clause("end-7a", PUSH)
@pytest.mark.parametrize("tag", ["a", "A", "_", "0", "a.b-c_d", "v1.2.3-rc.1", "x" * 128, "sha256-" + "0" * 64])
def test_every_legal_tag_is_taken(tag: str, repository: Repository, image: Content) -> None:
    expect(repository.put(tag, image), 201)
    assert repository.manifest(tag).content == image.body


@clause("end-7a", PUSH, SHOULD)
def test_parameters_of_the_content_type_are_ignored(repository: Repository, image: Content) -> None:
    expect(put(repository, "v1", image, f"{MANIFEST}; charset=utf-8"), 201)
    assert repository.manifest("v1").headers["Content-Type"] == MANIFEST


@clause("end-7a", PUSH, RULING)
def test_without_a_content_type_the_media_type_inside_decides(repository: Repository, image: Content) -> None:
    expect(put(repository, "v1", image, None), 201)
    assert repository.manifest("v1").headers["Content-Type"] == MANIFEST


@clause("end-7a", PUSH, RULING)
def test_without_any_type_the_shape_decides(repository: Repository, image: Content) -> None:
    image_document = {key: value for key, value in image.document.items() if key != "mediaType"}
    expect(put(repository, "shape", manifest_of(image_document), None), 201)
    assert repository.manifest("shape").headers["Content-Type"] == MANIFEST
    expect(put(repository, "list", manifest_of({"schemaVersion": 2, "manifests": []}), None), 201)
    assert repository.manifest("list").headers["Content-Type"] == INDEX


@clause("end-7a", PUSH, RULING)
@pytest.mark.parametrize("kind", ["text/html", "application/vnd.example.nothing+json", "image/png"])
def test_a_type_that_is_no_manifest_is_415(kind: str, repository: Repository, image: Content) -> None:
    document = {key: value for key, value in image.document.items() if key != "mediaType"}
    expect(put(repository, "v1", manifest_of(document), kind), 415)


@clause("end-7a", PUSH)
def test_the_digest_in_the_address_must_be_that_of_the_bytes(repository: Repository, image: Content) -> None:
    wrong = Content(image.media_type, image.body + b"  ")
    response = expect(repository.put(image.digest, wrong), 400)
    assert codes(response) in ([], ["DIGEST_INVALID"], ["MANIFEST_INVALID"])
    expect(repository.manifest(image.digest, "HEAD"), 404)


@clause("end-7a", PUSH)
@pytest.mark.parametrize("digest", ["sha256:baddigeststring", "md5:" + "0" * 32, "sha256:" + "G" * 64])
def test_a_digest_that_is_none_is_400(digest: str, repository: Repository, image: Content) -> None:
    expect(repository.put(digest, image), 400)
    expect(repository.manifest(digest), 400, 404)


@clause("end-7a", PUSH, SHOULD)
def test_a_manifest_of_4_mb_is_taken(repository: Repository, image: Content) -> None:
    large = sized(image, 4_000_000)
    expect(repository.put("large", large), 201)
    assert repository.manifest("large").content == large.body


@clause("end-7a", PUSH, RULING)
def test_the_limit_is_4_mib_and_one_byte_more_is_413(repository: Repository, image: Content) -> None:
    expect(repository.put("most", sized(image, LIMIT)), 201)
    expect(repository.put("more", sized(image, LIMIT + 1)), 413)
    expect(repository.manifest("more", "HEAD"), 404)


@clause("end-7a", PUSH, SHOULD)
def test_a_manifest_far_over_any_limit_is_413(repository: Repository, image: Content) -> None:
    response = repository.put("huge", sized(image, 20_000_000))
    if response.status_code == 201:
        unsupported("manifests of 20 MB are taken")
    expect(response, 413)


@clause("end-7b", PUSH, MAY, DEV)
def test_ten_tags_go_in_one_put(repository: Repository, image: Content) -> None:
    tags = [f"t{number}" for number in range(10)]
    response = expect(repository.put(image.digest, image, [("tag", tag) for tag in tags]), 201)
    confirmed = [tag.strip() for tag in response.headers.get("OCI-Tag", "").split(",") if tag.strip()]
    if not confirmed:
        unsupported("no OCI-Tag in the answer")
    assert sorted(confirmed) == tags
    assert repository.tags().json()["tags"] == tags
    assert all(repository.manifest(tag).content == image.body for tag in tags)


def with_tags(repository: Repository, image: Content, *tags: str) -> httpx.Response:
    """PUT by digest with these tags; the registry must know the parameter."""
    probe = expect(repository.put(image.digest, image, {"tag": "probe"}), 201)
    if "OCI-Tag" not in probe.headers:
        unsupported("no OCI-Tag in the answer")
    return repository.put(image.digest, image, [("tag", tag) for tag in tags])


@clause("end-7b", PUSH, RULING, DEV)
def test_each_tag_is_confirmed_in_a_header_of_its_own_and_once(repository: Repository, image: Content) -> None:
    response = expect(with_tags(repository, image, "b", "a", "b"), 201)
    assert sorted(response.headers.get_list("OCI-Tag")) == ["a", "b"]


@clause("end-7b", PUSH, RULING, DEV)
@pytest.mark.parametrize("bad", ["", "-x", "a/b", "a" * 129, "ä", "a b"])
def test_one_illegal_tag_refuses_all(bad: str, repository: Repository, image: Content) -> None:
    expect(with_tags(repository, image, "good", bad), 400)
    assert repository.tags().json()["tags"] == ["probe"]


@clause("end-7b", PUSH, RULING, DEV)
def test_100_tags_are_taken_and_101_are_414(repository: Repository, image: Content) -> None:
    expect(with_tags(repository, image, *(f"n{number:03}" for number in range(100))), 201)
    expect(with_tags(repository, image, *(f"m{number:03}" for number in range(101))), 414)
    assert len(repository.tags().json()["tags"]) == 101


@clause("end-7b", PUSH, RULING, DEV)
def test_tag_parameters_at_a_put_by_tag_are_400(repository: Repository, image: Content) -> None:
    with_tags(repository, image, "first")
    expect(repository.put("v1", image, {"tag": "v2"}), 400)
    expect(repository.manifest("v1", "HEAD"), 404)


@clause("end-7b", PUSH, MUST, DEV)
def test_a_put_with_a_wrong_digest_sets_no_tag(repository: Repository, image: Content, make: Maker) -> None:
    expect(repository.put(make.blob().digest, image, {"tag": "wrong"}), 400)
    expect(repository.manifest("wrong", "HEAD"), 404)


@clause("end-7a", SUBJECT)
def test_no_subject_no_confirmation(repository: Repository, image: Content) -> None:
    assert "OCI-Subject" not in expect(repository.put("v1", image), 201).headers


@clause("end-7a", SUBJECT)
def test_a_subject_that_comes_later_is_no_obstacle(repository: Repository, make: Maker) -> None:
    subject = make.image()
    referrer = repository.push(make.image(Shape(subject=subject.root.descriptor())))
    expect(repository.referrers(subject.root.digest), 200)
    repository.push(subject, "late")
    listed = repository.referrers(subject.root.digest).json()["manifests"]
    assert [entry["digest"] for entry in listed] == [referrer.digest]


@clause("end-7a", SUBJECT)
def test_a_manifest_pushed_again_confirms_its_subject_again(repository: Repository, make: Maker) -> None:
    subject = repository.push(make.image())
    bundle = make.image(Shape(subject=subject.descriptor()))
    referrer = repository.push(bundle)
    expect(repository.referrers(subject.digest), 200)
    for reference in (referrer.digest, "tagged"):
        assert repository.put(reference, referrer).headers.get("OCI-Subject") == subject.digest
    assert len(repository.referrers(subject.digest).json()["manifests"]) == 1


BROKEN_SUBJECTS: list[Json | str | int] = [
    {"mediaType": MANIFEST, "size": 2, "digest": "nonsense"},
    {"mediaType": MANIFEST, "size": 2},
    {"mediaType": MANIFEST, "size": -2, "digest": digest_of(b"")},
    "nothing",
    7,
]


@clause("end-7a", SUBJECT, RULING)
@pytest.mark.parametrize("subject", BROKEN_SUBJECTS, ids=json.dumps)
def test_a_subject_that_is_no_descriptor_is_400(
    subject: Json | str | int, repository: Repository, image: Content
) -> None:
    response = repository.put("v1", manifest_of(image.document | {"subject": subject}))
    assert set(codes(expect(response, 400))) <= {"MANIFEST_INVALID", "DIGEST_INVALID", "SIZE_INVALID"}
