"""GTypes as artifacts declare them: in the Gati manifest or in a layer; their limits, their shape, their hash. Pure."""

import functools
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeVar

from registry.artifacts.schemas import did_you_mean
from registry.core import strict_json
from registry.core.errors import MalformedManifest
from registry.core.pointers import pointer, under

LONGEST: Final = 500_000
DEEPEST: Final = 50
MOST: Final = 1000
_SCALARS: Final = ("string", "number", "boolean", "null", "any", "never")
KINDS: Final = (*_SCALARS, "object", "array", "tuple", "union", "intersection", "enum", "literal", "ref")
_SHORT: Final[dict[str, dict[str, Any]]] = {
    "array": {"kind": "array", "items": {"kind": "any"}},
    "object": {"kind": "object"},
    "integer": {"kind": "number", "integer": True},
    "unknown": {"kind": "any"},
}
_ENUM: Final = re.compile(r"enum\[([^\[\]]*)\]")
_NOISE: Final = frozenset({"description", "metadata", "version"})
_T = TypeVar("_T")
_EXTERNAL: Final = ("bigint", "symbol", "undefined", "function")


class Fault(ValueError):
    """A GType is not what it must be: where, in its document, and what to write instead."""

    def __init__(self, message: str, at: str, value: Any, suggestion: str) -> None:
        super().__init__(message)
        self.message = message
        self.at = at
        self.value = value
        self.suggestion = suggestion


def merged(config: Mapping[str, Any], layers: list[tuple[str, bytes]]) -> dict[str, Any]:
    """All GTypes of an artifact: of the manifest, and of its layers, given by pointer and bytes.

    Raises:
        MalformedManifest: one is not well formed, is there twice and different, or is exported and not there.
    """
    found = _refusing(lambda: _declared(config))
    for place, raw in layers:
        more = _refusing(functools.partial(_parse_layer, raw), place)
        for name, gtype in more["definitions"].items():
            if found["definitions"].setdefault(name, gtype) != gtype:
                fault = Fault(f"{name[:100]!r} is declared twice, differently.", "", name, "Declare it once.")
                raise _refusal(fault, place)
        found["exports"] |= more["exports"]
    if found["definitions"]:
        _refusing(lambda: _check_exports(found["exports"], found["definitions"]))
    return found


def check_type(gtype: Any, place: str, definitions: Mapping[str, Any] | None = None) -> None:
    """Hold one GType of a Gati manifest against the shape that GTypes have.

    Raises:
        MalformedManifest: it is none.
    """
    _refusing(lambda: _check(gtype, place, definitions or {}))


def _refusing(read: Callable[[], _T], layer: str = "") -> _T:
    try:
        return read()
    except Fault as fault:
        raise _refusal(fault, layer) from fault


def _refusal(fault: Fault, layer: str) -> MalformedManifest:
    """Of a layer: its pointer, and as `path` the pointer inside of it."""
    return MalformedManifest(
        f"The GTypes{' of a layer' if layer else ''} are refused. {fault.message}",
        pointer=layer or fault.at,
        value=fault.value,
        document="layer" if layer else "config",
        suggestion=fault.suggestion,
        path=fault.at if layer else None,
    )


def _parse_layer(raw: bytes) -> dict[str, Any]:
    """The definitions and exports of a layer of GTypes: a document, or a list as in a Gati manifest."""
    if len(raw) > LONGEST:
        raise Fault("It is too large.", "", len(raw), f"Keep GTypes under {LONGEST} bytes.")
    try:
        value = strict_json.parse(raw)
    except strict_json.Ambiguous as error:
        raise Fault(f"It {error}", "", None, "Write one JSON document in UTF-8.") from error
    if isinstance(value, list):
        return {"definitions": _listed(value, ""), "exports": {}}
    if not isinstance(value, Mapping) or not isinstance(value.get("definitions"), Mapping):
        raise Fault("It has no definitions.", "", None, 'Write {"version": "1.0", "definitions": {…}}.')
    return _document(value)


def _document(value: Mapping[str, Any]) -> dict[str, Any]:
    if value.get("version", "1.0") != "1.0":
        raise Fault("Its version is not 1.0.", "/version", value.get("version"), "Write GTypes of version 1.0.")
    definitions, exports = value["definitions"], value.get("exports", {})
    if len(definitions) > MOST or not isinstance(exports, Mapping):
        raise Fault("It has too many definitions, or its exports are no object.", "", None, f"Write at most {MOST}.")
    for name, gtype in definitions.items():
        _check(gtype, pointer("definitions", name), definitions)
    _check_exports(exports, definitions)
    return {"definitions": dict(definitions), "exports": dict(exports)}


def _declared(config: Mapping[str, Any]) -> dict[str, Any]:
    """The definitions and exports that stand in a Gati manifest itself."""
    listed = config.get("gtypes") or []
    if listed and len(json.dumps(listed, ensure_ascii=False)) > LONGEST:
        raise Fault("They are too large.", "/gtypes", None, f"Keep them under {LONGEST} bytes.")
    return {"definitions": _listed(listed, "/gtypes"), "exports": dict(config.get("exports", {}))}


def digest(types: Mapping[str, Any]) -> str | None:
    """`gtypeHash`: of the canonical JSON of definitions and exports, without descriptions; None without any."""
    if not types["definitions"]:
        return None
    document = {
        "definitions": {name: _plain(gtype) for name, gtype in types["definitions"].items()},
        "exports": types["exports"],
    }
    canonical = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def _listed(items: list[Any], place: str) -> dict[str, Any]:
    """Definitions from the list of a manifest, whose items have `fields` in shorthand or a whole `schema`."""
    names = [item.get("name") if isinstance(item, Mapping) else None for item in items[: MOST + 1]]
    found: dict[str, Any] = {}
    for index, (name, item) in enumerate(zip(names, items, strict=False)):
        at = under(place, [index])
        if not isinstance(name, str) or len(items) > MOST:
            raise Fault("A GType has no name, or there are too many.", at, None, f"Name each; write at most {MOST}.")
        if name in found:
            raise Fault(f"The GType {name[:100]!r} is declared twice.", f"{at}/name", name, "Declare it once.")
        found[name] = item["schema"] if "schema" in item else _from_fields(item, at, frozenset(map(str, names)))
    for index, gtype in enumerate(found.values()):
        _check(gtype, under(place, [index, "schema" if "schema" in items[index] else "fields"]), found)
    return found


def _from_fields(item: Mapping[str, Any], at: str, names: frozenset[str]) -> dict[str, Any]:
    fields = item.get("fields", {})
    if not isinstance(fields, Mapping) or len(fields) > MOST:
        raise Fault("The fields of a GType are no object of types.", f"{at}/fields", None, 'Write {"id": "string"}.')
    properties: dict[str, Any] = {}
    required: list[str] = []
    for name, expression in fields.items():
        place = at + pointer("fields", name)
        if isinstance(expression, Mapping):
            properties[name] = dict(expression)
            needed = not expression.get("optional", False)
        elif isinstance(expression, str) and len(expression) <= 2000:
            needed = not expression.rstrip().endswith("?")
            properties[name] = _expression(expression.rstrip().removesuffix("?"), place, names)
        else:
            raise Fault("A field has no type.", place, expression, "Write an expression such as string or number[].")
        if needed:
            required.append(name)
    return {"kind": "object", "properties": properties, "required": sorted(required)}


def _expression(text: str, place: str, names: frozenset[str]) -> dict[str, Any]:
    """The GType that a short expression means: `string`, `enum[a,b]`, `T[]`, `T|U`, a name."""
    given = text.strip()
    parts = [part.strip() for part in re.split(r"\|(?![^\[]*\])", given)]
    if len(parts) > 1:
        return {"kind": "union", "types": [_expression(part, place, names) for part in parts]}
    choice = _ENUM.fullmatch(given)
    if choice:
        return {"kind": "enum", "values": [word.strip() for word in choice[1].split(",")]}
    inner, depth = given, 0
    while inner.endswith("[]"):
        inner, depth = inner[:-2].strip(), depth + 1
    gtype = _atom(inner, place, names)
    if depth > DEEPEST:
        raise Fault("A type nests too deep.", place, given[:100], f"Nest at most {DEEPEST} levels.")
    for _ in range(depth):
        gtype = {"kind": "array", "items": gtype}
    return gtype


def _atom(word: str, place: str, names: frozenset[str]) -> dict[str, Any]:
    if word in _SCALARS:
        return {"kind": word}
    if word in _SHORT:
        return dict(_SHORT[word])
    if word in names:
        return {"kind": "ref", "refId": word}
    known = [*_SCALARS, "array", "object", "integer", *names]
    raise Fault(
        f"{word[:100]!r} is no type.", place, word, f"Write string, number, enum[a,b], T[].{did_you_mean(word, known)}"
    )


def _check(gtype: Any, place: str, definitions: Mapping[str, Any]) -> None:
    """Hold a GType and all in it against what GTypes are, without recursion."""
    stack: list[tuple[Any, tuple[str | int, ...]]] = [(gtype, ())]
    while stack:
        value, path = stack.pop()
        at = under(place, path)
        if not isinstance(value, Mapping):
            raise Fault("A GType is no object.", at, value, 'Write {"kind": "string"}.')
        if len(path) > 2 * DEEPEST:
            raise Fault("A GType nests too deep.", at, None, f"Nest at most {DEEPEST} levels.")
        kind = value.get("kind")
        if kind not in KINDS:
            hint = " It has no form in JSON." if kind in _EXTERNAL else did_you_mean(kind, KINDS)
            raise Fault("A GType is of no known kind.", f"{at}/kind", kind, f"Write one of: {', '.join(KINDS)}.{hint}")
        if kind == "ref" and not (isinstance(value.get("refId"), str) and value["refId"] in definitions):
            hint = did_you_mean(value.get("refId"), definitions)
            raise Fault("A GType names one that is not there.", f"{at}/refId", value.get("refId"), f"Declare it.{hint}")
        stack += [(inner, (*path, *more)) for inner, more in _inner(kind, value, at)]


def _inner(kind: str, value: Mapping[str, Any], at: str) -> Iterator[tuple[Any, tuple[str | int, ...]]]:
    """The GTypes inside of one, with the way to them."""
    if kind == "object":
        properties = value.get("properties", {})
        if not isinstance(properties, Mapping) or not isinstance(value.get("required", []), list):
            raise Fault("An object's properties are no object, or required is no list.", at, None, "Correct its form.")
        yield from ((inner, ("properties", name)) for name, inner in properties.items())
        if isinstance(value.get("additionalProperties"), Mapping):
            yield value["additionalProperties"], ("additionalProperties",)
    elif kind == "array":
        yield value.get("items", {"kind": "any"}), ("items",)
    elif kind in {"tuple", "union", "intersection"}:
        member = "items" if kind == "tuple" else "types"
        inner = value.get(member)
        if not isinstance(inner, list) or (not inner and kind != "tuple"):
            raise Fault(f"A {kind} has no list of types.", f"{at}/{member}", inner, f'Write "{member}": [{{…}}].')
        yield from ((one, (member, index)) for index, one in enumerate(inner))
    elif kind == "enum" and not (isinstance(value.get("values"), list) and value["values"]):
        raise Fault("An enum has no values.", f"{at}/values", value.get("values"), 'Write "values": ["a", "b"].')
    elif kind == "literal" and "value" not in value:
        raise Fault("A literal has no value.", f"{at}/value", None, 'Write "value": ….')


def _check_exports(exports: Mapping[str, Any], definitions: Mapping[str, Any]) -> None:
    for method, export in exports.items():
        for member in ("inputRef", "outputRef"):
            name = export.get(member) if isinstance(export, Mapping) else None
            if name is not None and (not isinstance(name, str) or name not in definitions):
                at = pointer("exports", method, member)
                hint = did_you_mean(name, definitions)
                raise Fault("An export names a GType that is not there.", at, name, f"Declare it in gtypes.{hint}")


def _plain(value: Any) -> Any:
    """A GType without what says nothing: descriptions, flags that are false, the order of `required`."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    kept = {k: v for k, v in value.items() if k not in _NOISE and not (k in {"nullable", "optional"} and v is False)}
    plain = {k: _plain(v) for k, v in kept.items() if k not in {"properties", "required", "default", "value", "values"}}
    for member in kept.keys() & {"default", "value", "values"}:
        plain[member] = kept[member]
    if isinstance(kept.get("properties"), Mapping):
        plain["properties"] = {name: _plain(inner) for name, inner in kept["properties"].items()}
    if kept.get("required"):
        plain["required"] = sorted(map(str, kept["required"]))
    return plain
