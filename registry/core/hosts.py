"""Addresses and names of machines."""

import ipaddress
from collections.abc import Iterable


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address or name `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_here(address: str) -> bool:
    """Whether a caller's address is this machine's; IPv4 in IPv6 is IPv4."""
    found = _parse(address)
    return found is not None and found.is_loopback


def is_within(address: str, networks: Iterable[str]) -> bool:
    """Whether a caller's address lies in one of the networks (CIDR); IPv4 in IPv6 is IPv4; what is none is outside."""
    found = _parse(address)
    return found is not None and any(found in ipaddress.ip_network(network) for network in networks)


def _parse(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, ipaddress.IPv6Address) else found
