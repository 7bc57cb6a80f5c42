"""model: weights, what goes in and comes out, and what is known of them. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from registry.artifacts import gtypes
from registry.artifacts.common_schema import text
from registry.artifacts.formats import archive
from registry.artifacts.layers import EMPTY_RULE, GTYPES_RULE, README_RULE
from registry.artifacts.model import GTYPES, Kind, Layer, LayerRule, Referrer, Submission
from registry.artifacts.types import images, weights
from registry.artifacts.types.model_documents import BENCHMARK, CARD, adapters, benchmark_schema, card_schema
from registry.core.errors import MalformedManifest

UNPROVEN: Final = "unproven"
"""The word that lists show of models of which only the beginning could be checked."""


def _shape(description: str) -> dict[str, Any]:
    return {
        "type": "array",
        "minItems": 1,
        "maxItems": 32,
        "items": {"type": "integer", "minimum": -1, "maximum": 2**53, "not": {"const": 0}},
        "description": f"{description}; each length at least 1, or -1 where it varies.",
        "examples": [[-1, 3, 224, 224]],
    }


_SCHEMA: Final = {
    "type": "object",
    "required": ["modelFormat", "runtime"],
    "properties": {
        "modelFormat": {
            "enum": [*weights.FORMATS, weights.IMAGE],
            "description": "The format of the weights; their bytes are held against it.",
        },
        "modelKind": {
            "enum": ["llm", "embedding", "vision", "classification", "other"],
            "description": "What it is for.",
        },
        "modelFile": text("The title of the layer with the weights, or of the first shard.", 1024),
        "image": text("The image that the model is, where modelFormat is cuda-image.", 512),
        "inputShape": _shape("The shape of what goes in"),
        "outputShape": _shape("The shape of what comes out"),
        "runtime": text("What runs it.", 200, examples=["onnx-runtime"]),
        "adapters": adapters,
    },
}


def _check(submission: Submission) -> None:
    inner = submission.config["config"]
    is_image = inner["modelFormat"] == weights.IMAGE
    _need(inner, "image" if is_image else "modelFile", "an image" if is_image else "weights in layers")
    if inner.get("modelKind") != "llm":
        for member in ("inputShape", "outputShape"):
            _need(inner, member, "any kind but llm")
    if is_image:
        images.check(inner["image"], "/config/image")
    weights.check_layers(submission)
    _check_directions(submission)


def _need(inner: Mapping[str, Any], member: str, what: str) -> None:
    if member not in inner:
        place = _SCHEMA["properties"][member]  # type: ignore[index]
        raise MalformedManifest(
            f"The model lacks config.{member}, which a model that is {what} has.",
            pointer=f"/config/{member}",
            suggestion=f'Add "{member}". {place["description"]}',
        )


def directions(document: Mapping[str, Any]) -> tuple[frozenset[str], frozenset[str]]:
    """The GTypes that go into a model, and those that come out: by its exports, else by their names.

    Of names that tell nothing, the first goes in and the others may be either.
    """
    exports = [one for one in document["exports"].values() if isinstance(one, Mapping)]
    inputs = frozenset(one["inputRef"] for one in exports if one.get("inputRef"))
    outputs = frozenset(one["outputRef"] for one in exports if one.get("outputRef"))
    if inputs or outputs:
        return inputs, outputs
    names = list(document["definitions"])
    into = {name for name in names if any(word in name.lower() for word in ("input", "request"))}
    out = {name for name in names if any(word in name.lower() for word in ("output", "response", "result"))}
    plain = [name for name in names if name not in into | out]
    later = plain[1:] if names and plain[:1] == names[:1] else plain
    return frozenset(into.union(plain)), frozenset(out.union(later))


def _check_directions(submission: Submission) -> None:
    more = [(layer.pointer, layer.head) for layer in submission.layers if layer.media_type == GTYPES]
    inputs, outputs = directions(gtypes.merged(submission.config, more))
    for found, what in ((inputs, "goes in"), (outputs, "comes out")):
        if not found:
            raise MalformedManifest(
                f"No GType of the model says what {what}.",
                pointer="/gtypes",
                value=len(submission.config.get("gtypes", ())),
                suggestion="Declare one GType whose name ends in Input and one in Output, or name both in exports.",
            )


def _check_aux(_: Submission, layer: Layer, file: Any) -> None:
    archive.check(layer, file)


def _notes(config: Mapping[str, Any]) -> tuple[str, ...]:
    """TensorRT publishes no format: only the header of an engine is checked. An image is not looked into."""
    return (UNPROVEN,) if config["config"]["modelFormat"] in {"tensorrt", weights.IMAGE} else ()


_EFFORT: Final = 16
_RULES: Final = tuple(
    LayerRule(one.media_type, "weights", most=1, ends=weights.check_ends, whole=weights.check_whole, effort=_EFFORT)
    for one in weights.FORMATS.values()
)
_EXAMPLE_HEADER: Final = b'{"weight":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}'
_EXAMPLE_WEIGHTS: Final = len(_EXAMPLE_HEADER).to_bytes(8, "little") + _EXAMPLE_HEADER + bytes(8)

KIND: Final = Kind(
    name="model",
    artifact_type="application/vnd.gati.model.v1",
    config_type="application/vnd.gati.model.config.v1+json",
    layers=(
        *_RULES,
        LayerRule(
            weights.SHARD,
            "weights",
            most=weights.SHARDS,
            ends=weights.check_ends,
            whole=weights.check_whole,
            effort=_EFFORT,
        ),
        LayerRule(weights.AUX, "aux", most=1, whole=_check_aux),
        GTYPES_RULE,
        README_RULE,
        EMPTY_RULE,
    ),
    schema=_SCHEMA,
    top={"properties": {"modelCard": card_schema, "benchmarks": benchmark_schema}},
    summary="A trained model: its weights, in one layer or in shards, what goes in and comes out, how good it is.",
    example={
        "name": "sentiment",
        "version": "1.0.0",
        "description": "Tells whether a sentence is friendly.",
        "license": "Apache-2.0",
        "config": {
            "modelFormat": "safetensors",
            "modelKind": "classification",
            "modelFile": "model.safetensors",
            "inputShape": [1],
            "outputShape": [2],
            "runtime": "onnx-runtime",
        },
        "gtypes": [
            {"name": "SentimentInput", "fields": {"text": "string"}},
            {"name": "SentimentOutput", "fields": {"label": "enum[friendly,unfriendly]", "score": "number"}},
        ],
        "modelCard": {
            "dataset": "SST-2",
            "accuracy": 0.91,
            "f1Score": 0.9,
            "trainingDate": "2026-01-31",
            "usageExamples": ["gati model pull @alice/sentiment"],
        },
        "benchmarks": {"inferenceTime": "12ms", "memoryUsage": "256MB"},
    },
    example_layers=(("model.safetensors", weights.FORMATS["safetensors"].media_type, _EXAMPLE_WEIGHTS),),
    check=_check,
    refused=(
        (
            "`config.modelFile` is missing or not the title of the layer with the weights (with shards: of the "
            "first); `config.image` is missing for `cuda-image`."
        ),
        "`inputShape` or `outputShape` is missing and `modelKind` is not `llm`.",
        "No GType goes in, or none comes out.",
        "There are no weights, or both a layer of them and shards; of the shards `i/n` one is missing or there twice.",
        (
            "The bytes of the weights are not of `modelFormat` (`MODEL_FORMAT_MISMATCH`, 422). Of TensorRT only "
            "the header is checked, and the model is listed as unproven."
        ),
        (
            "It waits for its model card and its benchmarks, in the Gati manifest or as referrers, before it is "
            "published."
        ),
    ),
    notes=_notes,
    referrers={CARD: Referrer("modelCard", card_schema), BENCHMARK: Referrer("benchmarks", benchmark_schema)},
)
