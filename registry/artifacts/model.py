"""What an artifact is, as values: its manifest, its layers as far as they are read, and the rules of its type. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final

from registry.core import media_types

END: Final = 1 << 20
"""Bytes of each layer that are read in the push from its start, and as many from its end."""

CONFIG_LIMIT: Final = 1 << 20
"""Bytes that a Gati manifest has at most."""

LAYERS: Final = 4096
"""Layers that an artifact has at most."""

GTYPES: Final = "application/vnd.gati.gtypes.v1+json"
README: Final = "text/markdown"
EMPTY: Final = "application/vnd.oci.empty.v1+json"
WASM: Final = "application/wasm"
GATI_MANIFEST: Final = "application/vnd.gati.manifest.v1"
GATI_MANIFEST_LAYER: Final = "application/vnd.gati.manifest.v1+json"
TITLE: Final = "org.opencontainers.image.title"


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer as its descriptor says, with its ends.

    Attributes:
        pointer: of the descriptor, in the OCI manifest (RFC 6901).
        head: its first MiB, all of it when it is smaller.
        tail: its last MiB, all of it when it is smaller.
    """

    pointer: str
    media_type: str
    digest: str
    size: int
    annotations: Mapping[str, str]
    head: bytes = b""
    tail: bytes = b""

    @property
    def title(self) -> str | None:
        """The name of its file."""
        return self.annotations.get(TITLE)

    @property
    def is_whole(self) -> bool:
        """Whether `head` is all of it."""
        return self.size <= END


@dataclass(frozen=True, slots=True)
class Submission:
    """An artifact that wants to be published.

    Attributes:
        kind: the row of the catalogue.
        repository: its name, such as `users/alice/hello`.
        tags: those that it is pushed with; a tag that is a version must be that of the Gati manifest.
        manifest: the OCI manifest (an index: with the manifests of its children under `children`, by digest).
        config: the Gati manifest.
        layers: of the manifest, or of all children of an index, each once.
    """

    kind: "Kind"
    repository: str
    tags: tuple[str, ...]
    manifest: Mapping[str, Any]
    config: Mapping[str, Any]
    layers: tuple[Layer, ...]
    children: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def is_index(self) -> bool:
        """Whether it is an index of a manifest for each platform."""
        return "manifests" in self.manifest

    def titled(self, title: str) -> Layer | None:
        """The layer with this title."""
        return next((layer for layer in self.layers if layer.title == title), None)


Thorough = Callable[[Submission, Layer, BinaryIO], None]
"""Reads a layer from its start to its end (an open file at 0); raises ArtifactInvalid."""


@dataclass(frozen=True, slots=True)
class LayerRule:
    """What a layer of this media type is in an artifact.

    Attributes:
        role: the word of the annotation `dev.gati.layer.role`.
        least, most: how many there are.
        ends: looks at `head` and `tail`; raises ArtifactInvalid.
        whole: reads all of it, in the worker and in the CLI; raises ArtifactInvalid.
        effort: how many times as long as to expand an archive it takes to read as many bytes of it whole.
    """

    media_type: str
    role: str
    least: int = 0
    most: int = LAYERS
    ends: Callable[[Submission, Layer], None] | None = None
    whole: Thorough | None = None
    effort: int = 1


@dataclass(frozen=True, slots=True)
class Referrer:
    """What may stand in a referrer instead of the Gati manifest, and must stand in one of the two.

    Attributes:
        member: the member of the Gati manifest that says the same.
        schema: JSON Schema of the JSON in the referrer's layer.
    """

    member: str
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Another artifact that this one names.

    Attributes:
        pointer: where, in the Gati manifest.
        reference: as it is written there.
        wanted: an npm range; `*` where the reference itself names a version or a digest.
        relation: `dependency`, `dev`, `peer`, `module` (requiredModules), `model`, `template-module`, `transforms`,
            `snapshot`.
        is_optional: it need not exist.
        digest: what it is pinned to, where that is written down.
        must_pin: whether it must be pinned.
        type: the type that it must be (`module` for the five), None for any.
    """

    pointer: str
    reference: str
    wanted: str = "*"
    relation: str = "dependency"
    is_optional: bool = False
    digest: str | None = None
    must_pin: bool = False
    type: str | None = None


@dataclass(frozen=True, slots=True)
class Extract:
    """What is kept of an artifact for lists and search, and whom it names."""

    version: str
    description: str = ""
    keywords: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    license: str | None = None
    language: str | None = None
    engines: str | None = None
    readme: str | None = None
    gtype_hash: str | None = None
    wants: tuple[Wanted, ...] = ()


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of artifact: one row of the catalogue.

    Attributes:
        name: `module-node` …
        artifact_type: media type of the whole.
        config_type: media type of the config; that of an image where the Gati manifest is a referrer.
        layers: what its layers may be; any where this is empty.
        schema: JSON Schema (2020-12) of the member `config` of the Gati manifest.
        top: JSON Schema members of the Gati manifest beside those that all have: {"properties": …, "required": […]}.
        summary: one sentence for the documentation.
        example: a minimal Gati manifest that is valid for `example_layers`.
        example_layers: title, media type and bytes of each layer of the example.
        check: what a schema cannot say; raises ArtifactInvalid.
        refused: what makes it invalid beside its schema, a sentence each, for the documentation.
        wants: other artifacts that it names beside `dependencies`.
        referrers: what may come as referrers of these artifact types instead.
        notes: words about it that lists show beside its keywords.
        takes_index: whether an index may carry the type, with a manifest for each platform.
        config_in_referrer: whether the Gati manifest is a referrer (`application/vnd.gati.manifest.v1`).
    """

    name: str
    artifact_type: str
    config_type: str
    layers: tuple[LayerRule, ...]
    schema: Mapping[str, Any]
    summary: str
    example: Mapping[str, Any]
    example_layers: tuple[tuple[str, str, bytes], ...]
    top: Mapping[str, Any] = field(default_factory=dict)
    check: Callable[[Submission], None] | None = None
    refused: tuple[str, ...] = ()
    wants: Callable[[Mapping[str, Any]], tuple[Wanted, ...]] | None = None
    referrers: Mapping[str, Referrer] = field(default_factory=dict)
    notes: Callable[[Mapping[str, Any]], tuple[str, ...]] | None = None
    takes_index: bool = False

    @property
    def config_in_referrer(self) -> bool:
        """Whether the config is that of a runnable image, and the Gati manifest a referrer."""
        return self.config_type == media_types.OCI_CONFIG

    def rule(self, media_type: str) -> LayerRule | None:
        """The rule of layers of this media type."""
        return next((rule for rule in self.layers if rule.media_type == media_type), None)
