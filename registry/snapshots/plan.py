"""What has to be done to restore a snapshot. Pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from registry.artifacts.types.snapshot import LISTS

_STANDING: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]{0,199})\}")


@dataclass(frozen=True, slots=True)
class Plan:
    """Pulls in order, settings to write, and names of secrets that have to be put in by hand."""

    pulls: list[dict[str, str]]
    config: dict[str, Any]
    missing_secrets: list[str]


def plan(document: Mapping[str, Any]) -> Plan:
    """The plan of a snapshot, by its Gati manifest: modules before what needs them, each artifact once."""
    inner = document.get("config")
    body: Mapping[str, Any] = inner if isinstance(inner, dict) else {}
    pulls: dict[str, dict[str, str]] = {}
    for group in LISTS:
        for one in body.get(group) or ():
            if isinstance(one, dict) and isinstance(one.get("digest"), str):
                fields = {key: str(one.get(key, "")) for key in ("reference", "version", "digest")}
                pulls.setdefault(f"{fields['reference']} {fields['digest']}", fields)
    given = body.get("config")
    settings = given if isinstance(given, dict) else {}
    return Plan(list(pulls.values()), settings, _secrets(document, settings))


def _secrets(document: Mapping[str, Any], settings: Mapping[str, Any]) -> list[str]:
    """Names of secrets: those that the document or its settings list, and those that stand in the place of a value."""
    lists = [found for one in (document, settings) if isinstance(found := one.get("secrets"), list)]
    names = [str(one["name"]) for listed in lists for one in listed if isinstance(one, dict) and "name" in one]
    return list(dict.fromkeys([*names, *_standing(settings)]))


def _standing(value: Any) -> Iterator[str]:
    match value:
        case dict():
            for one in value.values():
                yield from _standing(one)
        case list():
            for one in value:
                yield from _standing(one)
        case str():
            found = _STANDING.fullmatch(value)
            if found is not None:
                yield found[1]
