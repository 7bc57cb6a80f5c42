"""From where a request comes: the peer of its connection, or what trusted proxies say of it."""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_HOP: Final = re.compile(
    r"([0-9.]+)(?::[0-9]{1,5})?|\[([0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?|((?=[0-9A-Fa-f.]*:)[0-9A-Fa-f:.]+)(?:%[A-Za-z0-9._-]+)?"
)
_REMEMBERED: Final = 4096
_SUBNET: Final = 64
_LONGEST: Final = 80


@dataclass(frozen=True, slots=True)
class Addresses:
    """Tells the addresses of clients, where the proxies in `trusted` are believed."""

    trusted: tuple[Network, ...] = ()

    def client(self, peer: str | None, forwarded_for: Iterable[bytes]) -> str:
        """See `client_address`."""
        return client_address(peer, forwarded_for, self.trusted)


def client_address(peer: str | None, forwarded_for: Iterable[bytes], trusted: tuple[Network, ...]) -> str:
    """The address of the client; empty where the peer has none, as over a UNIX socket.

    `forwarded_for` are the values of X-Forwarded-For. Each proxy appends whom it heard: they are read from the right as
    long as the one who wrote them is in `trusted`, and no further than to what is no address. IPv4 in IPv6 is IPv4.
    """
    address = _parse(peer or "")
    if address is None:
        return ""
    if trusted:
        for hop in reversed(b",".join(forwarded_for).decode("latin-1").split(",")):
            is_believed = len(hop) <= _LONGEST and any(address in network for network in trusted)
            before = _parse(hop.strip()) if is_believed else None
            if before is None:
                break
            address = before
    return str(address)


@lru_cache(_REMEMBERED)
def bucket(address: str | None) -> str:
    """What counts as one caller: an IPv4 address, or the /64 of an IPv6 address, all of which one client has."""
    found = _parse(address or "")
    if found is None:
        return ""
    return str(found) if found.version == 4 else str(ipaddress.IPv6Network((int(found), _SUBNET), strict=False))


@lru_cache(_REMEMBERED)
def _parse(text: str) -> _Address | None:
    """An address, alone or with a port; None for anything else."""
    match = _HOP.fullmatch(text)
    if match is None:
        return None
    try:
        found = ipaddress.ip_address(match[1] or match[2] or match[3])
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, ipaddress.IPv6Address) else found
