"""module-binary: a program for one platform or several, raw or in archives. Pure."""

from collections.abc import Mapping
from typing import Any, BinaryIO, Final, NoReturn

from registry.artifacts.common_schema import text
from registry.artifacts.formats import archive, executables, paths
from registry.artifacts.layers import GTYPES_RULE, README_RULE
from registry.artifacts.model import Kind, Layer, LayerRule, Submission
from registry.artifacts.types import examples, node_files
from registry.core.errors import MalformedManifest

RAW: Final = "application/vnd.gati.module.binary.layer.v1"
ARCHIVE: Final = "application/vnd.gati.module.binary.layer.v1.tar+gzip"
_HEAD: Final = 4096
_EXAMPLE: Final = {
    "os": "linux",
    "arch": "amd64",
    "file": "hello-linux-amd64",
    "sha256": examples.sha256(examples.ELF),
}
_PLATFORM: Final = {
    "type": "object",
    "description": "A program: its system and processor, its file, and the SHA-256 of the layer that holds it.",
    "examples": [_EXAMPLE],
    "required": ["os", "arch", "file", "sha256"],
    "properties": {
        "os": text(
            "The system, as Go names it.", 40, pattern=r"^[a-z0-9_-]+$", examples=["linux", "darwin", "windows"]
        ),
        "arch": text("The processor, as Go names it.", 40, pattern=r"^[a-z0-9_-]+$", examples=["amd64", "arm64"]),
        "variant": text("The variant of the processor.", 40, examples=["v7"]),
        "file": text("The title of the layer, or the program's path in an archive.", 1024, examples=["hello"]),
        "sha256": text(
            "The SHA-256 of the layer.", 71, pattern=r"^(sha256:)?[a-f0-9]{64}$", examples=[_EXAMPLE["sha256"]]
        ),
    },
}
_SCHEMA: Final = {
    "type": "object",
    "required": ["type", "platforms"],
    "properties": {
        "type": {"const": "binary", "description": "Always binary."},
        "platforms": {
            "type": "array",
            "minItems": 1,
            "maxItems": 100,
            "items": _PLATFORM,
            "description": "A program for each platform.",
            "examples": [[_EXAMPLE]],
        },
    },
}


def _check(submission: Submission) -> None:
    seen: dict[tuple[str, str, str], int] = {}
    for index, platform in enumerate(submission.config["config"]["platforms"]):
        place = f"/config/platforms/{index}"
        key = _key(platform)
        if key in seen:
            _refuse(place, "/".join(key).rstrip("/"), "Two programs are for one platform.", "Leave one of them out.")
        seen[key] = index
        _check_layer(submission, platform, place)
    named = {_digest(platform) for platform in submission.config["config"]["platforms"]}
    for layer in submission.layers:
        if layer.media_type in {RAW, ARCHIVE} and layer.digest not in named:
            _refuse("/config/platforms", layer.title, "A layer is of no platform.", f"Add it, with {layer.digest}.")
    if submission.is_index:
        _check_index(submission, {key[:2] for key in seen})


def _check_layer(submission: Submission, platform: Mapping[str, Any], place: str) -> None:
    digest = _digest(platform)
    layer = next((one for one in submission.layers if one.digest == digest), None)
    if layer is None:
        titled = submission.titled(platform["file"])
        hint = f"Write {titled.digest.removeprefix('sha256:')}." if titled else "Push the layer, or correct the sum."
        _refuse(f"{place}/sha256", platform["sha256"], "No layer has this SHA-256.", hint)
    why = paths.fault(platform["file"])
    if why is not None:
        _refuse(f"{place}/file", platform["file"], f"The name of the program {why}.", "Write a relative file name.")
    if layer.media_type == RAW and layer.title not in {None, platform["file"]}:
        _refuse(f"{place}/file", platform["file"], "The layer has another title.", f"Write {layer.title}.")


def _check_index(submission: Submission, platforms: set[tuple[str, str]]) -> None:
    """Each manifest of an index is for a platform of the Gati manifest, and all have that one Gati manifest."""
    configs = {child.get("config", {}).get("digest") for child in submission.children.values()}
    for index, descriptor in enumerate(submission.manifest["manifests"]):
        stated = descriptor.get("platform") or {}
        key = (executables.system(str(stated.get("os"))), executables.processor(str(stated.get("architecture"))))
        if key not in platforms:
            raise MalformedManifest(
                "A manifest of the index is for a platform that the Gati manifest does not list.",
                pointer=f"/manifests/{index}/platform",
                value="/".join(key),
                document="manifest",
                suggestion="Add it to config.platforms, or correct the descriptor's platform.",
            )
    if len(configs) > 1:
        raise MalformedManifest(
            "The manifests of the index have different Gati manifests.",
            pointer="/manifests",
            document="manifest",
            suggestion="Give all of them one config, which lists all platforms.",
        )


def _check_ends(submission: Submission, layer: Layer) -> None:
    for index, platform in _of_layer(submission, layer):
        _check_program(layer.head[:_HEAD], platform, index, layer)


def _check_archive(submission: Submission, layer: Layer, file: BinaryIO) -> None:
    wanted = {one["file"].removeprefix("./"): (index, one) for index, one in _of_layer(submission, layer)}
    found: set[str] = set()
    for entry in archive.of_layer(layer, file):
        if entry.is_directory:
            continue
        found.add(entry.path)
        if entry.path in wanted:
            index, platform = wanted[entry.path]
            _check_program(next(entry.read(), b"")[:_HEAD], platform, index, layer, entry.path)
    for path, (index, _) in wanted.items():
        node_files.need_file(path, found, f"/config/platforms/{index}/file")


def _of_layer(submission: Submission, layer: Layer) -> list[tuple[int, Mapping[str, Any]]]:
    platforms = submission.config["config"]["platforms"]
    return [(index, one) for index, one in enumerate(platforms) if _digest(one) == layer.digest]


def _check_program(head: bytes, platform: Mapping[str, Any], index: int, layer: Layer, path: str | None = None) -> None:
    program = executables.identify(head)
    system, processor = _key(platform)[:2]
    if program is None:
        raise MalformedManifest(
            "The file is no program: it is neither ELF nor Mach-O nor PE.",
            pointer=layer.pointer,
            document="layer",
            path=path,
            suggestion="Publish what the compiler wrote; scripts belong into a module-node.",
        )
    if system not in program.systems or processor not in program.processors:
        made = f"{program.format} for {' or '.join(sorted(program.processors)) or 'another processor'}"
        _refuse(
            f"/config/platforms/{index}/{'arch' if system in program.systems else 'os'}",
            f"{system}/{processor}",
            f"The program is {made}.",
            "Write the platform that it was built for, or publish the program of this one.",
        )


def _key(platform: Mapping[str, Any]) -> tuple[str, str, str]:
    return (
        executables.system(platform["os"]),
        executables.processor(platform["arch"]),
        str(platform.get("variant", "")),
    )


def _digest(platform: Mapping[str, Any]) -> str:
    return "sha256:" + str(platform["sha256"]).removeprefix("sha256:")


def _refuse(place: str, value: object, message: str, suggestion: str) -> NoReturn:
    raise MalformedManifest(message, pointer=place, value=value, suggestion=suggestion)


KIND: Final = Kind(
    name="module-binary",
    artifact_type="application/vnd.gati.module.binary.v1",
    config_type="application/vnd.gati.module.binary.config.v1+json",
    layers=(
        LayerRule(RAW, "code", 0, 100, ends=_check_ends),
        LayerRule(ARCHIVE, "code", 0, 100, whole=_check_archive),
        GTYPES_RULE,
        README_RULE,
    ),
    schema=_SCHEMA,
    summary="Programs for one platform or several, raw or in archives, whose headers are those of their platforms.",
    example={
        "name": "hello-native",
        "version": "1.0.0",
        "config": {"type": "binary", "platforms": [_EXAMPLE]},
    },
    example_layers=(("hello-linux-amd64", RAW, examples.ELF),),
    check=_check,
    refused=(
        "Two platforms are the same, or a layer belongs to none.",
        (
            "The `sha256` of a platform is that of no layer, or its `file` is not the title of that layer (of an "
            "archive: no file in it)."
        ),
        "The program is neither ELF nor Mach-O nor PE, or its header is of another system or processor.",
        "In an index: a manifest is for a platform that is not listed, or the manifests have different configs.",
    ),
    takes_index=True,
)
