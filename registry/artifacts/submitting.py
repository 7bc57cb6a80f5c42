"""Reads what a manifest of an artifact refers to, as far as it is judged: the submission that it makes."""

import io
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from registry.artifacts import checking, sql_parts
from registry.artifacts.model import CONFIG_LIMIT, END, LAYERS, Kind, Layer, Submission
from registry.artifacts.sql_parts import Part
from registry.content.model import Manifest, parse_manifest
from registry.content.shelf import Shelf
from registry.core.errors import MalformedManifest, ManifestBlobUnknown, SizeInvalid, TooLarge
from registry.core.strict_json import parse_object

LARGEST_LAYER: Final = 5 << 30
CHILDREN: Final = 64
REFERRERS: Final = 100
_FIELDS: Final = ("pointer", "media_type", "digest", "size", "annotations")
Root = tuple[str, Mapping[str, Any]]
Read = Callable[[int, int], bytes]


class StoredLayer(Layer):
    """A layer whose ends are read from where they are stored when a rule looks at them, in a thread."""

    __slots__ = ("_read",)
    _read: Read

    def __init__(self, layer: Layer, read: Read) -> None:
        for name in _FIELDS:
            object.__setattr__(self, name, getattr(layer, name))
        object.__setattr__(self, "_read", read)

    @property
    def head(self) -> bytes:
        """Its first MiB."""
        return self._read(0, min(END, self.size))

    @property
    def tail(self) -> bytes:
        """Its last MiB."""
        size = min(END, self.size)
        return self._read(self.size - size, size)


@dataclass(frozen=True, slots=True)
class Submitted:
    """A submission, the digest of its manifest, and where the blobs of its layers are."""

    submission: Submission
    digest: str
    config: str | None
    parts: Mapping[str, Part]

    @property
    def size(self) -> int:
        """The bytes of all layers, each digest once."""
        return sum({layer.digest: layer.size for layer in self.submission.layers}.values())


async def gather(shelf: Shelf, kind: Kind, name: str, manifest: Manifest, tags: tuple[str, ...]) -> Submitted:
    """The submission that a manifest makes in the repository `name`.

    Raises:
        ManifestBlobUnknown: what it refers to is not here; `detail` lists all of it.
        MalformedManifest: it has not the shape that its type has, or its Gati manifest is unreadable.
        SizeInvalid: a descriptor states another size than the content has.
        TooLarge: a layer is.
    """
    body = parse_object(manifest.raw)
    children = await _children(shelf, kind, name, manifest, body)
    roots: list[Root] = [("", body)] if not children else _in_order(body, children)
    configs, layers = [root["config"] for _, root in roots], _layers(roots)
    _check_limits(kind, configs, layers)
    parts = await _parts(shelf, name, configs, layers)
    text, config = await _config(shelf, kind, configs, parts)
    stored = tuple(StoredLayer(layer, _reader(shelf, parts[layer.digest])) for layer in layers)
    submission = Submission(kind, name, tags, body, config, stored, children)
    return Submitted(submission, str(manifest.digest), text, parts)


async def _children(
    shelf: Shelf, kind: Kind, name: str, manifest: Manifest, body: Mapping[str, Any]
) -> dict[str, Mapping[str, Any]]:
    """The manifests of an index, by digest; none of a manifest that is no index."""
    if "manifests" not in body:
        return {}
    digests = [child.digest for child in manifest.children]
    if not kind.takes_index or not 0 < len(digests) <= CHILDREN:
        raise MalformedManifest(
            f"A {kind.name} is {f'an index of 1 to {CHILDREN} manifests' if kind.takes_index else 'no index'}.",
            pointer="/manifests",
            value=len(digests),
            document="manifest",
            suggestion="Push one manifest for each platform, and an index of them."
            if kind.takes_index
            else "Push one image manifest.",
        )
    async with shelf.db.connection() as connection:
        found = await sql_parts.manifests(connection, name, digests)
    _require(name, digests, found)
    return {digest: _child(digests.index(digest), raw) for digest, raw in found.items()}


def _child(place: int, raw: bytes) -> Mapping[str, Any]:
    body = parse_object(raw)
    if "config" in body:
        return body
    raise MalformedManifest(
        "An index of an artifact holds image manifests, no further indexes.",
        pointer=f"/manifests/{place}",
        document="manifest",
        suggestion="Name the manifests themselves.",
    )


def _in_order(body: Mapping[str, Any], children: Mapping[str, Mapping[str, Any]]) -> list[Root]:
    return [(f"/manifests/{place}", children[one["digest"]]) for place, one in enumerate(body["manifests"])]


def _layers(roots: list[Root]) -> list[Layer]:
    found: dict[tuple[str, str, str | None], Layer] = {}
    for pointer, root in roots:
        for place, one in enumerate(root.get("layers") or []):
            layer = Layer(
                f"{pointer}/layers/{place}", one["mediaType"], one["digest"], one["size"], one.get("annotations") or {}
            )
            found.setdefault((pointer, layer.digest, layer.title), layer)
    return list(found.values())


def _check_limits(kind: Kind, configs: list[Mapping[str, Any]], layers: list[Layer]) -> None:
    if len(layers) > LAYERS:
        raise MalformedManifest(
            f"It has {len(layers)} layers; {LAYERS} is the limit.",
            pointer="/layers",
            value=len(layers),
            document="manifest",
            suggestion="Put files that belong together into one archive.",
        )
    large = next((layer for layer in layers if layer.size > LARGEST_LAYER), None)
    if large is not None:
        raise TooLarge(
            f"The layer {large.digest} has {large.size} bytes; a layer of an artifact has at most {LARGEST_LAYER}: "
            "split it into shards.",
            detail={"pointer": large.pointer, "size": large.size, "limit": LARGEST_LAYER},
        )
    for config in configs:
        _check_config(kind, config)


def _check_config(kind: Kind, config: Mapping[str, Any]) -> None:
    if config["mediaType"] != kind.config_type and not kind.config_in_referrer:
        raise MalformedManifest(
            f"The config of a {kind.name} has the media type {kind.config_type}.",
            pointer="/config/mediaType",
            value=config["mediaType"],
            document="manifest",
            suggestion=f"Push the Gati manifest as the config, with the media type {kind.config_type}.",
        )
    if config["size"] > CONFIG_LIMIT and not kind.config_in_referrer:
        raise MalformedManifest(
            f"The Gati manifest has {config['size']} bytes; {CONFIG_LIMIT} is the limit.",
            pointer="/config/size",
            value=config["size"],
            document="manifest",
            suggestion="Move large values into layers.",
        )


async def _parts(shelf: Shelf, name: str, configs: list[Mapping[str, Any]], layers: list[Layer]) -> dict[str, Part]:
    stated = {layer.digest: layer.size for layer in layers} | {one["digest"]: one["size"] for one in configs}
    async with shelf.db.connection() as connection:
        found = await sql_parts.parts(connection, name, list(stated))
    _require(name, list(stated), found)
    wrong = sorted(digest for digest, size in stated.items() if found[digest].size != size)
    if wrong:
        raise SizeInvalid("The manifest states another size than the content has.", detail={"digests": wrong})
    return found


def _require(name: str, wanted: list[str], found: Mapping[str, Any]) -> None:
    missing = sorted(set(wanted) - set(found))
    if missing:
        raise ManifestBlobUnknown(
            f"The manifest refers to {len(missing)} blobs or manifests that {name} does not have: push them first.",
            detail={"digests": missing},
        )


async def _config(
    shelf: Shelf, kind: Kind, configs: list[Mapping[str, Any]], parts: Mapping[str, Part]
) -> tuple[str | None, dict[str, Any]]:
    """The Gati manifest, as text and as a value; that of an image is not there yet."""
    if kind.config_in_referrer:
        return None, {}
    other = next((place for place, one in enumerate(configs) if one["digest"] != configs[0]["digest"]), None)
    if other is not None:
        raise MalformedManifest(
            "The manifests of an index have different configs: an artifact has one Gati manifest.",
            pointer=f"/manifests/{other}",
            document="manifest",
            suggestion="Let all of them name the same config.",
        )
    raw = await read(shelf, parts[configs[0]["digest"]])
    config = checking.read_config(raw)
    return raw.decode(), config


async def read(shelf: Shelf, part: Part) -> bytes:
    """All bytes of a small blob."""
    if part.object_key is None:
        return part.content or b""
    return await shelf.store.read(part.object_key, 0, part.size)


def _reader(shelf: Shelf, part: Part) -> Read:
    key, content = part.object_key, part.content
    if key is None:
        return lambda start, size: (content or b"")[start : start + size]
    return lambda start, size: shelf.store.piece(key, start, size)


def open_part(shelf: Shelf, part: Part) -> BinaryIO:
    """The bytes of a blob as a file at 0, to be read in a thread and closed."""
    if part.object_key is None:
        return io.BytesIO(part.content or b"")
    return os.fdopen(shelf.store.open(part.object_key), "rb")


async def referrers(shelf: Shelf, found: Submitted, artifact_types: tuple[str, ...]) -> dict[str, bytes]:
    """The layer of the newest referrer of each of these types, by type: what it says of the artifact.

    Raises:
        MalformedManifest: one of them has no layer, or a large one.
    """
    name = found.submission.repository
    async with shelf.db.connection() as connection:
        rows = await sql_parts.referrers(connection, name, found.digest, list(artifact_types), REFERRERS)
    newest = {row["artifact_type"]: row["bytes"] for row in reversed(rows)}
    return {kind: await _only_layer(shelf, name, kind, parse_object(raw)) for kind, raw in newest.items()}


async def _only_layer(shelf: Shelf, name: str, artifact_type: str, body: Mapping[str, Any]) -> bytes:
    layers = body.get("layers") or []
    wanted = next((one for one in layers if str(one["mediaType"]).endswith("json")), layers[0] if layers else None)
    if wanted is None or wanted["size"] > CONFIG_LIMIT:
        raise MalformedManifest(
            f"The referrer {artifact_type} has no layer of at most {CONFIG_LIMIT} bytes.",
            pointer="/layers",
            document="manifest",
            suggestion="Attach one JSON file to the artifact.",
        )
    async with shelf.db.connection() as connection:
        parts = await sql_parts.parts(connection, name, [wanted["digest"]])
    _require(name, [wanted["digest"]], parts)
    return await read(shelf, parts[wanted["digest"]])


async def stored(shelf: Shelf, kind: Kind, name: str, digest: str, tags: tuple[str, ...]) -> Submitted | None:
    """The submission of a manifest that is recorded here; None where it has gone.

    Raises:
        as `gather`.
    """
    async with shelf.db.connection() as connection:
        found = await sql_parts.manifests(connection, name, [digest])
    if digest not in found:
        return None
    algorithm = digest.partition(":")[0]
    return await gather(shelf, kind, name, parse_manifest(found[digest], None, algorithm), tags)
