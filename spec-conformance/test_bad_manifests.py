"""end-7a: manifests that no registry should keep, and references to what is not there."""

import json
from collections.abc import Callable

import pytest
from clauses import MUST, RULING, SHOULD, clause
from client import Repository, codes, expect
from data import DOCKER_MANIFEST, INDEX, MANIFEST, Bundle, Content, Json, Maker, manifest_of

PUSH = "Pushing Manifests"
MISSING = "Push: references to what does not exist"


@pytest.fixture
def image(repository: Repository, make: Maker) -> Content:
    """The manifest of an image whose blobs are in the repository; it is not pushed itself."""
    bundle = make.image()
    for blob in bundle.blobs:
        repository.push_blob(blob)
    return bundle.root


def expect_refused(repository: Repository, body: bytes, kind: str = MANIFEST) -> None:
    """The bytes must be refused as no manifest, and leave nothing behind."""
    bad = Content(kind, body)
    response = expect(repository.put("bad", bad), 400)
    assert set(codes(response)) <= {"MANIFEST_INVALID", "SIZE_INVALID", "DIGEST_INVALID"}
    expect(repository.put(bad.digest, bad), 400)
    expect(repository.manifest("bad", "HEAD"), 404)
    expect(repository.manifest(bad.digest, "HEAD"), 404)


NO_JSON = {
    "empty": b"",
    "text": b"hello",
    "list": b"[]",
    "string": b'"manifest"',
    "null": b"null",
    "cut off": b'{"schemaVersion": 2',
    "two objects": b'{"schemaVersion": 2} {}',
    "latin-1": b'{"schemaVersion": 2, "n": "\xe4"}',
    "utf-16": '{"schemaVersion": 2}'.encode("utf-16"),
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
}


@clause("end-7a", PUSH, SHOULD)
@pytest.mark.parametrize("body", NO_JSON.values(), ids=NO_JSON.keys())
def test_what_is_no_json_object_is_400(body: bytes, repository: Repository, image: Content) -> None:
    expect_refused(repository, body)


Change = Callable[[Json], object]


def without(name: str) -> Change:
    """The document without a member."""
    return lambda document: {key: value for key, value in document.items() if key != name}


def having(**members: object) -> Change:
    """The document with members replaced."""
    return lambda document: document | members


def first_layer(**members: object) -> Change:
    """The document with members of its first layer replaced."""

    def change(document: Json) -> Json:
        layers = document["layers"]
        return document | {"layers": [layers[0] | members, *layers[1:]]}

    return change


BROKEN: dict[str, Change] = {
    "layers is no list": having(layers="none"),
    "a layer is no object": having(layers=["sha256"]),
    "config is a list": having(config=[]),
    "no config": without("config"),
    "layer without digest": first_layer(digest=None),
    "digest is a number": first_layer(digest=7),
    "digest of no known form": first_layer(digest="nonsense"),
    "digest of an unknown algorithm": first_layer(digest="md5:" + "0" * 32),
    "digest in capitals": first_layer(digest="sha256:" + "A" * 64),
    "size is text": first_layer(size="12"),
    "size is negative": first_layer(size=-1),
    "size is a fraction": first_layer(size=1.5),
    "size is true": first_layer(size=True),
    "size over 63 bits": first_layer(size=2**63),
    "annotations are a list": having(annotations=["a"]),
    "an annotation is a number": having(annotations={"a": 1}),
    "mediaType is a number": having(mediaType=7),
    "manifests and layers": having(manifests=[]),
}


@clause("end-7a", PUSH, RULING)
@pytest.mark.parametrize("name", BROKEN)
def test_a_manifest_of_the_wrong_shape_is_400(name: str, repository: Repository, image: Content) -> None:
    expect_refused(repository, json.dumps(BROKEN[name](image.document)).encode())


@clause("end-7a", PUSH, SHOULD)
def test_a_size_that_is_not_the_blobs_is_400(repository: Repository, image: Content) -> None:
    document = image.document
    document["layers"][0]["size"] += 1
    expect_refused(repository, json.dumps(document).encode())


@clause("end-7a", PUSH, RULING)
def test_a_wrong_size_is_called_size_invalid(repository: Repository, image: Content) -> None:
    document = image.document
    document["config"]["size"] += 1
    assert codes(expect(repository.put("bad", manifest_of(document)), 400)) == ["SIZE_INVALID"]


@clause("end-7a", PUSH, RULING)
@pytest.mark.parametrize("kind", [INDEX, DOCKER_MANIFEST])
def test_a_media_type_that_is_not_the_content_type_is_400(kind: str, repository: Repository, image: Content) -> None:
    expect_refused(repository, image.body, kind)


@clause("end-7a", PUSH, RULING)
def test_an_index_with_layers_is_400(repository: Repository, make: Maker) -> None:
    expect_refused(
        repository, b'{"schemaVersion":2,"mediaType":"%b","manifests":[],"layers":[]}' % INDEX.encode(), INDEX
    )


@clause("end-7a", PUSH, RULING)
@pytest.mark.parametrize("member", ['"config": {}', '"schemaVersion": 2', '"x": 1, "x": 1', '"\\u006cayers": []'])
def test_a_key_that_stands_twice_is_400(member: str, repository: Repository, image: Content) -> None:
    expect_refused(repository, b"{%b, %b" % (member.encode(), image.body[1:]))


@clause("end-7a", PUSH, RULING)
@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "01", "+1", "'a'", "1.", "undefined"])
def test_what_only_some_parsers_take_for_json_is_400(value: str, repository: Repository, image: Content) -> None:
    expect_refused(repository, b'{"org.example.x": %b, %b' % (value.encode(), image.body[1:]))


@clause("end-7a", PUSH, RULING)
def test_a_byte_order_mark_is_400(repository: Repository, image: Content) -> None:
    expect_refused(repository, b"\xef\xbb\xbf" + image.body)


@clause("end-7a", PUSH, SHOULD)
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")], ids=["lists", "objects"])
def test_a_bomb_of_depth_is_400_and_the_registry_lives(
    opening: str, closing: str, repository: Repository, image: Content
) -> None:
    deep = opening * 200_000 + "1" + closing * 200_000
    expect_refused(repository, f'{{"x":{deep},{image.body.decode()[1:]}'.encode())


@clause("end-7a", PUSH)
def test_bytes_with_odd_escapes_come_back_as_they_were(repository: Repository, image: Content) -> None:
    odd = Content(
        MANIFEST, b'{"org.example.\\u0000": "\\ud800 \\udc00\\ud83d\\ude00 \xc3\xa9", ' + image.body[1:] + b"\n\n"
    )
    response = repository.put("odd", odd)
    if expect(response, 201, 400).status_code == 201:
        assert repository.manifest("odd").content == odd.body


@clause("end-7a", PUSH, RULING)
def test_lone_surrogates_and_nul_in_values_are_kept(repository: Repository, image: Content) -> None:
    odd = Content(MANIFEST, b'{"org.example.odd": "\\u0000\\ud800", ' + image.body[1:])
    expect(repository.put("odd", odd), 201)
    assert repository.manifest("odd").content == odd.body


def sparse_image(make: Maker) -> tuple[Bundle, list[str]]:
    """An image of which the config and the first layer are withheld, and their digests."""
    bundle = make.image()
    config, layer, *rest = bundle.blobs
    return Bundle(tuple(rest), bundle.manifests), [config.digest, layer.digest]


def sparse_index(make: Maker) -> Bundle:
    """An index of two images of which the second is withheld."""
    here, away = make.image(), make.image()
    return Bundle(here.blobs, (*here.manifests, make.index(here, away).root))


def wanted(request: pytest.FixtureRequest, taken_by: set[str]) -> tuple[int, ...]:
    """The statuses that are right for how the registry is set up; without word on it, either."""
    setting = request.config.option.sparse
    return (201, 400) if setting is None else (201,) if setting in taken_by else (400,)


@clause("end-7a", MISSING)
def test_an_image_whose_blobs_are_missing(request: pytest.FixtureRequest, repository: Repository, make: Maker) -> None:
    bundle, missing = sparse_image(make)
    for blob in bundle.blobs:
        repository.push_blob(blob)
    response = expect(repository.put("sparse", bundle.root), *wanted(request, {"all"}))
    if response.status_code == 400:
        assert "MANIFEST_BLOB_UNKNOWN" in codes(response)
        expect(repository.manifest("sparse", "HEAD"), 404)
    else:
        assert repository.manifest("sparse").content == bundle.root.body
        expect(repository.blob(missing[0], "HEAD"), 404)


@clause("end-7a", MISSING)
def test_an_index_whose_image_is_missing(request: pytest.FixtureRequest, repository: Repository, make: Maker) -> None:
    bundle = sparse_index(make)
    for blob in bundle.blobs:
        repository.push_blob(blob)
    expect(repository.put(bundle.manifests[0].digest, bundle.manifests[0]), 201)
    response = expect(repository.put("sparse", bundle.root), *wanted(request, {"all", "index"}))
    if response.status_code == 400:
        assert "MANIFEST_BLOB_UNKNOWN" in codes(response)
    else:
        assert repository.manifest("sparse").content == bundle.root.body


@clause("end-7a", MISSING, RULING)
def test_every_missing_blob_is_named(repository: Repository, make: Maker) -> None:
    bundle, missing = sparse_image(make)
    for blob in bundle.blobs:
        repository.push_blob(blob)
    response = repository.put("sparse", bundle.root)
    if response.status_code == 400:
        assert all(digest in response.text for digest in missing)
    else:
        warning = expect(response, 201).headers.get("Warning", "")
        assert warning.startswith('299 - "')


@clause("end-7a", MISSING)
def test_blobs_of_another_repository_are_missing_here(
    request: pytest.FixtureRequest, repository: Repository, other: Repository, make: Maker
) -> None:
    bundle = make.image()
    other.push(bundle, "there")
    response = expect(repository.put("here", bundle.root), *wanted(request, {"all"}))
    assert response.status_code == 201 or "MANIFEST_BLOB_UNKNOWN" in codes(response)


@clause("end-7a", MISSING, MUST)
def test_the_missing_part_may_come_later(repository: Repository, make: Maker) -> None:
    bundle, _ = sparse_image(make)
    repository.put("sparse", bundle.root)
    rest = make.image()
    repository.push(rest, "sparse")
    assert repository.manifest("sparse").content == rest.root.body
