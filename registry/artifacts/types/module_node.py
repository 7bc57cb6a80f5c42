"""module-node: a module that runs in Node.js. Pure."""

from typing import Final

from registry.artifacts.layers import GTYPES_RULE, README_RULE
from registry.artifacts.model import Kind, LayerRule
from registry.artifacts.types import examples, node_files

_LAYER: Final = "application/vnd.gati.module.node.layer.v1.tar+gzip"
_SCHEMA: Final = {
    "type": "object",
    "required": ["type", "entry"],
    "properties": {
        "type": {"const": "node", "description": "Always node."},
        "entry": node_files.ENTRY,
        "nodeVersion": node_files.NODE_VERSION,
    },
}

KIND: Final = Kind(
    name="module-node",
    artifact_type="application/vnd.gati.module.node.v1",
    config_type="application/vnd.gati.module.node.config.v1+json",
    layers=(
        LayerRule(_LAYER, "code", 1, 1, whole=node_files.check_entry),
        GTYPES_RULE,
        README_RULE,
    ),
    schema=_SCHEMA,
    summary="A module that runs in Node.js: its files in one archive, and the file that it starts with.",
    example={
        "name": "hello",
        "version": "1.0.0",
        "description": "Says hello.",
        "license": "Apache-2.0",
        "config": {"type": "node", "entry": "dist/index.js", "nodeVersion": "20.x"},
        "capabilities": ["log:write"],
    },
    example_layers=(("hello-1.0.0.tgz", _LAYER, examples.HELLO_ARCHIVE),),
    check=node_files.check_path,
    refused=(
        "The layer is no archive that reads the same everywhere (see the README of this folder).",
        "`config.entry` is no file in the layer, or leads out of it.",
    ),
)
