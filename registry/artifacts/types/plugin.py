"""plugin: an extension of Gati, and the modules that it needs. Pure."""

import io
from collections.abc import Mapping
from typing import Any, BinaryIO, Final

from registry.artifacts import gtypes, references, versions
from registry.artifacts.common_schema import CAPABILITIES, text, texts
from registry.artifacts.formats import archive, wasm
from registry.artifacts.formats.inflate import Refused
from registry.artifacts.layers import GTYPES_RULE, README_RULE
from registry.artifacts.model import Kind, Layer, LayerRule, Submission, Wanted
from registry.artifacts.types import examples, node_files, wasm_files
from registry.core.errors import MalformedManifest
from registry.core.pointers import pointer

LAYER: Final = "application/vnd.gati.plugin.layer.v1.tar+gzip"
KINDS: Final = (
    "brands",
    "middleware",
    "resolver",
    "db-adapter",
    "auth",
    "queue",
    "cache",
    "storage",
    "ai-provider",
    "monitoring",
    "validator",
    "playground",
    "cloud-deployer",
    "migration",
)
_MODULE_LIMIT: Final = 64 << 20
_DATABASE: Final = "@gati-official/database"
RESOLVED: Final = {
    "type": "object",
    "maxProperties": 1000,
    "additionalProperties": {
        "type": "string",
        "pattern": "^(sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128})$",
        "description": "The digest of a manifest.",
        "examples": ["sha256:" + "0" * 64],
    },
    "description": "The digest of each reference, as it is written, when this was published; gati fills it in.",
    "examples": [{_DATABASE: "sha256:" + "0" * 64}],
}
_SCHEMA: Final = {
    "type": "object",
    "required": ["type"],
    "properties": {
        "type": {"enum": ["node", "wasm", "oci"], "description": "What runs it."},
        "entry": node_files.ENTRY,
        "nodeVersion": node_files.NODE_VERSION,
        "wasi": {"type": "boolean", "description": "Whether it uses WASI (type wasm).", "examples": [True]},
        "image": text("The reference of its image (type oci).", 512, examples=["users/alice/my-image@1.0.0"]),
        "pluginKind": {"enum": list(KINDS), "description": "What it extends."},
        "provides": texts("Names of what it gives to others.", examples=[["auth:github"]]),
        "configSchema": {
            "type": "object",
            "description": "A GType of its settings.",
            "examples": [{"kind": "object", "properties": {"url": {"kind": "string"}}, "required": ["url"]}],
        },
        "capabilities": CAPABILITIES,
        "resolved": RESOLVED,
    },
}


def pinned(config: Mapping[str, Any], written: list[str], place: str, relation: str, **more: Any) -> tuple[Wanted, ...]:
    """References of a Gati manifest that must be pinned in `config.resolved`, by the pointer of their list.

    Raises:
        MalformedManifest: one is no reference, or is there twice.
    """
    resolved = config["config"].get("resolved", {})
    found: dict[str, Wanted] = {}
    for index, reference in enumerate(written):
        at = place + pointer(index)
        parsed = references.parse(reference, at)
        if reference in found:
            raise MalformedManifest("It is there twice.", pointer=at, value=reference, suggestion="Leave one out.")
        wanted = parsed.version if parsed.version is not None and versions.is_range(parsed.version) else "*"
        digest = parsed.digest or resolved.get(reference)
        found[reference] = Wanted(at, reference, wanted, relation, digest=digest, must_pin=True, **more)
    return tuple(found.values())


def _wants(config: Mapping[str, Any]) -> tuple[Wanted, ...]:
    return pinned(config, config["requiredModules"], "/requiredModules", "module", type="module")


def _check(submission: Submission) -> None:
    inner = submission.config["config"]
    member = "image" if inner["type"] == "oci" else "entry"
    if member not in inner:
        raise MalformedManifest(
            f"A plugin of the type {inner['type']} has no config.{member}.",
            pointer=f"/config/{member}",
            suggestion="Add "
            + ('"image": "users/alice/my-image@1.0.0".' if member == "image" else '"entry": "dist/index.js".'),
        )
    if member == "image":
        references.parse(inner["image"], "/config/image")
    node_files.check_path(submission)
    stray = set(inner.get("resolved", {})) - set(submission.config["requiredModules"])
    if stray:
        name = min(stray)
        raise MalformedManifest(
            "config.resolved pins what requiredModules does not name.",
            pointer="/config" + pointer("resolved", name),
            value=name,
            suggestion="Add it to requiredModules, or leave it out.",
        )
    if "configSchema" in inner:
        gtypes.check_type(
            inner["configSchema"], "/config/configSchema", gtypes.merged(submission.config, [])["definitions"]
        )


def _check_archive(submission: Submission, layer: Layer, file: BinaryIO) -> None:
    inner = submission.config["config"]
    if inner["type"] != "wasm":
        node_files.check_entry(submission, layer, file)
        return
    entry, files = inner["entry"].removeprefix("./"), set()
    for one in archive.of_layer(layer, file):
        if not one.is_directory:
            files.add(one.path)
        if one.path == entry and not one.is_directory:
            _check_module(submission, layer, one)
    node_files.need_file(entry, files, "/config/entry")


def _check_module(submission: Submission, layer: Layer, entry: archive.Entry) -> None:
    if entry.size > _MODULE_LIMIT:
        fault = Refused(f"It is larger than {_MODULE_LIMIT} bytes.", "Publish a smaller module.", entry.path)
        raise archive.refusal(fault, layer.pointer, "The module is refused.")
    try:
        outline = wasm.read(io.BytesIO(b"".join(entry.read())))
    except Refused as error:
        located = Refused(error.message, error.suggestion, error.path or entry.path)
        raise archive.refusal(located, layer.pointer, "The module is refused.") from error
    wasm_files.check_imports(outline.imports, submission.config, layer, entry.path)


KIND: Final = Kind(
    name="plugin",
    artifact_type="application/vnd.gati.plugin.v1",
    config_type="application/vnd.gati.plugin.config.v1+json",
    layers=(
        LayerRule(LAYER, "code", 1, 1, whole=_check_archive),
        GTYPES_RULE,
        README_RULE,
    ),
    schema=_SCHEMA,
    top={"required": ["requiredModules"]},
    summary="An extension of Gati, with the modules that it needs, each pinned to the digest that it was built with.",
    example={
        "name": "hello-plugin",
        "version": "1.0.0",
        "config": {
            "type": "node",
            "entry": "dist/index.js",
            "pluginKind": "middleware",
            "provides": ["hello"],
            "configSchema": {
                "kind": "object",
                "properties": {"greeting": {"kind": "string"}},
                "required": ["greeting"],
            },
        },
        "requiredModules": [],
        "capabilities": ["log:write"],
    },
    example_layers=(("hello-plugin-1.0.0.tgz", LAYER, examples.HELLO_ARCHIVE),),
    check=_check,
    refused=(
        "`config.entry` is missing for `node` and `wasm`, or `config.image` for `oci`.",
        (
            "The entry is no file in the layer; for `wasm`: it is no module, or imports what is not declared (see "
            "module-wasm)."
        ),
        (
            "A reference of `requiredModules` is none, is there twice, leads to no module, or is not pinned in "
            "`config.resolved`."
        ),
        "`config.configSchema` is no GType.",
    ),
    wants=_wants,
)
