"""Addresses and names of machines."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address or name `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
