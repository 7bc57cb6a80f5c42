"""Gati manifests against the JSON Schema of their type; what is wrong, where, and what to write instead. Pure."""

import difflib
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import jsonschema_rs

from registry.artifacts.common_schema import DIALECT, PLAIN, PROPERTIES, REQUIRED
from registry.artifacts.model import Kind
from registry.core.errors import MalformedManifest
from registry.core.pointers import under

_COMPILED: Final[dict[str, jsonschema_rs.Draft202012Validator]] = {}
_NEAR: Final = 80
_CONTROL: Final = "holds a control character"
_WORDS: Final = {
    "type": "is of the wrong JSON type",
    "enum": "is none of the words that it may be",
    "const": "is not the word that it must be",
    "pattern": "has not the form that it must have",
    "minLength": "is empty or too short",
    "maxLength": "is too long",
    "minItems": "has too few items",
    "maxItems": "has too many items",
    "uniqueItems": "has an item twice",
    "minProperties": "has too few members",
    "maxProperties": "has too many members",
    "minimum": "is too small",
    "exclusiveMinimum": "is too small",
    "maximum": "is too large",
    "exclusiveMaximum": "is too large",
    "dependentRequired": "lacks a member that another of its members asks for",
    "additionalProperties": "has a member that it must not have",
}


def document_schema(kind: Kind) -> dict[str, Any]:
    """The JSON Schema (2020-12) of a whole Gati manifest of this type."""
    properties = PROPERTIES | dict(kind.top.get("properties", {}))
    required = [*REQUIRED, *kind.top.get("required", ())]
    return {
        "$schema": DIALECT,
        "title": f"Gati manifest of a {kind.name}",
        "type": "object",
        "properties": properties | {"config": PROPERTIES["config"] | dict(kind.schema)},
        "required": list(dict.fromkeys(required)),
    }


def validate(kind: Kind, config: Mapping[str, Any]) -> None:
    """Hold a Gati manifest against the schema of its type.

    Raises:
        MalformedManifest: the first thing in it that breaks the schema.
    """
    schema = document_schema(kind)
    if kind.name not in _COMPILED:
        _COMPILED[kind.name] = _compiled(schema)
    _validate(_COMPILED[kind.name], schema, config, f"The Gati manifest of a {kind.name}")


def validate_part(
    name: str, schema: Mapping[str, Any], value: Any, *, document: str = "config", base: str = ""
) -> None:
    """Hold a value against a schema of its own, which is always the same for `name`.

    Raises:
        MalformedManifest: the first thing in it that breaks the schema; `base` goes before its pointer.
    """
    if name not in _COMPILED:
        _COMPILED[name] = _compiled(schema)
    _validate(_COMPILED[name], schema, value, f"The {name}", document, base)


def did_you_mean(given: object, words: Iterable[str]) -> str:
    """` Did you mean x?` for the word that is nearest to what was given, else nothing."""
    if not isinstance(given, str) or len(given) > _NEAR:
        return ""
    some = (word for word in words if len(word) <= _NEAR)
    near = difflib.get_close_matches(given, list(itertools.islice(some, 200)), 1, 0.6)
    return f" Did you mean {near[0]}?" if near else ""


def _compiled(schema: Mapping[str, Any]) -> jsonschema_rs.Draft202012Validator:
    # Its regular expressions match in linear time; the others, which look around, do not.
    return jsonschema_rs.Draft202012Validator(
        dict(schema), pattern_options=jsonschema_rs.RegexOptions(), mask="it", offline=True
    )


def _validate(
    validator: jsonschema_rs.Draft202012Validator,
    schema: Mapping[str, Any],
    value: Any,
    subject: str,
    document: str = "config",
    base: str = "",
) -> None:
    try:
        validator.validate(value)
    except jsonschema_rs.ValidationError as error:
        raise _refusal(error, schema, subject, document, base) from error
    except (ValueError, TypeError, OverflowError) as error:
        raise MalformedManifest(
            f"{subject} holds a value that cannot be judged: {str(error)[:200]}",
            pointer=base,
            document=document,
            suggestion="Use numbers of at most 64 bits and text that is valid Unicode.",
        ) from error


def _refusal(
    error: jsonschema_rs.ValidationError, schema: Mapping[str, Any], subject: str, document: str, base: str
) -> MalformedManifest:
    path = list(error.instance_path)
    keyword = str(error.schema_path[-1]) if error.schema_path else ""
    missing = getattr(error.kind, "property", None) if keyword == "required" else None
    place = _schema_at(schema, error.schema_path[:-1] if error.schema_path else [])
    if missing is not None:
        inner = place.get("properties", {}).get(missing, {})
        example = _example(inner)
        written = f'Add "{missing}": {json.dumps(example)}.' if example is not None else f'Add "{missing}".'
        at, what, value = under(base, [*path, missing]), f"lacks {_dotted([*path, missing])}", None
        suggestion = f"{written} {inner.get('description', '')}".strip()
    else:
        at, value = under(base, path), _shown(error.instance)
        words = _WORDS.get(keyword, "is not as it must be") if place.get(keyword) != PLAIN else _CONTROL
        what = f"is refused: {_dotted(path)} {words}"
        suggestion = _suggestion(place, keyword, error.instance)
    return MalformedManifest(f"{subject} {what}.", pointer=at, value=value, document=document, suggestion=suggestion)


def _schema_at(schema: Any, path: Sequence[str | int]) -> Mapping[str, Any]:
    """The part of the schema that a path leads to."""
    place: Any = schema
    for part in path:
        if isinstance(place, Mapping):
            place = place.get(str(part), {})
        elif isinstance(place, list | tuple) and str(part).isdigit() and int(part) < len(place):
            place = place[int(part)]
        else:
            return {}
    return place if isinstance(place, Mapping) else {}


def _suggestion(place: Mapping[str, Any], keyword: str, value: Any) -> str:
    hints = [str(place["description"])] if "description" in place else []
    if keyword in {"enum", "const"}:
        words = [str(word) for word in place.get("enum", [place.get("const")])]
        hints.insert(0, f"Write one of: {', '.join(words)}.{did_you_mean(value, words)}")
    elif keyword == "type":
        names = place.get("type", "value")
        hints.insert(0, f"Write a JSON {names if isinstance(names, str) else ' or '.join(names)}.")
    elif keyword in {"maxLength", "maxItems", "maximum", "minItems", "minimum", "minLength", "maxProperties"}:
        hints.append(f"The limit is {place.get(keyword)}.")
    example = _example(place)
    if example is not None and keyword not in {"enum", "const"}:
        hints.append(f"Such as {json.dumps(example)}.")
    return " ".join(hints) or "See the page of the type in docs/artifacts."


def _example(place: Mapping[str, Any]) -> Any:
    examples = place.get("examples") or place.get("enum") or [place.get("const", place.get("default"))]
    return examples[0]


def _dotted(path: Sequence[str | int]) -> str:
    """`config.ports[2]`, for people."""
    words = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return (words.removeprefix(".")[:200]) or "it"


def _shown(value: Any) -> Any:
    """A value as it may stand in an error: a scalar, or the kind of a container."""
    if isinstance(value, Mapping | list):
        return f"({'an object' if isinstance(value, Mapping) else 'a list'} of {len(value)})"
    return value
