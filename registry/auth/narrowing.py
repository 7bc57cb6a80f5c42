"""What a key made with another key may be: never wider. Pure."""

import ipaddress
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from registry.auth.model import Limits
from registry.core.errors import Denied, Unprocessable

SCOPES: Final = ("read-only", "publish", "admin")
MOST: Final = 100  # namespaces, repositories or networks of one key


def checked(limits: Limits) -> Limits:
    """Limits as the database takes them: networks in their shortest form.

    Raises:
        Unprocessable: an unknown scope, a list that is empty or long, or what is no network.
    """
    if limits.scope is not None and limits.scope not in SCOPES:
        raise Unprocessable(f"A key's scope is one of {', '.join(SCOPES)}, not {limits.scope[:40]!r}.")
    lists = {"namespaces": limits.namespaces, "repositories": limits.repositories, "addresses": limits.addresses}
    for word, values in lists.items():
        if values is not None and not 1 <= len(values) <= MOST:
            raise Unprocessable(f"A key is limited to 1 to {MOST} {word}; leave them out for all of them.")
    if limits.addresses is None:
        return limits
    return Limits(limits.scope, limits.namespaces, limits.repositories, tuple(_network(a) for a in limits.addresses))


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        raise Unprocessable(
            f"{text[:50]!r} is not a network: write one such as 192.0.2.0/24 or 2001:db8::/32, without host bits."
        ) from error


def narrower(parent: Limits, asked: Limits) -> Limits:
    """`asked`, which allows nothing that `parent` does not.

    Raises:
        Denied: it does; the sentence says in what.
    """
    if _rank(asked.scope) > _rank(parent.scope):
        raise Denied(
            f"This key has the scope {parent.scope}: it cannot make a key with {_scope_of(asked)}; "
            f"ask for {parent.scope} or less."
        )
    for word, has, wants in (
        ("namespaces", parent.namespaces, asked.namespaces),
        ("repositories", parent.repositories, asked.repositories),
    ):
        if has is not None and (wants is None or not wants <= has):
            raise Denied(f"This key is limited to some {word}: name those of the new key, all of them among its own.")
    if parent.addresses is not None and not _all_within(asked.addresses, parent.addresses):
        raise Denied(
            "This key is limited to some networks: name those of the new key, all of them inside "
            f"{', '.join(parent.addresses)}."
        )
    return asked


def is_narrower(parent: Limits, other: Limits) -> bool:
    """Whether `other` allows nothing that `parent` does not."""
    try:
        narrower(parent, other)
    except Denied:
        return False
    return True


def earlier(parent_ends: datetime | None, asked: datetime | None, default: datetime | None) -> datetime | None:
    """When a key ends that is made with one that ends at `parent_ends`; None is never, `default` yields.

    Raises:
        Denied: `asked` is later than the parent ends.
    """
    if asked is not None and parent_ends is not None and asked > parent_ends:
        raise Denied(f"This key ends on {parent_ends:%Y-%m-%d at %H:%M} UTC: it cannot make one that ends later.")
    if asked is not None:
        return asked
    return min((at for at in (parent_ends, default) if at is not None), default=None)


def _rank(scope: str | None) -> int:
    return len(SCOPES) if scope is None else SCOPES.index(scope)


def _scope_of(limits: Limits) -> str:
    return "all rights of its account" if limits.scope is None else f"the scope {limits.scope}"


def _all_within(asked: Iterable[str] | None, networks: Iterable[str]) -> bool:
    outer = [ipaddress.ip_network(network) for network in networks]
    return asked is not None and all(any(_is_inside(ipaddress.ip_network(one), net) for net in outer) for one in asked)


def _is_inside(
    one: ipaddress.IPv4Network | ipaddress.IPv6Network, other: ipaddress.IPv4Network | ipaddress.IPv6Network
) -> bool:
    if isinstance(one, ipaddress.IPv4Network):
        return isinstance(other, ipaddress.IPv4Network) and one.subnet_of(other)
    return isinstance(other, ipaddress.IPv6Network) and one.subnet_of(other)
