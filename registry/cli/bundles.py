"""An artifact as it is pushed: blobs, manifests, and what hangs on them. Pure but for the ends of files."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO, Final

from registry.artifacts import versions
from registry.artifacts.model import END, TITLE, Kind, Layer, Submission
from registry.cli.packing import Content
from registry.cli.provenance import VOLATILE, Origin
from registry.core.digest import digest_of
from registry.core.media_types import OCI_INDEX, OCI_MANIFEST

ROLE: Final = "dev.gati.layer.role"
EMPTY_TYPE: Final = "application/vnd.oci.empty.v1+json"


@dataclass(frozen=True, slots=True)
class Part:
    """A layer: its media type, its bytes, and its annotations."""

    media_type: str
    content: Content
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """What a person calls it."""
        return self.annotations.get(TITLE) or self.media_type.rpartition("/")[2]

    def descriptor(self) -> dict[str, Any]:
        """As a manifest names it."""
        found = {"mediaType": self.media_type, "digest": self.content.digest, "size": self.content.size}
        return found | ({"annotations": dict(self.annotations)} if self.annotations else {})


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest, byte for byte, with the digest of these bytes."""

    media_type: str
    content: Content

    @property
    def digest(self) -> str:
        """Of its bytes."""
        return self.content.digest

    @property
    def raw(self) -> bytes:
        """Its bytes."""
        assert isinstance(self.content.source, bytes)  # noqa: S101 - `written` makes it of bytes
        return self.content.source

    @property
    def document(self) -> dict[str, Any]:
        """What it says."""
        found: dict[str, Any] = json.loads(self.raw)
        return found


@dataclass(frozen=True, slots=True)
class Hanging:
    """A referrer that is pushed behind the artifact: its type, its layers and annotations."""

    artifact_type: str
    parts: tuple[Part, ...]
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bundle:
    """An artifact that is ready to be judged and sent.

    Attributes:
        kind: its type.
        repository: where it goes, such as `users/alice/hello`.
        config: the Gati manifest.
        manifest: what the version's tag names: an image manifest, or an index.
        parts: all blobs beside manifests: the config and the layers.
        layers: the layers of the manifest, or of all manifests of an index, as rules look at them.
        children: the manifests of an index.
        hanging: its referrers.
    """

    kind: Kind
    repository: str
    config: Mapping[str, Any]
    manifest: Manifest
    parts: tuple[Part, ...]
    layers: tuple[tuple[str, Part], ...]
    children: tuple[Manifest, ...] = ()
    hanging: tuple[Hanging, ...] = ()

    @property
    def version(self) -> str:
        """The version that it is."""
        return str(self.config["version"])

    @property
    def tag(self) -> str:
        """The tag of its version."""
        return versions.tag_of(self.version)

    @property
    def size(self) -> int:
        """Bytes of all its blobs, each once."""
        return sum({part.content.digest: part.content.size for part in self.parts}.values())

    def submission(self, tags: Sequence[str] = ()) -> Submission:
        """It as the rules look at it, with the ends of its layers."""
        layers = tuple(_looked_at(pointer, part) for pointer, part in self.layers)
        children = {child.digest: child.document for child in self.children}
        every = (self.tag, *tags)
        return Submission(self.kind, self.repository, every, self.manifest.document, self.config, layers, children)

    def part_of(self, layer: Layer) -> Part:
        """The layer that rules looked at."""
        return next(part for pointer, part in self.layers if pointer == layer.pointer)

    def hung(self, hanging: Hanging) -> tuple[Manifest, tuple[Part, ...]]:
        """The manifest of a referrer of it, and the blobs of that."""
        empty = Part(EMPTY_TYPE, content_of(b"{}"))
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": hanging.artifact_type,
            "config": empty.descriptor(),
            "layers": [part.descriptor() for part in hanging.parts],
            "subject": {
                "mediaType": self.manifest.media_type,
                "digest": self.manifest.digest,
                "size": self.manifest.content.size,
            },
            "annotations": dict(sorted(hanging.annotations.items())),
        }
        return written(OCI_MANIFEST, document), (empty, *hanging.parts)


def assemble(kind: Kind, repository: str, config: Mapping[str, Any], parts: Sequence[Part], origin: Origin) -> Bundle:
    """The artifact of a Gati manifest and layers.

    Args:
        kind: its type.
        repository: where it goes.
        config: the Gati manifest, complete.
        parts: its layers.
        origin: where it was built.
    """
    main = Part(kind.config_type, content_of(written_json(config)))
    manifest = image(kind, main, parts, annotations(kind, repository, config, origin))
    layers = tuple((f"/layers/{index}", part) for index, part in enumerate(parts))
    return Bundle(kind, repository, config, manifest, (main, *parts), layers)


def assemble_index(
    kind: Kind,
    repository: str,
    config: Mapping[str, Any],
    platforms: Sequence[tuple[Mapping[str, str], Sequence[Part]]],
    origin: Origin,
) -> Bundle:
    """The artifact of a Gati manifest with layers for each platform: an index of manifests that share the config."""
    main = Part(kind.config_type, content_of(written_json(config)))
    notes = annotations(kind, repository, config, origin)
    children, entries, layers = [], [], []
    lasting = {name: text for name, text in notes.items() if name not in VOLATILE}
    for number, (platform, parts) in enumerate(platforms):
        child = image(kind, main, parts, lasting)
        children.append(child)
        entries.append(
            {
                "mediaType": child.media_type,
                "artifactType": kind.artifact_type,
                "digest": child.digest,
                "size": child.content.size,
                "platform": {_OCI_PLATFORM[name]: value for name, value in platform.items()},
            }
        )
        layers += [(f"/manifests/{number}/layers/{index}", part) for index, part in enumerate(parts)]
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "artifactType": kind.artifact_type,
        "manifests": entries,
        "annotations": dict(sorted(notes.items())),
    }
    every = tuple(part for _, parts in platforms for part in parts)
    index = written(OCI_INDEX, document)
    return Bundle(kind, repository, config, index, (main, *every), tuple(layers), tuple(children))


_OCI_PLATFORM: Final = {"os": "os", "arch": "architecture", "variant": "variant"}


def image(kind: Kind, config: Part, parts: Sequence[Part], notes: Mapping[str, str]) -> Manifest:
    """An image manifest."""
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": kind.artifact_type,
        "config": config.descriptor(),
        "layers": [part.descriptor() for part in parts],
        "annotations": dict(sorted(notes.items())),
    }
    return written(OCI_MANIFEST, document)


def annotations(kind: Kind, repository: str, config: Mapping[str, Any], origin: Origin) -> dict[str, str]:
    """What the manifest says of the artifact without its config being read."""
    namespace = repository.rpartition("/")[0]
    engines = config.get("engines")
    given = {
        "org.opencontainers.image.title": config.get("name"),
        "org.opencontainers.image.description": config.get("description"),
        "org.opencontainers.image.authors": config.get("author"),
        "org.opencontainers.image.licenses": config.get("license"),
        "org.opencontainers.image.url": config.get("homepage"),
        "org.opencontainers.image.version": config.get("version"),
        "dev.gati.namespace": f"gati.dev/{namespace}",
        "dev.gati.type": kind.name,
        "dev.gati.engines.gati": engines.get("gati") if isinstance(engines, dict) else None,
        "dev.gati.language": config.get("language"),
        "dev.gati.capabilities": _listed(config.get("capabilities")),
        "dev.gati.keywords": _listed(config.get("keywords")),
    }
    return {name: text for name, text in given.items() if isinstance(text, str) and text} | origin.annotations()


def _listed(values: Any) -> str | None:
    if not isinstance(values, list):
        return None
    names = [value.get("name") if isinstance(value, dict) else value for value in values]
    return ",".join(name for name in names if isinstance(name, str)) or None


def content_of(content: bytes) -> Content:
    """Bytes with their digest."""
    return Content(str(digest_of(content)), len(content), content)


def written(media_type: str, document: Mapping[str, Any]) -> Manifest:
    """A manifest as it is pushed."""
    return Manifest(media_type, content_of(written_json(document)))


def written_json(document: Mapping[str, Any]) -> bytes:
    """JSON that is the same bytes for the same document."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def with_hanging(bundle: Bundle, hanging: Sequence[Hanging]) -> Bundle:
    """The artifact with more referrers."""
    return replace(bundle, hanging=(*bundle.hanging, *hanging))


def _looked_at(pointer: str, part: Part) -> Layer:
    content = part.content
    with content.open() as file:
        head = file.read(END)
        tail = head if content.size <= END else _tail(file, content.size)
    return Layer(pointer, part.media_type, content.digest, content.size, part.annotations, head, tail)


def _tail(file: BinaryIO, size: int) -> bytes:
    file.seek(size - END)
    return file.read(END)
