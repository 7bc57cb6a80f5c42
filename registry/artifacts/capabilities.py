"""Capabilities: `domain[:action[:resource]]`, the spellings that mean the same, and what covers what. Pure."""

import re
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final

from registry.core.errors import MalformedManifest
from registry.core.pointers import pointer

MOST: Final = 200
LONGEST: Final = 128
_FORM: Final = re.compile(
    r"(?P<domain>[a-z][a-z0-9-]*)(?::(?P<action>[a-z][a-z0-9_-]*)(?::(?P<resource>[a-z0-9*/.~_][a-z0-9._/*@+~-]*))?)?"
)
_DOTTED: Final = re.compile(r"[a-z][a-z0-9-]*\.[a-z][a-z0-9_-]*")
_DOMAINS: Final = {"database": "db", "logging": "log"}
_SAME: Final = {
    "network": "network:egress",
    "network:outbound": "network:egress",
    "network:inbound": "network:ingress",
    "storage": "filesystem:write",
    "log": "log:write",
}


def normalise(text: str) -> str:
    """The one spelling of a capability: `database.read` is `db:read`, `network` is `network:egress`.

    Raises:
        ValueError: it is no capability.
    """
    spelled = text.replace(".", ":", 1) if _DOTTED.fullmatch(text) else text
    match = _FORM.fullmatch(spelled) if len(text) <= LONGEST else None
    if match is None:
        raise ValueError(f"{text[:LONGEST]!r} is no capability")
    domain, _, rest = spelled.partition(":")
    domain = _DOMAINS.get(domain, domain)
    plain = f"{domain}:{rest}" if rest else domain
    head, resource = ":".join(plain.split(":")[:2]), plain.split(":")[2:]
    return ":".join([_SAME.get(head, head), *resource])


def covers(granted: Iterable[str], wanted: str) -> bool:
    """Whether one of `granted` covers `wanted`, both in the normal form: `d` covers `d:a`, `d:a` covers `d:a:r`."""
    held = granted if isinstance(granted, AbstractSet) else frozenset(granted)
    parts = wanted.split(":")
    return any(":".join(parts[:length]) in held for length in range(1, len(parts) + 1))


def gather(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The capabilities that a Gati manifest declares, at its top and in `config`, normalised, each once, sorted.

    Raises:
        MalformedManifest: one is outside the grammar.
    """
    inner = config.get("config")
    places = [("", config), ("/config", inner if isinstance(inner, Mapping) else {})]
    found: set[str] = set()
    for base, holder in places:
        declared = holder.get("capabilities")
        listed = declared if isinstance(declared, list) else []
        if len(listed) > MOST:
            raise MalformedManifest(
                f"It declares {len(listed)} capabilities; {MOST} is the limit.",
                pointer=f"{base}/capabilities",
                value=len(listed),
                suggestion="Declare whole domains, such as db for db:read and db:write.",
            )
        for index, item in enumerate(listed):
            found.add(_one(item, base + pointer("capabilities", index)))
    return tuple(sorted(found))


def _one(item: Any, place: str) -> str:
    text = item.get("name") if isinstance(item, Mapping) else item
    try:
        return normalise(text if isinstance(text, str) else str(text))
    except ValueError as error:
        raise MalformedManifest(
            f"{str(text)[:100]!r} is no capability.",
            pointer=place if text is item else f"{place}/name",
            value=text,
            suggestion=_nearest(str(text)),
        ) from error


def _nearest(text: str) -> str:
    lower = re.sub(r"[\s:./]+", ":", text.strip().lower())[:LONGEST]
    hint = "Write domain:action in lower case, such as db:read, network:egress or filesystem:read"
    return f"{hint}; perhaps {lower}." if _FORM.fullmatch(lower) and lower != text else f"{hint}."
