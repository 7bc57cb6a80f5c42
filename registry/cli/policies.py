"""Policies of a namespace as they are written on a command line, `immutableTags=v*,release-*`. Pure."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from registry.cli.forms import size
from registry.cli.problems import Problem


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise ValueError(text)
    return int(text)


def _rules(text: str) -> list[dict[str, Any]]:
    rules = []
    for word in _words(text):
        pattern, _, keep = word.rpartition(":")
        if not pattern:
            raise ValueError(text)
        rules.append({"pattern": pattern, "keep": _number(keep)})
    return rules


FORMS: Final[Mapping[str, tuple[Callable[[str], Any], str]]] = {
    "immutableTags": (_words, "patterns of tags that cannot be changed: v*,release-*"),
    "delete": (str, "who may delete: write, admin, owner or nobody"),
    "addresses": (_words, "networks that may reach it: 10.0.0.0/8,192.0.2.0/24"),
    "tokenSeconds": (_number, "how long a registry token is good, in seconds"),
    "keyDays": (_number, "for how many days a key may be good there"),
    "bytes": (size, "how much it may hold: 10GiB"),
    "repositories": (_number, "how many repositories it may have"),
    "retention.rules": (_rules, "how many of the newest tags of a pattern are kept: v*:10,nightly-*:3"),
    "retention.untaggedDays": (_number, "days until a manifest without a tag goes"),
    "retention.pulledDays": (_number, "days for which a pull keeps a tag"),
}


def changed(policies: Mapping[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """`policies` with `assignments` (`name=value`) made; an empty value removes one.

    Raises:
        Problem: there is no such policy, or it cannot have the value.
    """
    result = json.loads(json.dumps(dict(policies)))
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or name not in FORMS:
            raise Problem(f"{assignment!r} sets no policy.", f"Write name=value; the names are {', '.join(FORMS)}.")
        _put(result, name.split("."), _value(name, text))
    return dict(result)


def _value(name: str, text: str) -> Any:
    parse, meaning = FORMS[name]
    try:
        return parse(text) if text else None
    except ValueError as error:
        raise Problem(f"{text!r} cannot be {name}: {meaning}.") from error


def _put(policies: dict[str, Any], path: list[str], value: Any) -> None:
    for part in path[:-1]:
        if not isinstance(policies.get(part), dict):
            policies[part] = {}
        policies = policies[part]
    policies[path[-1]] = value
