"""Whether an artifact is what its type demands, and what is kept of it: alike in the push and in the client. Pure."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, Final

from registry.artifacts import capabilities, gtypes, identity, layers, licenses, references, schemas, versions
from registry.artifacts.catalogue import BY_ARTIFACT_TYPE
from registry.artifacts.model import (
    CONFIG_LIMIT,
    GATI_MANIFEST,
    GTYPES,
    README,
    Extract,
    Kind,
    Layer,
    Submission,
    Wanted,
)
from registry.core import strict_json
from registry.core.errors import CircularDependency, MalformedManifest
from registry.core.pointers import pointer

VALUES: Final = 50_000
"""Commas that a Gati manifest has at most, and with them values."""

_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_RELATIONS: Final = {"dev": "dev", "peer": "peer"}


@dataclass(frozen=True, slots=True)
class Checked:
    """An artifact whose push is in order.

    Attributes:
        pending: layers that must still be read whole (`check_whole`).
    """

    extract: Extract
    pending: tuple[Layer, ...] = ()


def kind_of(artifact_type: str | None) -> Kind | None:
    """The type of artifact that a manifest of this `artifactType` is, None for none of Gati's."""
    return BY_ARTIFACT_TYPE.get(artifact_type or "")


def read_config(raw: bytes) -> dict[str, Any]:
    """The Gati manifest that these bytes are.

    Raises:
        MalformedManifest: they are no JSON object with one reading, or too large.
    """
    if len(raw) > CONFIG_LIMIT:
        raise _unreadable(f"is {len(raw)} bytes long; {CONFIG_LIMIT} is the limit", "Move large values into layers.")
    if raw.count(b",") > VALUES:
        raise _unreadable(f"holds more than {VALUES} commas, and so too many values", "Move large lists into layers.")
    try:
        value = strict_json.parse(raw)
    except strict_json.Ambiguous as error:
        raise _unreadable(str(error).rstrip("."), "Write one JSON object in UTF-8.") from error
    if not isinstance(value, dict):
        raise _unreadable("is no JSON object", 'Write {"name": …, "version": …, "config": {…}}.')
    _check_values(raw, value)
    return value


def check(submission: Submission) -> Checked:
    """Judge all that a push can judge: the Gati manifest, its layers as far as they are given, and small ones whole.

    The Gati manifest of a runnable image comes in a referrer; without it (`config` is empty) the image is judged alone.

    Raises:
        ArtifactInvalid: a rule is broken; `detail` says where, and what to write instead.
    """
    kind = submission.kind
    if kind.config_in_referrer and not submission.config:
        version = identity.version_of_tags(submission)
        layers.check(submission)
        if kind.check is not None:
            kind.check(submission)
        return Checked(Extract(version))
    schemas.validate(kind, submission.config)
    identity.check(submission)
    _check_license(submission.config)
    held = capabilities.gather(submission.config)
    wants = _dependencies(submission) + (kind.wants(submission.config) if kind.wants else ())
    layers.check(submission)
    types = gtypes.merged(submission.config, _gtype_layers(submission))
    if kind.check is not None:
        kind.check(submission)
    pending = layers.read_small(submission)
    return Checked(_extract(submission, held, wants, gtypes.digest(types)), pending)


def check_whole(submission: Submission, layer: Layer, file: BinaryIO) -> None:
    """Read a layer from its start to its end (`file` stands at 0) and judge it.

    Raises:
        ArtifactInvalid: it breaks the rule of its media type.
    """
    rule = submission.kind.rule(layer.media_type)
    if rule is not None and rule.whole is not None:
        rule.whole(submission, layer, file)


def needs_referrers(submission: Submission) -> tuple[str, ...]:
    """Artifact types of referrers that must be there before it is published."""
    if submission.kind.config_in_referrer:
        return () if submission.config else (GATI_MANIFEST,)
    wanted = submission.kind.referrers.items()
    return tuple(artifact_type for artifact_type, one in wanted if one.member not in submission.config)


def check_referrer(submission: Submission, artifact_type: str, raw_layer: bytes) -> dict[str, Any]:
    """What a referrer says of this artifact, by the bytes of its layer.

    Raises:
        ArtifactInvalid: it breaks a rule.
    """
    value = read_config(raw_layer)
    if artifact_type == GATI_MANIFEST:
        check(replace(submission, config=value))
    elif artifact_type in submission.kind.referrers:
        one = submission.kind.referrers[artifact_type]
        schemas.validate_part(f"{one.member} of a {submission.kind.name}", one.schema, value)
    return value


def _check_values(raw: bytes, value: dict[str, Any]) -> None:
    if _NUL.search(raw):
        raise _unreadable("holds the character U+0000", "Leave it out.")
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError as error:
        raise _unreadable("holds half of a surrogate pair", "Write whole characters.") from error
    except ValueError as error:
        raise _unreadable("holds a number that is too large", "Write finite numbers.") from error


def _unreadable(what: str, suggestion: str) -> MalformedManifest:
    return MalformedManifest(f"The Gati manifest {what}.", pointer="", suggestion=suggestion)


def _check_license(config: Mapping[str, Any]) -> None:
    given = config.get("license")
    if given is not None and not licenses.is_expression(given):
        raise MalformedManifest(
            f"{given[:100]!r} has not the form of an SPDX licence expression.",
            pointer="/license",
            value=given,
            suggestion="Write a licence identifier such as Apache-2.0, MIT OR Apache-2.0, or LicenseRef-Proprietary.",
        )


def _dependencies(submission: Submission) -> tuple[Wanted, ...]:
    found: list[Wanted] = []
    seen: set[str] = set()
    home, _, own = submission.repository.rpartition("/")
    for index, item in enumerate(submission.config.get("dependencies", ())):
        place = pointer("dependencies", index)
        reference = references.parse(item["name"], f"{place}/name")
        if reference.version or reference.digest:
            _refuse(f"{place}/name", item["name"], "A dependency's name has a version in it.", "Write it as version.")
        if not versions.is_range(item["version"]):
            _refuse(
                f"{place}/version", item["version"], "It is no range of versions.", "Write ^1.2.0, >=1 <3, 1.x or *."
            )
        written = str(reference)
        if written in seen:
            _refuse(f"{place}/name", item["name"], "The dependency is there twice.", "Write one range for it.")
        if f"{home}/{own}" in references.repositories(reference, home)[:1]:
            raise CircularDependency(
                "It depends on itself.", pointer=f"{place}/name", value=item["name"], suggestion="Leave it out."
            )
        seen.add(written)
        relation = _RELATIONS.get(item.get("kind", ""), "dependency")
        is_optional = item.get("optional", False)
        found.append(Wanted(place, item["name"], item["version"], relation, is_optional))
    return tuple(found)


def _refuse(place: str, value: object, message: str, suggestion: str) -> None:
    raise MalformedManifest(message, pointer=place, value=value, suggestion=suggestion)


def _gtype_layers(submission: Submission) -> list[tuple[str, bytes]]:
    return [(layer.pointer, layer.head) for layer in submission.layers if layer.media_type == GTYPES]


def _extract(
    submission: Submission, held: tuple[str, ...], wants: tuple[Wanted, ...], gtype_hash: str | None
) -> Extract:
    config, noted = submission.config, submission.kind.notes
    readme = next((layer for layer in submission.layers if layer.media_type == README), None)
    return Extract(
        version=config["version"],
        description=config.get("description", ""),
        keywords=tuple(dict.fromkeys((*config.get("keywords", ()), *(noted(config) if noted else ())))),
        capabilities=held,
        license=config.get("license"),
        language=config.get("language"),
        engines=config.get("engines", {}).get("gati"),
        readme=readme.head.decode() if readme is not None and readme.is_whole else None,
        gtype_hash=gtype_hash,
        wants=wants,
    )
