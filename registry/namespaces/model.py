"""Namespaces, who stands how in one, and its policies. Pure."""

import ipaddress
import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from registry.core import slugs
from registry.core.errors import Denied, Unprocessable
from registry.core.hosts import is_within
from registry.namespaces.access import DELETERS, ROLES, Column

MANAGERS: Final = ("admin", "owner")
_PATTERN: Final = re.compile(r"[a-zA-Z0-9_.?*-]{1,128}")
_MOST: Final = 100
_LARGEST: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace as it stands; `version` rises with each change of it, `generation` when it changes hands."""

    id: int
    kind: str
    slug: str
    display_name: str
    description: str
    visibility: str
    generation: int
    state: str
    policies: "Policies"
    created_at: datetime
    version: int

    @property
    def name(self) -> str:
        """What the names of its repositories begin with."""
        return slugs.prefix(self.kind, self.slug)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a caller stands in the namespace that it changes: its role there, or that it administers the registry."""

    role: str | None
    is_administrator: bool = False

    def check_may_give(self, role: str) -> None:
        """Nothing, when the caller may give this role to somebody, or take it away.

        Raises:
            Denied: it is above the caller's own.
            Unprocessable: there is no such role.
        """
        check_role(role)
        if self.is_administrator:
            return
        if self.role not in MANAGERS or _rank(role) > _rank(self.role):
            held = f"your own is {self.role}" if self.role else "you have none here"
            raise Denied(f"Nobody gives, changes or takes a role above the own: {held}, and this one is {role}.")

    @property
    def is_owner(self) -> bool:
        """Whether the caller may do what owners may."""
        return self.is_administrator or self.role == "owner"


ADMINISTRATOR: Final = Standing(None, is_administrator=True)


def check_role(role: str, highest: str = "owner") -> str:
    """`role`, when there is such a one, not above `highest`.

    Raises:
        Unprocessable: there is not.
    """
    if role not in tuple(ROLES) or _rank(role) > _rank(highest):
        known = ", ".join(one.value for one in ROLES if _rank(one) <= _rank(highest))
        raise Unprocessable(f"{role[:_MOST]!r} is no role here: choose one of {known}.", detail={"pointer": "/role"})
    return role


def _rank(role: str) -> int:
    return ROLES.index(Column(role))


@dataclass(frozen=True, slots=True)
class Kept:
    """One rule of the retention: of the tags that `pattern` fits, the last `keep` stay."""

    pattern: str
    keep: int


@dataclass(frozen=True, slots=True)
class Retention:
    """What goes by itself.

    Attributes:
        rules: for tags; one that no pattern fits stays.
        untagged_days: how many days a manifest without a tag stays; None: for ever.
        pulled_days: what was pulled within so many days stays, whatever the rest says.
    """

    rules: tuple[Kept, ...] = ()
    untagged_days: int | None = None
    pulled_days: int | None = None


@dataclass(frozen=True, slots=True)
class Policies:
    """What holds in a namespace beyond roles.

    Attributes:
        immutable_tags: patterns (`*`, `?`) of tags that name for ever what they named first.
        delete: the least role that may delete: `write`, `admin`, `owner`, or `nobody`.
        addresses: networks (CIDR) from which the namespace can be used; empty: from everywhere.
        token_seconds: how long registry tokens for it live at most.
        key_days: how old the keys used in it are at most.
        bytes: of distinct content, at most.
        repositories: so many, at most.
    """

    immutable_tags: tuple[str, ...] = ()
    delete: str = "admin"
    addresses: tuple[str, ...] = ()
    token_seconds: int | None = None
    key_days: int | None = None
    bytes: int | None = None
    repositories: int | None = None
    retention: Retention | None = None

    def admits(self, address: str) -> bool:
        """Whether the namespace can be used from this address."""
        return not self.addresses or is_within(address, self.addresses)

    @classmethod
    def parse(cls, text: str) -> "Policies":
        """Those of a stored JSON object."""
        return cls.read(json.loads(text))

    @classmethod
    def read(cls, value: Any) -> "Policies":
        """Those of a JSON object, as `to_json` writes it.

        Raises:
            Unprocessable: it is none; `detail` holds the JSON pointer of what cannot hold.
        """
        given = _members(value, "", frozenset(_WRITTEN.values()))
        delete = given.get("delete", "admin")
        if delete not in DELETERS:
            raise _refusal("/delete", f"is one of {', '.join(DELETERS)}")
        retention = given.get("retention")
        return cls(
            immutable_tags=_patterns(given.get("immutableTags"), "/immutableTags"),
            delete=delete,
            addresses=_networks(given.get("addresses"), "/addresses"),
            token_seconds=_whole(given, "tokenSeconds", 60, 300),
            key_days=_whole(given, "keyDays", 1, 3650),
            bytes=_whole(given, "bytes", 0, _LARGEST),
            repositories=_whole(given, "repositories", 0, _LARGEST),
            retention=None if retention is None else _retention(retention),
        )

    def to_json(self) -> dict[str, Any]:
        """A JSON object of what differs from the defaults."""
        found = {
            written: list(value) if isinstance(value, tuple) else value
            for name, written in _WRITTEN.items()
            if (value := getattr(self, name)) != getattr(NO_POLICIES, name)
        }
        if self.retention is not None:
            found["retention"] = {
                "rules": [{"pattern": rule.pattern, "keep": rule.keep} for rule in self.retention.rules],
                "untaggedDays": self.retention.untagged_days,
                "pulledDays": self.retention.pulled_days,
            }
        return found


_WRITTEN: Final = {
    "immutable_tags": "immutableTags",
    "delete": "delete",
    "addresses": "addresses",
    "token_seconds": "tokenSeconds",
    "key_days": "keyDays",
    "bytes": "bytes",
    "repositories": "repositories",
    "retention": "retention",
}
NO_POLICIES: Final = Policies()


def _retention(value: Any) -> Retention:
    given = _members(value, "/retention", frozenset({"rules", "untaggedDays", "pulledDays"}))
    rules = _items(given.get("rules"), "/retention/rules")
    return Retention(
        tuple(_kept(rule, f"/retention/rules/{number}") for number, rule in enumerate(rules)),
        _whole(given, "untaggedDays", 0, 3650, "/retention"),
        _whole(given, "pulledDays", 0, 3650, "/retention"),
    )


def _kept(value: Any, pointer: str) -> Kept:
    given = _members(value, pointer, frozenset({"pattern", "keep"}))
    keep = _whole(given, "keep", 0, 10_000, pointer)
    if keep is None:
        raise _refusal(f"{pointer}/keep", "is how many tags stay, a whole number")
    return Kept(_pattern(given.get("pattern"), f"{pointer}/pattern"), keep)


def _members(value: Any, pointer: str, known: frozenset[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _refusal(pointer, "is a JSON object")
    for key in value:
        if key not in known:
            raise _refusal(f"{pointer}/{key[:_MOST]}", f"is unknown here; known are {', '.join(sorted(known))}")
    return value


def _items(value: Any, pointer: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > _MOST:
        raise _refusal(pointer, f"is a list of at most {_MOST} entries")
    return value


def _patterns(value: Any, pointer: str) -> tuple[str, ...]:
    return tuple(_pattern(item, f"{pointer}/{number}") for number, item in enumerate(_items(value, pointer)))


def _pattern(value: Any, pointer: str) -> str:
    if not isinstance(value, str) or _PATTERN.fullmatch(value) is None:
        raise _refusal(pointer, "is a pattern of tags: what tags are made of, '*' and '?', at most 128 characters")
    return value


def _networks(value: Any, pointer: str) -> tuple[str, ...]:
    return tuple(_network(item, f"{pointer}/{number}") for number, item in enumerate(_items(value, pointer)))


def _network(value: Any, pointer: str) -> str:
    try:
        return str(ipaddress.ip_network(value if isinstance(value, str) else ""))
    except ValueError as error:
        raise _refusal(pointer, "is a network such as 192.0.2.0/24 or 2001:db8::/32") from error


def _whole(given: dict[str, Any], key: str, low: int, high: int, pointer: str = "") -> int | None:
    value = given.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise _refusal(f"{pointer}/{key}", f"is a whole number from {low} to {high}")
    return value


def _refusal(pointer: str, rule: str) -> Unprocessable:
    return Unprocessable(f"{pointer or 'This'} {rule}.", detail={"pointer": pointer})
