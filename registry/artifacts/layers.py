"""The layers of an artifact against the rules of its type. Pure."""

import io
import zlib
from collections.abc import Iterator
from typing import Final

from registry.artifacts.formats import paths
from registry.artifacts.model import EMPTY, GTYPES, README, TITLE, Layer, LayerRule, Submission, Thorough
from registry.artifacts.schemas import did_you_mean
from registry.core.errors import MalformedManifest
from registry.core.pointers import pointer

AT_ONCE: Final = 1 << 16
"""Bytes of a layer up to which it is read whole in the push."""

LONGEST_README: Final = 512 << 10
LONGEST_GTYPES: Final = 500_000
_BUDGET: Final = 1 << 20


def _check_readme(_: Submission, layer: Layer) -> None:
    if layer.size > LONGEST_README:
        refuse(layer, "size", layer.size, "The README is too large.", f"Keep it under {LONGEST_README} bytes.")
    try:
        text = layer.head.decode()
    except UnicodeDecodeError as error:
        raise _unreadable(layer, f"is not UTF-8 at byte {error.start}") from error
    if "\0" in text:
        raise _unreadable(layer, "holds the character U+0000")


def _unreadable(layer: Layer, what: str) -> MalformedManifest:
    return MalformedManifest(
        f"The README {what}.", pointer=layer.pointer, document="layer", suggestion="Save it as text in UTF-8."
    )


def _check_gtypes(_: Submission, layer: Layer) -> None:
    if layer.size > LONGEST_GTYPES:
        refuse(layer, "size", layer.size, "The GTypes are too large.", f"Keep them under {LONGEST_GTYPES} bytes.")


def _check_empty(_: Submission, layer: Layer) -> None:
    if layer.head != b"{}":
        refuse(layer, "digest", layer.digest, "The empty layer is not {}.", "Its content is the two bytes {}.")


GTYPES_RULE: Final = LayerRule(GTYPES, "gtypes", most=1, ends=_check_gtypes)
README_RULE: Final = LayerRule(README, "readme", most=1, ends=_check_readme)
EMPTY_RULE: Final = LayerRule(EMPTY, "empty", most=1, ends=_check_empty)


def refuse(layer: Layer, member: str, value: object, message: str, suggestion: str) -> None:
    """Refuse a layer for what its descriptor says in `member`.

    Raises:
        MalformedManifest: always.
    """
    raise MalformedManifest(
        message,
        pointer=layer.pointer + pointer(*member.split("|")),
        value=value,
        document="manifest",
        suggestion=suggestion,
    )


def check(submission: Submission) -> None:
    """Hold count, media types, titles and the ends of all layers against the rules.

    Raises:
        ArtifactInvalid: one breaks a rule.
    """
    rules = {rule.media_type: rule for rule in submission.kind.layers}
    if rules:
        _check_types(submission, rules)
        _check_counts(submission, rules)
    _check_titles(submission)
    for layer in submission.layers:
        rule = rules.get(layer.media_type)
        if rule is not None and rule.ends is not None:
            rule.ends(submission, layer)


def read_small(submission: Submission) -> tuple[Layer, ...]:
    """Read small layers whole, as their rules say; those that are not read here, though they must be.

    Raises:
        ArtifactInvalid: one breaks its rule.
    """
    pending, budget = [], _BUDGET
    for layer, effort, whole in _thorough(submission):
        cost = _cost(layer, budget // effort)
        if cost is None:
            pending.append(layer)
        else:
            budget -= cost * effort
            whole(submission, layer, io.BytesIO(layer.head))
    return tuple(pending)


def _thorough(submission: Submission) -> Iterator[tuple[Layer, int, Thorough]]:
    for layer in submission.layers:
        rule = submission.kind.rule(layer.media_type)
        if rule is not None and rule.whole is not None:
            yield layer, rule.effort, rule.whole


def _cost(layer: Layer, budget: int) -> int | None:
    """Bytes to read, expanded, for all of a layer; None: more than `budget`, or than is read at once."""
    if layer.size > AT_ONCE or len(layer.head) < layer.size or layer.size > budget:
        return None
    if not layer.media_type.endswith("gzip"):
        return layer.size
    try:
        expanded = zlib.decompressobj(31).decompress(layer.head, budget + 1)
    except zlib.error:
        return layer.size
    return len(expanded) if len(expanded) <= budget else None


def _check_types(submission: Submission, rules: dict[str, LayerRule]) -> None:
    for layer in submission.layers:
        if layer.media_type not in rules:
            hint = did_you_mean(layer.media_type, rules)
            refuse(
                layer,
                "mediaType",
                layer.media_type,
                f"A {submission.kind.name} has no layers of the media type {layer.media_type[:200]!r}.",
                f"Write one of: {', '.join(rules)}.{hint}",
            )


def _check_counts(submission: Submission, rules: dict[str, LayerRule]) -> None:
    if submission.is_index:
        return
    for rule in rules.values():
        count = sum(layer.media_type == rule.media_type for layer in submission.layers)
        if not rule.least <= count <= rule.most:
            wanted = f"at least {rule.least}" if count < rule.least else f"at most {rule.most}"
            raise MalformedManifest(
                f"A {submission.kind.name} has {wanted} layer of the type {rule.media_type}; this one has {count}.",
                pointer="/layers",
                value=count,
                document="manifest",
                suggestion=f"Push {wanted} of them, with the {rule.role}.",
            )


def _check_titles(submission: Submission) -> None:
    """Titles become names of files: safe, and each once (the layers of an index: each once in its manifest)."""
    seen: dict[tuple[str, str], Layer] = {}
    place = "annotations|" + TITLE
    for layer in submission.layers:
        title = layer.title
        if title is None:
            continue
        why = paths.fault(title)
        if why is not None:
            refuse(
                layer, place, title, f"The title of a layer {why}.", "Write a relative file name, such as README.md."
            )
        key = (layer.pointer.rpartition("/layers/")[0], paths.folded(title))
        if key in seen:
            refuse(layer, place, title, "Two layers have one title.", "Give each layer a file name of its own.")
        seen[key] = layer
    for (manifest, name), layer in seen.items():
        parts = name.split("/")
        if any((manifest, "/".join(parts[:length])) in seen for length in range(1, len(parts))):
            hint = "Give each layer a file name of its own."
            refuse(layer, place, layer.title, "The title of a layer is in the folder that another layer is.", hint)
