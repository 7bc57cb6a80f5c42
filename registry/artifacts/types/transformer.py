"""transformer: how the data of one version of an artifact becomes that of the next, and back. Pure."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, Final

from registry.artifacts import references, versions
from registry.artifacts.common_schema import text, wanted
from registry.artifacts.formats import archive
from registry.artifacts.layers import GTYPES_RULE, README_RULE
from registry.artifacts.model import Kind, Layer, LayerRule, Submission, Wanted
from registry.artifacts.schemas import validate_part
from registry.artifacts.types import transformations
from registry.core import strict_json
from registry.core.errors import MalformedManifest

RULES: Final = "application/vnd.gati.transformer.rules.v1+json"
CODE: Final = "application/vnd.gati.transformer.layer.v1.tar+gzip"
_RANGE: Final = wanted("versions on one side of a breaking change", "1.x", "2.0.0")
_SCHEMA: Final = {
    "type": "object",
    "required": ["fromArtifact", "fromVersion", "toVersion", "transformations"],
    "properties": {
        "fromArtifact": text("The artifact whose data it turns.", 512, examples=["@alice/hello"]),
        "fromVersion": _RANGE,
        "toVersion": _RANGE,
        "transformations": transformations.SCHEMA,
        "lossy": {"type": "boolean", "description": "Whether something is lost on the way; false unless written."},
    },
}
_NUMBERS: Final = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9}){0,2}")


def _wants(config: Mapping[str, Any]) -> tuple[Wanted, ...]:
    inner = config["config"]
    parsed = references.parse(inner["fromArtifact"], "/config/fromArtifact")
    if parsed.version is not None or parsed.digest is not None:
        _refuse("fromArtifact", inner, "The name of the artifact has a version in it.", "Write it as fromVersion.")
    return (Wanted("/config/fromArtifact", inner["fromArtifact"], inner["fromVersion"], "transforms"),)


def _check(submission: Submission) -> None:
    inner = submission.config["config"]
    _check_versions(inner)
    kinds = {layer.media_type for layer in submission.layers}
    if not kinds & {RULES, CODE}:
        raise MalformedManifest(
            "The transformer has neither rules nor code.",
            pointer="/layers",
            document="manifest",
            value=len(submission.layers),
            suggestion=f"Push a layer of the type {RULES}, or of {CODE}.",
        )
    needs_defaults = CODE not in kinds and not inner.get("lossy", False)
    transformations.check(inner["transformations"], "/config/transformations", needs_defaults=needs_defaults)
    for layer in submission.layers:
        if layer.media_type == RULES:
            _check_rules(layer, needs_defaults=needs_defaults)


def _check_versions(inner: Mapping[str, Any]) -> None:
    """Two sides that share no version: the edge between them is what is turned."""
    older, newer = inner["fromVersion"], inner["toVersion"]
    for member in ("fromVersion", "toVersion"):
        if not versions.is_range(inner[member]):
            _refuse(member, inner, "It is neither a version nor a range.", "Write 1.4.0, 1.x or ^2.0.0.")
    shared = next((one for one in _samples(older, newer) if _is_in(one, older) and _is_in(one, newer)), None)
    if shared is not None:
        _refuse(
            "toVersion",
            inner,
            f"fromVersion and toVersion share versions, such as {shared}.",
            "Write the versions on both sides of one breaking change, such as 1.x and 2.x.",
        )


def _is_in(version: str, wanted: str) -> bool:
    return version == wanted or versions.satisfies(version, wanted)


def _samples(*ranges: str) -> Iterator[str]:
    """Versions at the borders of ranges, and a little above; those of a range without numbers among them."""
    yield from ranges
    yield "0.0.0"
    yield "999999.0.0"
    for one in ranges:
        for match in _NUMBERS.finditer(one[:128]):
            parts = [int(part) for part in match[0].split(".")]
            major, minor, patch = [*parts, 0, 0][:3]
            yield f"{major}.{minor}.{patch}"
            yield f"{major}.{minor}.{patch + 1}"
            yield f"{major}.{minor + 1}.0"


def _refuse(member: str, inner: Mapping[str, Any], message: str, suggestion: str) -> None:
    raise MalformedManifest(message, pointer=f"/config/{member}", value=inner[member], suggestion=suggestion)


def _check_rules(layer: Layer, *, needs_defaults: bool) -> None:
    """The rules as a layer: `{"transformations": […]}`."""
    try:
        value = strict_json.parse(layer.head) if layer.is_whole else None
    except strict_json.Ambiguous:
        value = None
    if not isinstance(value, dict) or "transformations" not in value:
        raise MalformedManifest(
            "The rules of the transformer are no JSON object of at most 1 MiB with transformations.",
            pointer=layer.pointer,
            document="layer",
            suggestion='Write {"transformations": […]}.',
        )
    found = value["transformations"]
    validate_part("rules of a transformer", transformations.SCHEMA, found, document="layer", base="/transformations")
    transformations.check(found, "/transformations", needs_defaults=needs_defaults, document="layer")


def _check_code(_: Submission, layer: Layer, file: BinaryIO) -> None:
    archive.check(layer, file)


_EXAMPLE: Final = [
    {"type": "User", "changes": {"renamed": {"mail": "email"}, "added": [{"name": "phone", "default": ""}]}}
]

KIND: Final = Kind(
    name="transformer",
    artifact_type="application/vnd.gati.transformer.v1",
    config_type="application/vnd.gati.transformer.config.v1+json",
    layers=(
        LayerRule(RULES, "rules", most=1),
        LayerRule(CODE, "code", most=1, whole=_check_code),
        GTYPES_RULE,
        README_RULE,
    ),
    schema=_SCHEMA,
    summary="How the data of one version of an artifact becomes that of the next, and back.",
    example={
        "name": "hello-1-to-2",
        "version": "1.0.0",
        "config": {
            "fromArtifact": "@alice/hello",
            "fromVersion": "1.x",
            "toVersion": "2.x",
            "transformations": _EXAMPLE,
        },
    },
    example_layers=(("rules.json", RULES, json.dumps({"transformations": _EXAMPLE}).encode()),),
    check=_check,
    refused=(
        "`fromArtifact` is no reference, or has a version in it.",
        "`fromVersion` and `toVersion` are no ranges, or share a version.",
        (
            "There are neither rules nor code, or a rule is not of the closed set; without code and `lossy`, what "
            "is added or removed has no default."
        ),
    ),
    wants=_wants,
)
