"""snapshot: an environment, every part of it pinned by its digest, without any secret. Pure."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from registry.artifacts import references, secrets, versions
from registry.artifacts.common_schema import text
from registry.artifacts.layers import README_RULE
from registry.artifacts.model import Kind, Layer, LayerRule, Submission, Wanted
from registry.artifacts.schemas import validate_part
from registry.core import strict_json
from registry.core.errors import MalformedManifest
from registry.core.pointers import pointer

LOCK: Final = "application/vnd.gati.snapshot.lock.v1+json"
MEMBERS: Final = ("modules", "plugins", "agents", "models", "templates")
LISTS: Final = (*MEMBERS, "transformers", "snapshots")
"""The lists of artifacts; of those that are no `MEMBERS`, any may be absent."""

_DIGEST: Final = text(
    "The digest of its manifest.",
    135,
    pattern="^(sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128})$",
    examples=["sha256:" + "0" * 64],
)
_VERSION: Final = text("Its version (Semantic Versioning 2.0.0).", 128, examples=["1.4.0"])
_ENTRY: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["reference", "version", "digest"],
    "properties": {
        "reference": text("Which artifact.", 512, examples=["users/alice/hello"]),
        "version": _VERSION,
        "digest": _DIGEST,
    },
}
_EXAMPLE: Final = {"reference": "users/alice/hello", "version": "1.0.0", "digest": "sha256:" + "5e" * 32}


def _entries(what: str) -> dict[str, Any]:
    return {
        "type": "array",
        "maxItems": 2000,
        "items": _ENTRY,
        "description": f"The {what} that are installed, each with reference, version and digest.",
        "examples": [[_EXAMPLE]],
    }


_SCHEMA: Final = {
    "type": "object",
    "required": ["cliVersion", "visibility", *MEMBERS],
    "properties": {
        "cliVersion": text("The version of gati that took it.", 128, examples=["1.0.0"]),
        "gatiVersion": text("The version of Gati.", 128, examples=["1.0.0"]),
        "platform": text("Operating system and architecture.", 100, examples=["linux/amd64"]),
        "visibility": {"enum": ["public", "internal", "private"], "description": "Who may see it."},
        "config": {"type": "object", "description": "Settings, with ${NAME} in the place of each secret."},
        **{member: _entries(member) for member in LISTS},
    },
}
LOCK_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["lockfileVersion", "artifacts"],
    "properties": {
        "lockfileVersion": {"const": 1, "description": "Always 1."},
        "artifacts": {
            "type": "object",
            "maxProperties": 10_000,
            "description": "Every artifact by its repository, those that others need as well.",
            "examples": [{"users/alice/hello": {"version": "1.0.0", "digest": _EXAMPLE["digest"]}}],
            "additionalProperties": {
                "type": "object",
                "required": ["version", "digest"],
                "properties": {"version": _VERSION, "digest": _DIGEST},
            },
        },
    },
}


def listed(config: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """All entries of a snapshot: the type (`module` for the five), the pointer, the entry."""
    for member in LISTS:
        for index, entry in enumerate(config["config"].get(member, ())):
            yield member.removesuffix("s"), pointer("config", member, index), entry


def _wants(config: Mapping[str, Any]) -> tuple[Wanted, ...]:
    found: dict[str, Wanted] = {}
    for kind, place, entry in listed(config):
        parsed = references.parse(entry["reference"], f"{place}/reference")
        versions.check_version(entry["version"], f"{place}/version")
        if parsed.version not in {None, entry["version"]} or parsed.digest not in {None, entry["digest"]}:
            _refuse(f"{place}/reference", entry["reference"], "The reference and its version or digest do not agree.")
        if entry["reference"] in found:
            _refuse(f"{place}/reference", entry["reference"], "It is there twice.")
        found[entry["reference"]] = Wanted(
            place, entry["reference"], entry["version"], "snapshot", digest=entry["digest"], must_pin=True, type=kind
        )
    return tuple(found.values())


def _refuse(place: str, value: object, message: str) -> None:
    raise MalformedManifest(
        message,
        pointer=place,
        value=value,
        suggestion="Name each artifact once, by users/slug/name, with the version and digest that are installed.",
    )


def _check(submission: Submission) -> None:
    inner = submission.config["config"]
    for member in ("cliVersion", "gatiVersion"):
        if member in inner:
            versions.check_version(inner[member], f"/config/{member}")
    _check_secrets(submission.config, "config", "")
    layer = next(layer for layer in submission.layers if layer.media_type == LOCK)
    lock = _read(layer)
    _check_secrets(lock, "layer", layer.pointer)
    _check_lock(submission, layer, lock["artifacts"])


def _check_secrets(value: Any, document: str, place: str) -> None:
    found = secrets.find(value)
    if found:
        raise MalformedManifest(
            f"The snapshot holds what looks like a secret ({len(found)} in all).",
            pointer=place or found[0],
            path=found[0] if place else None,
            document=document,
            suggestion="Write a name for it, such as ${DATABASE_PASSWORD}; gati asks for it when it is restored.",
        )


def _read(layer: Layer) -> dict[str, Any]:
    try:
        value = strict_json.parse(layer.head) if layer.is_whole else None
    except strict_json.Ambiguous:
        value = None
    if not isinstance(value, dict):
        raise MalformedManifest(
            "The lock of the snapshot is no JSON object of at most 1 MiB.",
            pointer=layer.pointer,
            document="layer",
            suggestion='Write {"lockfileVersion": 1, "artifacts": {…}}.',
        )
    validate_part("lock of a snapshot", LOCK_SCHEMA, value, document="layer")
    return value


def _check_lock(submission: Submission, layer: Layer, locked: Mapping[str, Any]) -> None:
    """The lock names every entry, at the same version and digest."""
    home = submission.repository.rpartition("/")[0]
    for _, place, entry in listed(submission.config):
        names = references.repositories(references.parse(entry["reference"]), home)
        found = next((locked[name] for name in names if name in locked), None)
        if found is None or (found["version"], found["digest"]) != (entry["version"], entry["digest"]):
            raise MalformedManifest(
                "The lock and the list of the snapshot do not agree on an artifact.",
                pointer=place,
                value=entry["reference"],
                path=layer.title,
                suggestion=f"Lock {names[0]} at {entry['version']} with its digest, or take the snapshot anew.",
            )


def _locked(*entries: Mapping[str, Any]) -> bytes:
    artifacts = {one["reference"]: {"version": one["version"], "digest": one["digest"]} for one in entries}
    return json.dumps({"lockfileVersion": 1, "artifacts": artifacts}, sort_keys=True).encode()


KIND: Final = Kind(
    name="snapshot",
    artifact_type="application/vnd.gati.snapshot.v1",
    config_type="application/vnd.gati.snapshot.config.v1+json",
    layers=(LayerRule(LOCK, "lock", 1, 1), README_RULE),
    schema=_SCHEMA,
    summary="An environment as it is: modules, plugins, agents, models and templates by their digests, and settings.",
    example={
        "name": "workbench",
        "version": "1.0.0",
        "config": {
            "cliVersion": "1.0.0",
            "visibility": "private",
            "modules": [],
            "plugins": [],
            "agents": [],
            "models": [],
            "templates": [],
            "config": {"logLevel": "info", "database": {"password": "${DATABASE_PASSWORD}"}},
        },
    },
    example_layers=(("gati.lock", LOCK, _locked()),),
    check=_check,
    refused=(
        "An entry is there twice, or its reference, version and digest do not agree with each other or with the lock.",
        "Anything in it looks like a secret.",
    ),
    wants=_wants,
)
