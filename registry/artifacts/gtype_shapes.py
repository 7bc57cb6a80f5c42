"""The shape of GTypes, whole or in shorthand. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from registry.artifacts.schemas import did_you_mean
from registry.core.pointers import pointer, under

DEEPEST: Final = 50
MOST: Final = 1000
TYPES: Final = 20_000
"""Types in a document, those inside of others counted, that are read."""

_SCALARS: Final = ("string", "number", "boolean", "null", "any", "never")
KINDS: Final = (*_SCALARS, "object", "array", "tuple", "union", "intersection", "enum", "literal", "ref")
_SHORT: Final[dict[str, dict[str, Any]]] = {
    "array": {"kind": "array", "items": {"kind": "any"}},
    "object": {"kind": "object"},
    "integer": {"kind": "number", "integer": True},
    "unknown": {"kind": "any"},
}
_ENUM: Final = re.compile(r"enum\[([^\[\]]*)\]")
_UNION: Final = re.compile(r"\|(?![^\[]*\])")
_EXTERNAL: Final = ("bigint", "symbol", "undefined", "function")

Path = tuple[str | int, ...]


class Fault(ValueError):
    """A GType is not what it must be: where, in its document, and what to write instead."""

    def __init__(self, message: str, at: str, value: Any, suggestion: str) -> None:
        super().__init__(message)
        self.message = message
        self.at = at
        self.value = value
        self.suggestion = suggestion


class Shapes:
    """Types of one document, which are read under one limit.

    Attributes:
        names: of all types in the document, which others may refer to.
    """

    def __init__(self, names: frozenset[str]) -> None:
        self.names = names
        self._left = TYPES

    def check(self, gtype: Any, place: str) -> None:
        """Hold a GType and all in it against what GTypes are, without recursion.

        Raises:
            Fault: it is none.
        """
        stack: list[tuple[Any, Path, int]] = [(gtype, (), 1)]
        while stack:
            value, path, level = stack.pop()
            self._count(1, place)
            kind = value.get("kind") if isinstance(value, Mapping) else None
            if kind not in KINDS:
                raise _unknown(value, under(place, path))
            if level > DEEPEST:
                raise Fault("A GType nests too deep.", under(place, path), None, f"Nest at most {DEEPEST} levels.")
            if kind == "ref":
                self._check_reference(value.get("refId"), place, path)
            elif kind not in _SCALARS:
                stack += [(inner, (*path, *more), level + 1) for inner, more in _inner(kind, value, place, path)]

    def from_fields(self, item: Mapping[str, Any], at: str) -> dict[str, Any]:
        """The object that a shorthand means: `fields` of names and expressions.

        Raises:
            Fault: a field has no type, or one that is not known.
        """
        fields = item.get("fields", {})
        if not isinstance(fields, Mapping) or len(fields) > MOST:
            raise Fault("The fields are no object of types.", f"{at}/fields", None, 'Write {"id": "string"}.')
        properties: dict[str, Any] = {}
        required: list[str] = []
        for name, expression in fields.items():
            if isinstance(expression, Mapping):
                properties[name] = dict(expression)
                needed = not expression.get("optional", False)
            elif isinstance(expression, str) and len(expression) <= 2000:
                needed = not expression.rstrip().endswith("?")
                place = at + pointer("fields", name)
                properties[name] = self._expression(expression.rstrip().removesuffix("?"), place)
            else:
                place = at + pointer("fields", name)
                raise Fault("A field has no type.", place, expression, "Write a type such as string or number[].")
            if needed:
                required.append(name)
        return {"kind": "object", "properties": properties, "required": sorted(required)}

    def _count(self, types: int, place: str) -> None:
        self._left -= types
        if self._left < 0:
            raise Fault(f"They are more than {TYPES} types.", place, None, "Declare each type once, and refer to it.")

    def _check_reference(self, name: Any, place: str, path: Path) -> None:
        if not isinstance(name, str) or name not in self.names:
            at = under(place, path) + "/refId"
            raise Fault(
                "A GType names one that is not there.", at, name, f"Declare it.{did_you_mean(name, self.names)}"
            )

    def _expression(self, text: str, place: str) -> dict[str, Any]:
        """The GType that a short expression means: `string`, `enum[a,b]`, `T[]`, `T|U`, a name."""
        parts = [part.strip() for part in _UNION.split(text)]
        self._count(len(parts), place)
        if len(parts) > 1:
            return {"kind": "union", "types": [self._one(part, place) for part in parts]}
        return self._one(parts[0], place)

    def _one(self, text: str, place: str) -> dict[str, Any]:
        choice = _ENUM.fullmatch(text)
        if choice:
            return {"kind": "enum", "values": [word.strip() for word in choice[1].split(",")]}
        inner, depth = text, 0
        while inner.endswith("[]"):
            inner, depth = inner[:-2].rstrip(), depth + 1
        if depth > DEEPEST:
            raise Fault("A type nests too deep.", place, text[:100], f"Nest at most {DEEPEST} levels.")
        gtype = self._atom(inner, place)
        for _ in range(depth):
            gtype = {"kind": "array", "items": gtype}
        return gtype

    def _atom(self, word: str, place: str) -> dict[str, Any]:
        if word in _SCALARS:
            return {"kind": word}
        if word in _SHORT:
            return dict(_SHORT[word])
        if word in self.names:
            return {"kind": "ref", "refId": word}
        hint = did_you_mean(word, [*_SCALARS, "array", "object", "integer", *self.names])
        raise Fault(f"{word[:100]!r} is no type.", place, word, f"Write string, number, enum[a,b] or T[].{hint}")


def _unknown(value: Any, at: str) -> Fault:
    if not isinstance(value, Mapping):
        return Fault("A GType is no object.", at, value, 'Write {"kind": "string"}.')
    kind = value.get("kind")
    hint = " It has no form in JSON." if kind in _EXTERNAL else did_you_mean(kind, KINDS)
    return Fault("A GType is of no known kind.", f"{at}/kind", kind, f"Write one of: {', '.join(KINDS)}.{hint}")


def _inner(kind: str, value: Mapping[str, Any], place: str, path: Path) -> Iterator[tuple[Any, Path]]:
    """The GTypes inside of one, with the way to them."""
    if kind == "object":
        properties = value.get("properties", {})
        if not isinstance(properties, Mapping) or not isinstance(value.get("required", []), list):
            at = under(place, path)
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
            at = f"{under(place, path)}/{member}"
            raise Fault(f"A {kind} has no list of types.", at, inner, f'Write "{member}": [{{…}}].')
        yield from ((one, (member, index)) for index, one in enumerate(inner))
    elif kind == "enum" and not (isinstance(value.get("values"), list) and value["values"]):
        at = f"{under(place, path)}/values"
        raise Fault("An enum has no values.", at, value.get("values"), 'Write "values": ["a", "b"].')
    elif kind == "literal" and "value" not in value:
        raise Fault("A literal has no value.", f"{under(place, path)}/value", None, 'Write "value": ….')
