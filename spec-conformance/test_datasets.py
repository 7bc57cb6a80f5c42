"""Every set of content goes in whole, is listed, comes back byte for byte, and goes away."""

from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
import pytest
from clauses import DEV, MUST, SHOULD, Unsupported, clause, unsupported
from client import Repository, described, expect
from data import Content, Json, Maker
from datasets import DATA_SETS, PARAMETER_SETS, SUBJECT_SETS, DataSet


@dataclass(slots=True)
class Pushed:
    """A set in its repository, with the answers to the PUTs of its manifests."""

    repository: Repository
    data: DataSet
    answers: dict[str, httpx.Response] = field(default_factory=dict)
    trouble: Exception | None = None

    def require(self) -> None:
        """End the test unless the push went well; why it did not is told by the test of the push alone."""
        if self.trouble is not None:
            unsupported("the set was not pushed")

    @property
    def manifests(self) -> tuple[Content, ...]:
        """The manifests, children first."""
        return self.data.bundle.manifests

    def by_digest(self, digest: str) -> Content:
        """The manifest of that digest."""
        return next(manifest for manifest in self.manifests if manifest.digest == digest)


def _put(pushed: Pushed, manifest: Content) -> None:
    names = [tag for tag, digest in pushed.data.tags.items() if digest == manifest.digest]
    parameters = [("tag", tag) for tag in names] if pushed.data.parameters else []
    response = pushed.repository.put(manifest.digest, manifest, parameters)
    _take(pushed, manifest, response)
    pushed.answers[manifest.digest] = response
    for tag in [] if pushed.data.parameters else names:
        pushed.answers[tag] = _take(pushed, manifest, pushed.repository.put(tag, manifest))


def _take(pushed: Pushed, manifest: Content, response: httpx.Response) -> httpx.Response:
    sha512 = manifest.algorithm != "sha256" or b'"sha512:' in manifest.body
    if response.status_code in {400, 415} and (pushed.data.optional or sha512):
        unsupported(described(response, "201"))
    return expect(response, 201)


def _push(pushed: Pushed) -> None:
    for blob in pushed.data.bundle.blobs:
        pushed.repository.push_blob(blob)
    for manifest in pushed.manifests:
        _put(pushed, manifest)


NAMES = [*DATA_SETS, *(pytest.param(name, marks=pytest.mark.dev) for name in PARAMETER_SETS)]
with_subjects = pytest.mark.parametrize("pushed", SUBJECT_SETS, indirect=True)
with_parameters = pytest.mark.parametrize("pushed", list(PARAMETER_SETS), indirect=True)


@pytest.fixture(scope="module", params=NAMES)
def pushed(request: pytest.FixtureRequest, new_repository: Callable[[str], Repository]) -> Pushed:
    """Each set in turn, pushed once for all tests of this file."""
    name = request.param
    data = (DATA_SETS | PARAMETER_SETS)[name](Maker(f"{request.config.option.seed} {name}"))
    pushed = Pushed(new_repository(name), data)
    try:
        _push(pushed)
    except (Unsupported, AssertionError) as error:
        pushed.trouble = error
    return pushed


@clause("end-7a", "Pushing Manifests")
def test_the_set_is_taken(pushed: Pushed) -> None:
    if pushed.trouble is not None:
        raise pushed.trouble
    for response in pushed.answers.values():
        expect(response, 201)


@clause("end-7a", "Pushing Manifests")
def test_the_location_of_each_manifest_gives_it_back(pushed: Pushed) -> None:
    pushed.require()
    for name, response in pushed.answers.items():
        manifest = pushed.by_digest(pushed.data.tags.get(name, name))
        address = response.url.join(response.headers["Location"])
        accept = {"Accept": manifest.media_type}
        assert expect(pushed.repository.http.get(address, headers=accept), 200).content == manifest.body


@clause("end-7a", "Pushing Manifests", MUST, DEV)
def test_the_answer_to_each_put_names_the_digest(pushed: Pushed) -> None:
    pushed.require()
    for name, response in pushed.answers.items():
        assert response.headers.get("Docker-Content-Digest") == pushed.data.tags.get(name, name)


@clause("end-7a", "Pushing Manifests with Subject")
@with_subjects
def test_each_subject_is_confirmed(pushed: Pushed) -> None:
    pushed.require()
    for name, response in pushed.answers.items():
        subject = pushed.by_digest(pushed.data.tags.get(name, name)).document.get("subject")
        confirmed = response.headers.get("OCI-Subject")
        if subject and confirmed is None:
            pushed.repository.referrers(subject["digest"])
        assert confirmed == (subject["digest"] if subject else None)


@clause("end-7b", "Pushing Manifests", MUST, DEV)
@with_parameters
def test_each_tag_parameter_is_confirmed(pushed: Pushed) -> None:
    pushed.require()
    for digest, response in pushed.answers.items():
        wanted = {tag for tag, target in pushed.data.tags.items() if target == digest}
        confirmed = {tag.strip() for tag in response.headers.get("OCI-Tag", "").split(",") if tag.strip()}
        if not confirmed:
            unsupported("no OCI-Tag in the answer")
        assert confirmed == wanted


@clause("end-8a", "Listing Tags")
def test_the_tags_are_listed(pushed: Pushed) -> None:
    pushed.require()
    if pushed.data.parameters and pushed.repository.tags().status_code == 404:
        unsupported("the tag parameters were ignored")
    if pushed.data.tags:
        assert expect(pushed.repository.tags(), 200).json()["tags"] == sorted(pushed.data.tags)
    else:
        response = expect(pushed.repository.tags(), 200, 404)
        assert response.status_code == 404 or not response.json()["tags"]


@clause("end-3", "Pulling manifests")
def test_each_manifest_comes_back_byte_for_byte_by_tag_and_digest(pushed: Pushed) -> None:
    pushed.require()
    for name in (*pushed.data.tags, *(manifest.digest for manifest in pushed.manifests)):
        manifest = pushed.by_digest(pushed.data.tags.get(name, name))
        response = pushed.repository.manifest(name)
        if response.status_code == 404 and pushed.data.parameters and name in pushed.data.tags:
            unsupported("the tag parameters were ignored")
        assert expect(response, 200).content == manifest.body
        assert response.headers["Content-Type"] == manifest.media_type
        assert response.headers.get("Docker-Content-Digest") in {None, manifest.digest}


@clause("end-3", "Checking if content exists in the registry")
def test_the_head_of_each_manifest_tells_its_size_and_type(pushed: Pushed) -> None:
    pushed.require()
    for manifest in pushed.manifests:
        response = expect(pushed.repository.manifest(manifest.digest, "HEAD"), 200)
        assert response.content == b""
        assert response.headers["Content-Length"] == str(len(manifest.body))
        assert response.headers["Content-Type"] == manifest.media_type


@clause("end-3", "Pulling manifests", MUST, DEV)
def test_get_and_head_of_each_manifest_name_its_digest(pushed: Pushed) -> None:
    pushed.require()
    for manifest in pushed.manifests:
        for method in ("GET", "HEAD"):
            response = expect(pushed.repository.manifest(manifest.digest, method), 200)
            assert response.headers.get("Docker-Content-Digest") == manifest.digest


@clause("end-2", "Pulling blobs")
def test_each_blob_comes_back_byte_for_byte(pushed: Pushed) -> None:
    pushed.require()
    for blob in pushed.data.bundle.blobs:
        assert expect(pushed.repository.blob(blob.digest), 200).content == blob.body
        headed = expect(pushed.repository.blob(blob.digest, "HEAD"), 200)
        assert headed.headers["Content-Length"] == str(len(blob.body))


def _described(manifest: Content) -> Json:
    document = manifest.document
    kind = document.get("artifactType") or document.get("config", {}).get("mediaType")
    entry = manifest.descriptor() | ({"artifactType": kind} if kind else {})
    return entry | ({"annotations": document["annotations"]} if "annotations" in document else {})


@clause("end-12a", "Listing Referrers")
@with_subjects
def test_each_subject_lists_its_referrers(pushed: Pushed) -> None:
    pushed.require()
    for subject in {m.document["subject"]["digest"] for m in pushed.manifests if "subject" in m.document}:
        wanted = [_described(m) for m in pushed.manifests if m.document.get("subject", {}).get("digest") == subject]
        listed = expect(pushed.repository.referrers(subject), 200).json()["manifests"]
        assert sorted(listed, key=lambda entry: entry["digest"]) == sorted(wanted, key=lambda entry: entry["digest"])


@clause("end-9", "Deleting Manifests", SHOULD)
def test_the_set_can_be_taken_away_again(pushed: Pushed) -> None:
    """Tags, then manifests parents first, then blobs; each is gone at once."""
    pushed.require()
    repository = pushed.repository
    for tag in pushed.data.tags:
        if repository.manifest(tag, "HEAD").status_code == 200:
            expect(repository.delete(f"manifests/{tag}"), 202)
            expect(repository.manifest(tag, "HEAD"), 404)
    for manifest in reversed(pushed.manifests):
        expect(repository.delete(f"manifests/{manifest.digest}"), 202)
        expect(repository.manifest(manifest.digest, "HEAD"), 404)
    for blob in {blob.digest: blob for blob in pushed.data.bundle.blobs}:
        expect(repository.delete(f"blobs/{blob}"), 202)
        expect(repository.blob(blob, "HEAD"), 404)
