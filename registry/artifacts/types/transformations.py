"""Rules that turn the data of one version into that of another and back. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from registry.artifacts.common_schema import text
from registry.core.errors import MalformedManifest
from registry.core.pointers import pointer

MOST: Final = 1000
OPERATIONS: Final[dict[str, dict[str, Any]]] = {
    "toString": {},
    "toNumber": {},
    "toInteger": {},
    "scale": {"by": (int, float), "decimals?": int},
    "split": {"on": str, "into": list},
    "join": {"with": str, "from": list},
    "map": {"table": Mapping},
    "wrap": {},
    "unwrap": {},
}
"""The closed set of what `transform` does, with the members that each needs."""

_FIELD: Final = r"[A-Za-z_$][A-Za-z0-9_$-]{0,127}"
_PATH: Final = re.compile(rf"{_FIELD}(?:\[\])?(?:\.{_FIELD}(?:\[\])?){{0,19}}")
_ADDED: Final[dict[str, Any]] = {
    "type": ["string", "object"],
    "maxLength": 2000,
    "required": ["name"],
    "properties": {
        "name": text("The path of the member.", 2000, examples=["phone"]),
        "default": {"description": "What it is where there is none."},
    },
    "description": "The path of a member, or an object with name and default.",
    "examples": [{"name": "phone", "default": ""}],
}
_LIST: Final = {"type": "array", "maxItems": MOST, "items": _ADDED}
SCHEMA: Final[dict[str, Any]] = {
    "type": "array",
    "minItems": 1,
    "maxItems": MOST,
    "description": "At least one: the changes of a GType, or a step at a path.",
    "examples": [[{"type": "User", "changes": {"renamed": {"mail": "email"}}}]],
    "items": {
        "type": "object",
        "required": ["type"],
        "description": "The changes of a GType, or a step at a path.",
        "examples": [{"type": "User", "changes": {"renamed": {"mail": "email"}}}],
        "properties": {
            "type": text("The name of a GType; of a step: rename, remove, add or transform.", 200, examples=["User"]),
            "path": text("Where a step works.", 2000, examples=["items[].price"]),
            "direction": {"enum": ["forward", "backward", "both"], "description": "Which way; both unless written."},
            "details": {"type": "object", "description": "What a step does.", "examples": [{"op": "toString"}]},
            "changes": {
                "type": "object",
                "description": "Members that are added, removed and renamed.",
                "examples": [{"added": [{"name": "phone", "default": ""}], "renamed": {"mail": "email"}}],
                "properties": {
                    "added": _LIST | {"description": "Members of the newer version alone."},
                    "removed": _LIST | {"description": "Members of the older version alone."},
                    "renamed": {
                        "type": "object",
                        "maxProperties": MOST,
                        "additionalProperties": text("The new path.", 2000, examples=["email"]),
                        "description": "For an old path, the new one.",
                        "examples": [{"mail": "email"}],
                    },
                },
            },
        },
    },
}


def check(rules: list[Mapping[str, Any]], place: str, *, needs_defaults: bool, **more: str) -> None:
    """Hold transformations of the right schema against what they mean; `place` is the pointer of their list.

    With `needs_defaults` all that comes new, forward or backward, has a default, as nothing else can give it one.

    Raises:
        MalformedManifest: one cannot be done, or two work on the same.
    """
    seen: set[str] = set()
    for index, rule in enumerate(rules):
        at = place + pointer(index)
        if ("changes" in rule) is ("path" in rule):
            _refuse(
                at, None, "It has neither changes nor a path, or both.", 'Write {"type": "User", "changes": …}.', more
            )
        if "path" in rule:
            _check_step(rule, at, more, needs_defaults=needs_defaults)
            continue
        if rule["type"] in seen:
            _refuse(f"{at}/type", rule["type"], "The changes of this GType are there twice.", "Write them once.", more)
        seen.add(rule["type"])
        _check_changes(rule["changes"], f"{at}/changes", more, needs_defaults=needs_defaults)


def _check_changes(changes: Mapping[str, Any], at: str, more: Mapping[str, str], *, needs_defaults: bool) -> None:
    if not any(changes.get(member) for member in ("added", "removed", "renamed")):
        _refuse(at, None, "Nothing is changed.", 'Write "added", "removed" or "renamed".', more)
    older: set[str] = set()
    newer: set[str] = set()
    for where, side, path in _paths(changes):
        places = older if side == "old" else newer
        if _PATH.fullmatch(path) is None:
            _refuse(at + where, path, "It is no path of a member.", "Write email, user.email or items[].price.", more)
        if path in places:
            _refuse(at + where, path, "Two changes are about one member.", "Say of each member one thing.", more)
        places.add(path)
    for member in ("added", "removed"):
        for index, one in enumerate(changes.get(member, ())):
            if needs_defaults and (isinstance(one, str) or "default" not in one):
                name = one if isinstance(one, str) else one["name"]
                _refuse(
                    at + pointer(member, index),
                    name,
                    f"What is {member} has no default for the way on which it must be made.",
                    f'Write {{"name": "{name[:100]}", "default": …}}, or "lossy": true.',
                    more,
                )


def _paths(changes: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Where each path stands, whether it is one of the older or the newer version, and the path."""
    for member, side in (("added", "new"), ("removed", "old")):
        for index, one in enumerate(changes.get(member, ())):
            yield pointer(member, index), side, one if isinstance(one, str) else one["name"]
    for old, new in changes.get("renamed", {}).items():
        yield pointer("renamed", old), "old", old
        yield pointer("renamed", old), "new", new


def _check_step(rule: Mapping[str, Any], at: str, more: Mapping[str, str], *, needs_defaults: bool) -> None:
    kind, details = rule["type"], rule.get("details", {})
    if _PATH.fullmatch(rule["path"]) is None:
        _refuse(f"{at}/path", rule["path"], "It is no path.", "Write user.email or items[].price.", more)
    match kind:
        case "rename":
            target = details.get("to")
            if not isinstance(target, str) or _PATH.fullmatch(target) is None or target == rule["path"]:
                _refuse(f"{at}/details/to", target, "A rename needs another path.", 'Write {"to": "user.mail"}.', more)
        case "add" | "remove":
            if needs_defaults and "default" not in details:
                _refuse(
                    f"{at}/details/default", None, f"The step {kind} has no default.", 'Write {"default": …}.', more
                )
        case "transform":
            _check_operation(details, f"{at}/details", more)
        case _:
            _refuse(f"{at}/type", kind, "It is no step.", "Write rename, remove, add or transform.", more)


def _check_operation(details: Mapping[str, Any], at: str, more: Mapping[str, str]) -> None:
    wanted = OPERATIONS.get(details["op"]) if isinstance(details.get("op"), str) else None
    if wanted is None:
        _refuse(f"{at}/op", details.get("op"), "It is no operation.", f"Write one of: {', '.join(OPERATIONS)}.", more)
        return
    for member, form in wanted.items():
        name = member.removesuffix("?")
        value = details.get(name)
        if value is None and member.endswith("?"):
            continue
        if not isinstance(value, form) or isinstance(value, bool) or not _is_sound(name, value):
            _refuse(
                f"{at}/{name}", None, f"The operation {details['op']} needs a sound {name}.", f'Add "{name}".', more
            )


def _is_sound(name: str, value: Any) -> bool:
    if name in {"into", "from"}:
        return 2 <= len(value) <= 50 and all(isinstance(one, str) and _PATH.fullmatch(one) for one in value)
    if name == "decimals":
        return 0 <= int(value) <= 20
    return bool(value) if name in {"by", "table", "on"} else True


def _refuse(at: str, value: object, message: str, suggestion: str, more: Mapping[str, str]) -> None:
    raise MalformedManifest(
        f"A transformation is refused. {message}",
        pointer=at,
        value=value,
        suggestion=suggestion,
        document=more.get("document", "config"),
    )
