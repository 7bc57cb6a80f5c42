"""What has to be done to restore a snapshot. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

GROUPS: Final = ("modules", "plugins", "agents", "models", "templates")


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
    for group in GROUPS:
        for one in body.get(group) or ():
            if isinstance(one, dict) and isinstance(one.get("digest"), str):
                fields = {key: str(one.get(key, "")) for key in ("reference", "version", "digest")}
                pulls.setdefault(f"{fields['reference']} {fields['digest']}", fields)
    settings = body.get("config")
    named = document.get("secrets")
    secrets = [str(one["name"]) for one in named or () if isinstance(one, dict) and "name" in one]
    return Plan(list(pulls.values()), settings if isinstance(settings, dict) else {}, secrets)
