"""end-12a and end-12b: which manifests refer to this one."""

from dataclasses import replace

import httpx
import pytest
from clauses import MAY, MUST, RULING, SHOULD, clause, unsupported
from client import Repository, expect, next_page
from data import ARTIFACT, EMPTY, INDEX, MANIFEST, SBOM, SIGNATURE, Content, Json, Maker, Shape, digest_of, manifest_of

LIST = "Listing Referrers"
ENABLING = "Enabling the Referrers API"
SCHEMA = "Referrers Tag Schema"


@pytest.fixture
def subject(repository: Repository, make: Maker) -> Content:
    """An image in the repository, to be referred to."""
    return repository.push(make.image(), "subject")


def attach(repository: Repository, make: Maker, subject: Content, **change: object) -> Content:
    """Push an artifact with that subject."""
    shape: Shape = replace(ARTIFACT, subject=subject.descriptor(), **change)  # type: ignore[arg-type] # any field of Shape
    return repository.push(make.image(shape))


def entries(response: httpx.Response) -> list[Json]:
    """The descriptors of the answer, which must be an image index."""
    document: Json = expect(response, 200).json()
    assert document["schemaVersion"] == 2
    assert document["mediaType"] == INDEX
    found: list[Json] = document["manifests"]
    return found


def digests(response: httpx.Response) -> set[str]:
    """The digests of the answer."""
    return {entry["digest"] for entry in entries(response)}


@clause("end-12a", LIST)
def test_the_answer_is_an_image_index_by_its_exact_type(repository: Repository, subject: Content) -> None:
    response = expect(repository.referrers(subject.digest), 200)
    assert response.headers["Content-Type"] == INDEX
    assert entries(response) == []


@clause("end-12a", LIST)
def test_an_unknown_digest_has_an_empty_list(repository: Repository, subject: Content, make: Maker) -> None:
    assert entries(repository.referrers(make.blob().digest)) == []


@clause("end-12a", LIST, RULING)
def test_an_unknown_repository_has_an_empty_list(repository: Repository, make: Maker) -> None:
    response = repository.referrers(make.blob().digest)
    assert entries(response) == []
    assert response.headers["Content-Type"] == INDEX


@clause("end-12a", LIST)
@pytest.mark.parametrize("digest", ["sha256:short", "nonsense", "sha256:" + "z" * 64, "latest"])
def test_a_digest_that_is_none_is_400(digest: str, repository: Repository, subject: Content) -> None:
    repository.referrers(subject.digest)
    expect(repository.call("GET", f"referrers/{digest}"), 400)


@clause("end-12a", LIST)
def test_a_referrer_is_described_in_full(repository: Repository, subject: Content, make: Maker) -> None:
    notes = {"org.opencontainers.image.created": "2026-01-02T03:04:05Z", "org.example.word": make.word()}
    referrer = attach(repository, make, subject, annotations=notes)
    described = {
        "mediaType": MANIFEST,
        "digest": referrer.digest,
        "size": len(referrer.body),
        "artifactType": SBOM,
        "annotations": notes,
    }
    assert entries(repository.referrers(subject.digest)) == [described]


@clause("end-12a", LIST)
def test_without_an_artifact_type_that_of_the_config_stands_in(
    repository: Repository, subject: Content, make: Maker
) -> None:
    config = Content(SIGNATURE, b"{}")
    for kind in (None, ""):
        referrer = attach(repository, make, subject, artifact_type=kind, config=config)
        listed = {entry["digest"]: entry for entry in entries(repository.referrers(subject.digest))}
        assert listed[referrer.digest]["artifactType"] == SIGNATURE


@clause("end-12a", LIST)
def test_an_index_without_an_artifact_type_is_listed_without(
    repository: Repository, subject: Content, make: Maker
) -> None:
    referrer = repository.push(make.index(make.image(), shape=Shape(subject=subject.descriptor())))
    (entry,) = entries(repository.referrers(subject.digest))
    assert entry["digest"] == referrer.digest
    assert entry["mediaType"] == INDEX
    assert "artifactType" not in entry


@clause("end-12a", LIST)
def test_an_index_with_an_artifact_type_is_listed_with_it(
    repository: Repository, subject: Content, make: Maker
) -> None:
    shape = Shape(subject=subject.descriptor(), artifact_type=SBOM, annotations={"a": "b"})
    repository.push(make.index(make.image(), shape=shape))
    (entry,) = entries(repository.referrers(subject.digest))
    assert (entry["artifactType"], entry["annotations"]) == (SBOM, {"a": "b"})


@clause("end-12a", LIST)
def test_referrers_of_each_kind_stand_together_once(repository: Repository, subject: Content, make: Maker) -> None:
    pushed = {attach(repository, make, subject, artifact_type=kind).digest for kind in (SBOM, SBOM, SIGNATURE, None)}
    again = attach(repository, make, subject)
    repository.put("tagged", again)
    repository.put(again.digest, again)
    listed = [entry["digest"] for entry in entries(repository.referrers(subject.digest))]
    assert sorted(listed) == sorted(pushed | {again.digest})


@clause("end-12a", LIST)
def test_referrers_of_another_repository_are_not_listed(repository: Repository, other: Repository, make: Maker) -> None:
    bundle = make.image()
    subject = repository.push(bundle)
    other.push(bundle)
    attach(other, make, subject)
    assert entries(repository.referrers(subject.digest)) == []


@clause("end-12a", LIST)
def test_a_referrer_may_have_referrers(repository: Repository, subject: Content, make: Maker) -> None:
    sbom = attach(repository, make, subject)
    signature = attach(repository, make, sbom, artifact_type=SIGNATURE)
    assert digests(repository.referrers(subject.digest)) == {sbom.digest}
    assert digests(repository.referrers(sbom.digest)) == {signature.digest}


@clause("end-12a", LIST)
def test_the_list_never_names_the_subject_itself_or_its_images(repository: Repository, make: Maker) -> None:
    index = repository.push(make.platforms(), "index")
    referrer = attach(repository, make, index)
    assert digests(repository.referrers(index.digest)) == {referrer.digest}


@clause("end-12b", LIST, SHOULD)
def test_a_filter_gives_only_that_type_and_says_so(repository: Repository, subject: Content, make: Maker) -> None:
    sbom = attach(repository, make, subject)
    attach(repository, make, subject, artifact_type=SIGNATURE)
    response = repository.referrers(subject.digest, artifactType=SBOM)
    if "OCI-Filters-Applied" not in response.headers:
        unsupported("no OCI-Filters-Applied in the answer")
    assert response.headers["OCI-Filters-Applied"] == "artifactType"
    assert digests(response) == {sbom.digest}
    assert response.headers["Content-Type"] == INDEX


@clause("end-12b", LIST, SHOULD)
def test_a_filter_finds_the_type_of_the_config(repository: Repository, subject: Content, make: Maker) -> None:
    referrer = attach(repository, make, subject, artifact_type=None, config=Content(SIGNATURE, b"{}"))
    attach(repository, make, subject)
    response = repository.referrers(subject.digest, artifactType=SIGNATURE)
    if "OCI-Filters-Applied" not in response.headers:
        unsupported("no OCI-Filters-Applied in the answer")
    assert digests(response) == {referrer.digest}


@clause("end-12b", LIST, SHOULD)
@pytest.mark.parametrize("kind", ["application/vnd.example.none", "Application/Vnd.Example.Sbom.V1", "*/*", "%", "'"])
def test_a_filter_that_nothing_matches_gives_an_empty_list(
    kind: str, repository: Repository, subject: Content, make: Maker
) -> None:
    attach(repository, make, subject)
    response = repository.referrers(subject.digest, artifactType=kind)
    if "OCI-Filters-Applied" not in response.headers:
        unsupported("no OCI-Filters-Applied in the answer")
    assert entries(response) == []


@clause("end-12b", LIST)
def test_without_a_filter_none_is_said_to_be_applied(repository: Repository, subject: Content) -> None:
    for parameters in ({}, {"annotation": "x"}):
        assert "OCI-Filters-Applied" not in repository.referrers(subject.digest, **parameters).headers


@clause("end-12a", LIST)
def test_a_long_list_goes_over_pages_without_loss(repository: Repository, subject: Content, make: Maker) -> None:
    """Twelve referrers of 400 kB of annotations each fit in no single index of 4 MB."""
    long = "n" * 400_000
    repository.referrers(subject.digest)
    pushed = {attach(repository, make, subject, annotations={"n": long, "i": make.word()}).digest for _ in range(12)}
    response = repository.referrers(subject.digest)
    found = [entry["digest"] for entry in entries(response)]
    while (url := next_page(response)) is not None:
        response = expect(repository.http.get(url), 200)
        assert response.headers["Content-Type"] == INDEX
        found += [entry["digest"] for entry in entries(response)]
    assert len(found) == len(pushed)
    assert set(found) == pushed


@clause("end-12a", LIST, RULING)
def test_each_page_is_an_index_that_a_registry_would_take(
    repository: Repository, subject: Content, make: Maker
) -> None:
    repository.referrers(subject.digest)
    for _ in range(12):
        attach(repository, make, subject, annotations={"n": "n" * 400_000, "i": make.word()})
    response = repository.referrers(subject.digest, artifactType=SBOM)
    pages = 1
    while len(response.content) <= 4 * 1024 * 1024 and (url := next_page(response)) is not None:
        response, pages = expect(repository.http.get(url), 200), pages + 1
        assert response.headers["OCI-Filters-Applied"] == "artifactType"
    assert len(response.content) <= 4 * 1024 * 1024
    assert pages > 1


@clause("end-12a", LIST, RULING)
def test_the_newest_referrer_comes_first(repository: Repository, subject: Content, make: Maker) -> None:
    pushed = [attach(repository, make, subject).digest for _ in range(4)]
    assert [entry["digest"] for entry in entries(repository.referrers(subject.digest))] == pushed[::-1]


@clause("end-12a", LIST)
def test_a_deleted_referrer_is_listed_no_more(repository: Repository, subject: Content, make: Maker) -> None:
    first, second = attach(repository, make, subject), attach(repository, make, subject)
    repository.referrers(subject.digest)
    expect(repository.delete(f"manifests/{first.digest}"), 202)
    assert digests(repository.referrers(subject.digest)) == {second.digest}


@clause("end-12a", LIST)
def test_referrers_outlive_their_subject_and_its_return(repository: Repository, make: Maker) -> None:
    bundle = make.image()
    subject = repository.push(bundle, "subject")
    referrer = attach(repository, make, subject)
    repository.referrers(subject.digest)
    expect(repository.delete(f"manifests/{subject.digest}"), 202)
    assert digests(repository.referrers(subject.digest)) == {referrer.digest}
    repository.push(bundle, "subject")
    assert digests(repository.referrers(subject.digest)) == {referrer.digest}


@clause("end-12a", LIST, MUST)
def test_a_sha512_subject_has_referrers(repository: Repository, make: Maker) -> None:
    subject = make.image(Shape(algorithm="sha512"))
    absent = subject.root
    referrer = attach(repository, make, absent)
    assert digests(repository.referrers(absent.digest)) == {referrer.digest}


def fallback(repository: Repository, subject: Content, *listed: Content) -> None:
    """Push what a client pushes where there is no referrers API: an index under the tag made from the digest."""
    document = {
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [manifest.descriptor(artifactType=SBOM) for manifest in listed],
    }
    expect(repository.put(subject.digest.replace(":", "-"), manifest_of(document)), 201)


@clause("end-12a", ENABLING)
def test_a_fallback_tag_adds_nothing_that_is_listed_already(
    repository: Repository, subject: Content, make: Maker
) -> None:
    referrer = attach(repository, make, subject)
    repository.referrers(subject.digest)
    fallback(repository, subject, referrer)
    assert [entry["digest"] for entry in entries(repository.referrers(subject.digest))] == [referrer.digest]


@clause("end-12a", ENABLING, RULING)
def test_a_fallback_tag_lists_nobody_who_has_another_subject(
    repository: Repository, subject: Content, make: Maker
) -> None:
    stranger = repository.push(make.image())
    fallback(repository, subject, stranger)
    assert entries(repository.referrers(subject.digest)) == []


@clause("end-3", SCHEMA)
def test_a_fallback_tag_is_a_tag_like_any_other(repository: Repository, subject: Content, make: Maker) -> None:
    absent = digest_of(make.word().encode())
    document = {"schemaVersion": 2, "mediaType": INDEX, "manifests": []}
    index = manifest_of(document | {"annotations": {"of": absent}})
    tag = absent.replace(":", "-")
    expect(repository.put(tag, index), 201)
    assert repository.manifest(tag).content == index.body
    assert tag in repository.tags().json()["tags"]


@clause("end-12a", LIST, MAY)
def test_head_of_the_list_has_its_type(repository: Repository, subject: Content) -> None:
    repository.referrers(subject.digest)
    response = expect(repository.call("HEAD", f"referrers/{subject.digest}"), 200)
    assert response.headers["Content-Type"] == INDEX
    assert response.content == b""


@clause("end-12a", LIST)
def test_an_artifact_of_nothing_but_the_empty_descriptor_is_listed(
    repository: Repository, subject: Content, make: Maker
) -> None:
    referrer = attach(repository, make, subject, layers=0, config=Content(EMPTY, b"{}"))
    assert digests(repository.referrers(subject.digest)) == {referrer.digest}
