"""The sets of content that every registry meets, by name."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from data import (
    AMD64,
    ARTIFACT,
    CONFIG,
    DOCKER_CONFIG,
    DOCKER_FOREIGN,
    DOCKER_LAYER,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    EMPTY,
    FOREIGN,
    FOREIGN_GZIP,
    INDEX,
    MANIFEST,
    SBOM,
    SIGNATURE,
    Bundle,
    Content,
    Json,
    Maker,
    Shape,
    digest_of,
    manifest_of,
)

LARGE_ANNOTATIONS: Final = 390
LARGE_VALUE: Final = 10_000
"""Together just under 4 MB: the size that a registry should be able to take."""


@dataclass(frozen=True, slots=True)
class DataSet:
    """Content to push, in order, and which manifests get which tags.

    `parameters`: tags are given as query parameters of the PUT by digest. `optional`: no clause asks a registry to
    take this, so a refusal is no failure.
    """

    bundle: Bundle
    tags: dict[str, str] = field(default_factory=dict)
    parameters: bool = False
    optional: bool = False


def tagged(bundle: Bundle, tag: str, *, optional: bool = False) -> DataSet:
    """A set whose root carries one tag."""
    return DataSet(bundle, {tag: bundle.root.digest}, optional=optional)


def _large(make: Maker) -> DataSet:
    notes = {f"org.example.note.{number}": "n" * LARGE_VALUE for number in range(LARGE_ANNOTATIONS)}
    return tagged(make.image(Shape(annotations=notes)), "large")


def _nested(make: Maker) -> DataSet:
    return tagged(make.index(make.platforms(), make.platforms()), "nested")


def _without_layers(make: Maker) -> DataSet:
    """The guidance for artifacts without content: the empty descriptor stands in for the layer, too."""
    nothing = Content(EMPTY, b"{}")
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": SBOM,
        "config": nothing.descriptor(),
        "layers": [nothing.descriptor()],
        "annotations": {"org.example.word": make.word()},
    }
    return tagged(Bundle((nothing,), (manifest_of(document),)), "no-content")


def _with_subject(make: Maker) -> DataSet:
    subject = make.image()
    target = subject.root.descriptor()
    sbom = make.image(replace(ARTIFACT, subject=target))
    notes = {"org.example.kind": "signature", "org.example.word": make.word()}
    signature = make.image(replace(ARTIFACT, artifact_type=SIGNATURE, annotations=notes, subject=target))
    plain = make.image(Shape(subject=target))
    tags = {"subject": subject.root.digest, "sbom": sbom.root.digest, "signature": signature.root.digest}
    return DataSet(subject + plain + sbom + signature, tags)


def _index_with_subject(make: Maker) -> DataSet:
    subject = make.platforms()
    referrer = make.platforms(replace(ARTIFACT, subject=subject.root.descriptor()))
    return DataSet(subject + referrer, {"subject": subject.root.digest, "sboms": referrer.root.digest})


def _missing_subject(make: Maker) -> DataSet:
    absent = Content(MANIFEST, make.word().encode()).descriptor()
    return tagged(make.image(replace(ARTIFACT, subject=absent)), "early")


def _foreign(make: Maker) -> DataSet:
    """Two layers that lie elsewhere and are never pushed, and one that is."""
    bundle = make.image(Shape(layers=1))
    away = [
        {
            "mediaType": kind,
            "digest": digest_of(make.word().encode()),
            "size": 12345,
            "urls": ["https://store.invalid/1"],
        }
        for kind in (FOREIGN_GZIP, FOREIGN)
    ]
    document = bundle.root.document
    document["layers"] = [*away, *document["layers"]]
    return tagged(Bundle(bundle.blobs, (manifest_of(document),)), "foreign")


def _by_parameters(make: Maker, algorithm: str) -> DataSet:
    bundle = make.platforms(Shape(algorithm=algorithm))
    tags = {f"p{number}": manifest.digest for number, manifest in enumerate(bundle.manifests)}
    return DataSet(bundle, tags | {"latest": bundle.root.digest}, parameters=True)


def docker_image(make: Maker, *away: Json) -> Bundle:
    """A Docker schema 2 image."""
    config = Content(DOCKER_CONFIG, b'{"architecture":"amd64","word":"%b"}' % make.word().encode())
    layer = Content(DOCKER_LAYER, make.layer(Shape()).body)
    document = {
        "schemaVersion": 2,
        "mediaType": DOCKER_MANIFEST,
        "config": config.descriptor(),
        "layers": [*away, layer.descriptor()],
    }
    return Bundle((config, layer), (manifest_of(document),))


def _docker_list(make: Maker) -> DataSet:
    image = docker_image(make)
    entries = [image.root.descriptor(platform=AMD64)]
    document = {"schemaVersion": 2, "mediaType": DOCKER_LIST, "manifests": entries}
    return tagged(image + Bundle((), (manifest_of(document),)), "docker-list")


def _docker_foreign(make: Maker) -> DataSet:
    address = digest_of(make.word().encode())
    away = {"mediaType": DOCKER_FOREIGN, "digest": address, "size": 9, "urls": ["https://store.invalid/2"]}
    return tagged(docker_image(make, away), "docker-foreign", optional=True)


def _mixed(make: Maker) -> DataSet:
    """An OCI index over a Docker image and an OCI image, as builders make."""
    return tagged(make.index(docker_image(make), make.image()), "mixed")


def _index_of_blobs(make: Maker) -> DataSet:
    """A build cache in the older form: an index whose entries are blobs, the config among them."""
    layer = make.blob(300)
    config = Content("application/vnd.buildkit.cacheconfig.v0", b'{"word":"%b"}' % make.word().encode())
    document = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [layer.descriptor(), config.descriptor()]}
    return tagged(Bundle((layer, config), (manifest_of(document),)), "cache", optional=True)


def _odd_bytes(make: Maker) -> DataSet:
    """Unusual white space, escapes and unknown members, which must all survive."""
    bundle = make.image()
    text = bundle.root.body.decode()[1:]
    odd = '{ \t\r\n "org.example.odd" : "\\u0041\\/\\u00e9 é \\u0000", "n" : [1.50, -0, 1e2, true, null, {}] ,\n'
    return tagged(Bundle(bundle.blobs, (Content(MANIFEST, f"{odd}{text}\n \n".encode()),)), "odd")


def _unnamed_type(make: Maker) -> DataSet:
    """A manifest without `mediaType`: only the Content-Type says what it is."""
    bundle = make.image()
    document = {name: value for name, value in bundle.root.document.items() if name != "mediaType"}
    return tagged(Bundle(bundle.blobs, (manifest_of(document),)), "unnamed")


def _other_config(make: Maker) -> DataSet:
    """An artifact in the older form: its type is that of its config."""
    config = Content(SIGNATURE, b'{"word":"%b"}' % make.word().encode())
    return tagged(make.image(Shape(layers=1, config=config, layer_type=SIGNATURE)), "older-artifact")


def _same_layer_twice(make: Maker) -> DataSet:
    bundle = make.image(Shape(layers=1))
    document = bundle.root.document
    document["layers"] *= 3
    return tagged(Bundle(bundle.blobs, (manifest_of(document),)), "thrice")


def _many_layers(make: Maker) -> DataSet:
    return tagged(make.image(Shape(layers=40)), "many-layers")


def _artifact_in_sha512(make: Maker) -> DataSet:
    return DataSet(make.image(replace(ARTIFACT, algorithm="sha512")))


def _referrer_in_sha512(make: Maker) -> DataSet:
    """A subject and its referrer, both called by sha512."""
    subject = make.image(Shape(algorithm="sha512"))
    shape = replace(ARTIFACT, algorithm="sha512", subject=subject.root.descriptor())
    return DataSet(subject + make.image(shape))


def _mixed_algorithms(make: Maker) -> DataSet:
    """A sha256 manifest whose layer is called by sha512."""
    config = Content(CONFIG, b'{"word":"%b"}' % make.word().encode())
    layer = make.blob(200, "sha512")
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config.descriptor(),
        "layers": [layer.descriptor()],
    }
    return tagged(Bundle((config, layer), (manifest_of(document),)), "mixed-algorithms")


DATA_SETS: Final[dict[str, Callable[[Maker], DataSet]]] = {
    "image": lambda make: tagged(make.image(), "image"),
    "image-uncompressed": lambda make: tagged(make.image(Shape(compressed=False)), "uncompressed"),
    "large-manifest": _large,
    "index": lambda make: tagged(make.platforms(), "index"),
    "nested-index": _nested,
    "empty-index": lambda make: tagged(make.index(shape=Shape(annotations={"word": make.word()})), "empty"),
    "artifact": lambda make: tagged(make.image(ARTIFACT), "artifact"),
    "artifact-index": lambda make: tagged(make.platforms(ARTIFACT), "artifacts"),
    "artifact-without-layers": _without_layers,
    "artifact-older-form": _other_config,
    "artifacts-with-subject": _with_subject,
    "index-with-subject": _index_with_subject,
    "missing-subject": _missing_subject,
    "data-field": lambda make: tagged(make.image(Shape(inline=True)), "inline"),
    "non-distributable-layers": _foreign,
    "custom-fields": lambda make: tagged(make.platforms(Shape(extra=True)), "extra"),
    "no-layers": lambda make: tagged(make.image(Shape(layers=0)), "no-layers"),
    "many-layers": _many_layers,
    "same-layer-thrice": _same_layer_twice,
    "sha512": lambda make: DataSet(make.platforms(Shape(algorithm="sha512"))),
    "sha512-artifact": _artifact_in_sha512,
    "sha512-referrer": _referrer_in_sha512,
    "sha512-layer-in-sha256": _mixed_algorithms,
    "docker-image": lambda make: tagged(docker_image(make), "docker", optional=True),
    "docker-list": lambda make: replace(_docker_list(make), optional=True),
    "docker-foreign-layers": _docker_foreign,
    "docker-in-oci-index": lambda make: replace(_mixed(make), optional=True),
    "index-of-blobs": _index_of_blobs,
    "odd-bytes": _odd_bytes,
    "no-media-type": _unnamed_type,
}
"""Sets that version 1.1 speaks of, and what clients push beside them."""

SUBJECT_SETS: Final = ("artifacts-with-subject", "index-with-subject", "missing-subject", "sha512-referrer")
"""The sets with a manifest that has a subject."""

PARAMETER_SETS: Final[dict[str, Callable[[Maker], DataSet]]] = {
    "tag-parameters-sha256": lambda make: _by_parameters(make, "sha256"),
    "tag-parameters-sha512": lambda make: _by_parameters(make, "sha512"),
}
"""Sets whose tags are parameters of the PUT, which the next version adds."""
