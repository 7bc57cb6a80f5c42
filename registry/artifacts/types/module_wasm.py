"""module-wasm: a module in WebAssembly, whose imports are what its manifest declares. Pure."""

from typing import Final

from registry.artifacts.common_schema import CAPABILITIES, text
from registry.artifacts.layers import GTYPES_RULE, README_RULE
from registry.artifacts.model import WASM, Kind, LayerRule, Submission
from registry.artifacts.schemas import did_you_mean
from registry.artifacts.types import examples, wasm_files
from registry.core.errors import MalformedManifest

WASM_FILE: Final = text("The title of the layer with the module.", 1024, examples=["module.wasm"])
_SCHEMA: Final = {
    "type": "object",
    "required": ["type", "wasmFile"],
    "properties": {
        "type": {"const": "wasm", "description": "Always wasm."},
        "wasmFile": WASM_FILE,
        "wasi": {
            "type": "boolean",
            "description": "Whether it uses WASI; false unless it is written here.",
            "examples": [True],
        },
        "capabilities": CAPABILITIES,
    },
}


def check_title(submission: Submission, member: str, media_type: str) -> None:
    """Hold a member of `config` against the titles of the layers of this media type.

    Raises:
        MalformedManifest: there is no such layer.
    """
    given = submission.config["config"].get(member)
    titles = [layer.title or "" for layer in submission.layers if layer.media_type == media_type]
    if given is not None and given not in titles:
        known = ", ".join(title for title in titles if title) or "none; give the layer a title"
        raise MalformedManifest(
            f"No layer of the type {media_type} has the title {given[:200]!r}.",
            pointer=f"/config/{member}",
            value=given,
            suggestion=f"Write the title of a layer: {known[:400]}.{did_you_mean(given, titles)}",
        )


def _check(submission: Submission) -> None:
    check_title(submission, "wasmFile", WASM)


KIND: Final = Kind(
    name="module-wasm",
    artifact_type="application/vnd.gati.module.wasm.v1",
    config_type="application/vnd.gati.module.wasm.config.v1+json",
    layers=(
        LayerRule(WASM, "code", 1, 16, ends=wasm_files.check_ends, whole=wasm_files.check_whole),
        GTYPES_RULE,
        README_RULE,
    ),
    schema=_SCHEMA,
    summary="A module in WebAssembly: a core module, whose imports are covered by the capabilities that it declares.",
    example={
        "name": "adder",
        "version": "1.0.0",
        "config": {"type": "wasm", "wasmFile": "adder.wasm", "wasi": False},
        "capabilities": [],
    },
    example_layers=(("adder.wasm", WASM, examples.ADDER),),
    check=_check,
    refused=(
        "`config.wasmFile` is not the title of a layer of the type `application/wasm`.",
        (
            "A module does not start with `\\\\0asm`, is a component, or one of its sections is not well formed, "
            "out of its place or there twice."
        ),
        "A module imports WASI, and `config.wasi` is not true.",
        (
            "A module imports what its capabilities do not cover: `sock_…` of WASI needs `network:egress`, "
            "`path_open` needs `filesystem:read` or `filesystem:write`, `gati:db/read` needs `db:read`, "
            "`gati.fetch` needs `network:egress`."
        ),
        (
            "A module imports from a place that nothing provides: known are WASI, `gati:<domain>/<action>`, "
            "`gati`, and of `env` what compilers ask for."
        ),
    ),
)
