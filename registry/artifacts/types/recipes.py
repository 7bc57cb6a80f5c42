"""Recipes of agents: YAML of which there is one reading only. Pure."""

import re
from typing import Any, Final

import yaml

from registry.core.errors import MalformedManifest

LONGEST: Final = 1 << 20
DEEPEST: Final = 32
EVENTS: Final = 50_000
_Base: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SUGGESTION: Final = "Write plain YAML: mappings, lists, texts, numbers, true, false and null."


class _Loader(_Base):  # type: ignore[misc]  # the one of the two that is there
    """YAML with the scalars of JSON (YAML 1.2.2, section 10.2): `no` and dates are texts; no key twice."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - the form that the library asks for

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: ARG002 - whatever is asked, all of it is made
        """The object that a mapping is.

        Raises:
            ConstructorError: a key is no text, or is there twice.
        """
        found: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str) or key in found:
                what = f"the key {str(key)[:100]!r} is no text, or is there twice"
                raise yaml.constructor.ConstructorError(None, None, what, key_node.start_mark)
            found[key] = self.construct_object(value_node, deep=True)
        return found

    def construct_whole(self, node: yaml.MappingNode) -> dict[Any, Any]:
        """The same, at once."""
        return self.construct_mapping(node, deep=True)


_MAP: Final = "tag:yaml.org,2002:map"
_Loader.add_constructor(_MAP, _Loader.construct_whole)
for _tag, _form, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", "~nN"),
    ("int", r"[-+]?(?:0|[1-9][0-9]{0,30})", "-+0123456789"),
    ("float", r"[-+]?(?:0|[1-9][0-9]{0,30})(?:\.[0-9]{1,30})?(?:[eE][-+]?[0-9]{1,3})?", "-+0123456789"),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_form})\Z"), [*_first, ""] if _tag == "null" else list(_first)
    )


def read(raw: bytes, place: str, path: str | None = None) -> dict[str, Any]:
    """The recipe that these bytes are; `place` is the pointer of its layer, `path` its title.

    Raises:
        MalformedManifest: they are no such YAML: too large, too deep, with aliases, anchors, tags, or a key twice.
    """
    if len(raw) > LONGEST:
        raise _refusal(f"It is larger than {LONGEST} bytes.", place, path)
    try:
        text = raw.decode()
        _check_events(text, place, path)
        value = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader, made stricter
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError) as error:
        mark: Any = getattr(error, "problem_mark", None)
        where = "" if mark is None else f" at line {mark.line + 1}, column {mark.column + 1}"
        problem = str(getattr(error, "problem", None) or "it is no YAML in UTF-8")[:200]
        raise _refusal(f"It cannot be read{where}: {problem}.", place, path) from error
    if not isinstance(value, dict) or not value:
        raise _refusal("It is no mapping with something in it.", place, path)
    return value


def _check_events(text: str, place: str, path: str | None) -> None:
    """Go over the events, of which nothing is built, and stop at the first that must not be there."""
    depth = documents = 0
    for count, event in enumerate(yaml.parse(text, Loader=_Loader)):
        at = f"line {_line(event)}"
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _refusal(f"It has an alias or an anchor in {at}.", place, path)
        if getattr(event, "tag", None):
            raise _refusal(f"It has a tag in {at}.", place, path)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        documents += isinstance(event, yaml.DocumentStartEvent)
        if depth > DEEPEST or count > EVENTS or documents > 1:
            raise _refusal(
                f"It is nested deeper than {DEEPEST} levels, has over {EVENTS} parts, or several documents ({at}).",
                place,
                path,
            )


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _refusal(message: str, place: str, path: str | None) -> MalformedManifest:
    return MalformedManifest(
        f"The recipe is refused. {message}", pointer=place, document="layer", path=path, suggestion=_SUGGESTION
    )
