"""Which address a name is reached at, and whether an agent may reach it."""

import ipaddress
import socket
import threading
from collections.abc import Callable
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], list[str]]

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE: Final = ipaddress.IPv6Network("::/96")


class Unresolved(Exception):
    """A name has no address that may be reached; the message says why."""


def resolve(host: str, port: int, seconds: float) -> list[str]:
    """The addresses of a name, as the resolver of this machine orders them.

    Raises:
        Unresolved: it has none, or the resolver takes longer than `seconds`.
    """
    found: list[str] = []
    wrong: list[str] = []

    def ask() -> None:
        try:
            rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found.extend(dict.fromkeys(str(row[4][0]) for row in rows))
        except (OSError, UnicodeError) as error:
            wrong.append(str(error))

    # The resolver of the C library cannot be interrupted: a thread that is late is left behind.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(seconds)
    if not found:
        raise Unresolved(f"{host} cannot be resolved: {wrong[0] if wrong else 'no answer in time'}.")
    return found


def embedded(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, else the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
    if inner is None and (address in _NAT64 or (address in _COMPATIBLE and int(address) > 1)):
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return inner or address


def is_public(text: str) -> bool:
    """Whether an address is one of the public Internet, whatever it is wrapped in."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return all(one.is_global and not one.is_multicast for one in {address, embedded(address)} if _judged(one, address))


def _judged(one: Address, outer: Address) -> bool:
    return one is not outer or embedded(outer) is outer


def pinned(host: str, addresses: list[str], *, allow_private: bool) -> str:
    """The one address that is connected to, so that no second answer of the resolver is believed.

    Raises:
        Unresolved: one of them is private and that is not allowed: a name with both kinds is an attack on what is here.
    """
    private = [address for address in addresses if not is_public(address)]
    if private and not allow_private:
        raise Unresolved(
            f"{host} is {private[0]}, which is no address of the public Internet (--allow-private lets it)."
        )
    return addresses[0]
