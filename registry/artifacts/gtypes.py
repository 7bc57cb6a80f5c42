"""GTypes as artifacts declare them: in the Gati manifest or in a layer; their limits, and their hash. Pure."""

import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from registry.artifacts.gtype_shapes import MOST, Fault, Shapes
from registry.artifacts.schemas import did_you_mean
from registry.core import strict_json
from registry.core.errors import MalformedManifest
from registry.core.pointers import pointer, under

LONGEST: Final = 500_000
_NOISE: Final = frozenset({"description", "metadata", "version"})
_T = TypeVar("_T")


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
    _refusing(lambda: Shapes(frozenset(definitions or ())).check(gtype, place))


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
    shapes = Shapes(frozenset(definitions))
    for name, gtype in definitions.items():
        shapes.check(gtype, pointer("definitions", name))
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
    if len(items) > MOST:
        raise Fault(f"They are more than {MOST}.", place, len(items), "Publish fewer.")
    names = [item.get("name") if isinstance(item, Mapping) else None for item in items]
    shapes = Shapes(frozenset(name for name in names if isinstance(name, str)))
    found: dict[str, Any] = {}
    for index, (name, item) in enumerate(zip(names, items, strict=True)):
        at = under(place, [index])
        if not isinstance(name, str):
            raise Fault("A GType has no name.", f"{at}/name", name, 'Write {"name": "Request", "fields": {…}}.')
        if name in found:
            raise Fault(f"The GType {name[:100]!r} is declared twice.", f"{at}/name", name, "Declare it once.")
        is_whole = "schema" in item
        found[name] = item["schema"] if is_whole else shapes.from_fields(item, at)
        shapes.check(found[name], f"{at}/{'schema' if is_whole else 'fields'}")
    return found


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
