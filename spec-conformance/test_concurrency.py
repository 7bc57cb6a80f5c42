"""Many clients at once: nothing is lost, nothing is mixed up, nobody is refused without reason."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import httpx
from clauses import MAY, RULING, SHOULD, clause, unsupported
from client import Repository, Session, expect
from data import ARTIFACT, Content, Maker, Shape, digest_of

BLOBS = "Use Cases: Layer Upload De-duplication"
CHUNKS = "Pushing a blob in chunks"
MANIFESTS = "Pushing Manifests"
REFERRERS = "Listing Referrers"
CLIENTS = 8

T = TypeVar("T")
R = TypeVar("R")


def together(action: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Do all at once, each in its own thread; what one raises is raised here."""
    with ThreadPoolExecutor(CLIENTS) as threads:
        return list(threads.map(action, items))


@clause("end-6", BLOBS)
def test_the_same_blob_pushed_by_many_at_once_is_there(repository: Repository, make: Maker) -> None:
    blob = make.blob(50_000)
    together(lambda _: repository.push_blob(blob), range(CLIENTS))
    assert expect(repository.blob(blob.digest), 200).content == blob.body


@clause("end-6", BLOBS)
def test_the_same_blob_pushed_to_many_repositories_at_once_is_in_each(
    new_repository: Callable[[str], Repository], make: Maker
) -> None:
    blob = make.blob(50_000)
    repositories = [new_repository("at-once") for _ in range(CLIENTS)]
    together(lambda repository: repository.push_blob(blob), repositories)
    assert all(repository.blob(blob.digest).content == blob.body for repository in repositories)


@clause("end-6", CHUNKS)
def test_different_blobs_pushed_at_once_are_all_whole(repository: Repository, make: Maker) -> None:
    blobs = [make.blob(30_000 + number) for number in range(2 * CLIENTS)]

    def push(blob: Content) -> bytes:
        session = repository.session()
        expect(session.patch(blob.body[:10_000], 0), 202)
        expect(session.patch(blob.body[10_000:], 10_000), 202)
        expect(session.put(blob.digest), 201)
        return repository.blob(blob.digest).content

    assert together(push, blobs) == [blob.body for blob in blobs]


@clause("end-5", CHUNKS)
def test_uploads_of_one_client_side_by_side_do_not_mix(repository: Repository, make: Maker) -> None:
    blobs = [make.blob(6000) for _ in range(4)]
    sessions = [repository.session() for _ in blobs]
    for start in (0, 2000, 4000):
        for session, blob in zip(sessions, blobs, strict=True):
            expect(session.patch(blob.body[start : start + 2000], start), 202)
    for session, blob in zip(sessions, blobs, strict=True):
        expect(session.put(blob.digest), 201)
        assert repository.blob(blob.digest).content == blob.body


@clause("end-5", CHUNKS)
def test_the_same_chunk_sent_twice_at_once_is_taken_once(repository: Repository, make: Maker) -> None:
    blob, session = make.blob(40_000), repository.session()
    location = session.location

    def send(_: int) -> httpx.Response:
        headers = {"Content-Range": "0-19999"}
        return repository.http.patch(location, content=blob.body[:20_000], headers=headers)

    answers = together(send, range(2))
    taken = [response for response in answers if response.status_code == 202]
    assert len(taken) == 1, [response.status_code for response in answers]
    session.location = taken[0].url.join(taken[0].headers["Location"])
    expect(session.patch(blob.body[20_000:], 20_000), 202)
    expect(session.put(blob.digest), 201)
    assert repository.blob(blob.digest).content == blob.body


@clause("end-6", CHUNKS, RULING)
def test_the_final_put_sent_twice_at_once_is_201_twice(repository: Repository, make: Maker) -> None:
    blob, session = make.blob(40_000), repository.session()
    expect(session.patch(blob.body, 0), 202)
    answers = together(lambda _: session.put(blob.digest), range(2))
    assert [response.status_code for response in answers] == [201, 201]
    assert repository.blob(blob.digest).content == blob.body


@clause("end-7a", MANIFESTS)
def test_one_tag_set_by_many_at_once_is_one_of_theirs_and_none_is_lost(repository: Repository, make: Maker) -> None:
    bundle = make.image()
    repository.push(bundle, "moving")
    manifests = [Content(bundle.root.media_type, bundle.root.body + b" " * n) for n in range(2 * CLIENTS)]
    together(lambda manifest: expect(repository.put("moving", manifest), 201), manifests)
    assert repository.manifest("moving").content in {manifest.body for manifest in manifests}
    assert all(repository.manifest(manifest.digest).content == manifest.body for manifest in manifests)
    assert repository.tags().json()["tags"] == ["moving"]


@clause("end-7a", MANIFESTS)
def test_the_same_manifest_pushed_by_many_under_their_own_tags(repository: Repository, make: Maker) -> None:
    bundle = make.image()
    image = repository.push(bundle)
    tags = [f"t{number:02}" for number in range(2 * CLIENTS)]
    together(lambda tag: expect(repository.put(tag, image), 201), tags)
    assert repository.tags().json()["tags"] == tags


@clause("end-3", "Pulling manifests")
def test_a_tag_that_moves_gives_one_manifest_or_another_whole(repository: Repository, make: Maker) -> None:
    images = [repository.push(make.image(Shape(layers=layers)), "moving") for layers in (1, 3)]

    def step(number: int) -> None:
        if number % 4 == 0:
            expect(repository.put("moving", images[number // 4 % 2]), 201)
            return
        response = expect(repository.manifest("moving"), 200)
        assert response.content in {image.body for image in images}
        assert response.headers.get("Docker-Content-Digest") in {None, digest_of(response.content)}
        assert response.headers["Content-Length"] == str(len(response.content))

    together(step, range(12 * CLIENTS))
    assert repository.manifest("moving").content in {image.body for image in images}


@clause("end-12a", REFERRERS)
def test_referrers_pushed_by_many_at_once_are_all_listed(repository: Repository, make: Maker) -> None:
    subject = repository.push(make.image(), "subject")
    shape = Shape(subject=subject.descriptor(), artifact_type=ARTIFACT.artifact_type, config=ARTIFACT.config)
    bundles = [make.image(shape) for _ in range(2 * CLIENTS)]
    repository.referrers(subject.digest)
    pushed = together(lambda bundle: repository.push(bundle).digest, bundles)
    listed = [entry["digest"] for entry in repository.referrers(subject.digest).json()["manifests"]]
    assert sorted(listed) == sorted(pushed)


@clause("end-12a", REFERRERS)
def test_a_subject_and_its_referrers_may_come_at_once(repository: Repository, make: Maker) -> None:
    subject = make.image()
    shape = Shape(subject=subject.root.descriptor(), artifact_type=ARTIFACT.artifact_type)
    bundles = [subject, *(make.image(shape) for _ in range(CLIENTS))]
    repository.referrers(subject.root.digest)
    _, *pushed = together(lambda bundle: repository.push(bundle).digest, bundles)
    listed = [entry["digest"] for entry in repository.referrers(subject.root.digest).json()["manifests"]]
    assert sorted(listed) == sorted(pushed)


@clause("end-11", "Mounting a blob from another repository", MAY)
def test_a_blob_mounted_by_many_at_once_is_in_each(
    repository: Repository, new_repository: Callable[[str], Repository], make: Maker
) -> None:
    blob = make.blob()
    repository.push_blob(blob)
    repositories = [new_repository("mount") for _ in range(CLIENTS)]
    mounts = together(lambda there: there.start({"mount": blob.digest, "from": repository.name}), repositories)
    if any(response.status_code == 202 for response in mounts):
        unsupported("mounts are answered with a session")
    assert all(there.blob(blob.digest).content == blob.body for there in repositories)


@clause("end-10", "Deleting Blobs")
def test_a_blob_deleted_in_one_repository_while_pushed_to_others_is_lost_nowhere(
    new_repository: Callable[[str], Repository], make: Maker
) -> None:
    blob = make.blob(20_000)
    repositories = [new_repository("delete") for _ in range(CLIENTS)]

    def work(number: int) -> None:
        repositories[number].push_blob(blob)
        if number % 2:
            expect(repositories[number].delete(f"blobs/{blob.digest}"), 202)

    together(work, range(CLIENTS))
    for number, repository in enumerate(repositories):
        response = expect(repository.blob(blob.digest), 404 if number % 2 else 200)
        assert number % 2 or response.content == blob.body


@clause("end-9", "Deleting Manifests", SHOULD)
def test_a_manifest_deleted_by_many_at_once_is_202_or_404_and_gone(repository: Repository, make: Maker) -> None:
    image = repository.push(make.image(), "here")
    answers = together(lambda _: repository.delete(f"manifests/{image.digest}"), range(CLIENTS))
    assert {response.status_code for response in answers} <= {202, 404}
    assert any(response.status_code == 202 for response in answers)
    expect(repository.manifest("here"), 404)


@clause("end-8b", "Listing Tags")
def test_pages_read_while_tags_are_added_miss_no_tag_that_was_there(repository: Repository, make: Maker) -> None:
    image = repository.push(make.image(), "m00")
    there = [f"m{number:02}" for number in range(20)]
    for tag in there[1:]:
        expect(repository.put(tag, image), 201)

    def step(number: int) -> set[str]:
        if number % 2:
            expect(repository.put(f"k{number:02}", image), 201)
            return set(there)
        found: list[str] = []
        while page := repository.tags(n="7", last=found[-1] if found else "a").json()["tags"]:
            found += page
        return set(found)

    assert all(set(there) <= found for found in together(step, range(2 * CLIENTS)))


@clause("end-4a", CHUNKS)
def test_many_sessions_may_be_open_at_once(repository: Repository, make: Maker) -> None:
    blobs = [make.blob(100) for _ in range(40)]
    opened: list[Session] = together(lambda _: repository.session(), blobs)
    assert len({str(session.location) for session in opened}) == len(blobs)
    pairs = list(zip(opened, blobs, strict=True))
    answers = together(lambda pair: pair[0].put(pair[1].digest, pair[1].body), pairs)
    assert all(response.status_code == 201 for response in answers)
