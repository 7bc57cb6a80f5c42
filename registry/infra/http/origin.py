"""Keeps browsers of strangers out of an open registry: DNS rebinding and cross-site requests."""

import ipaddress
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from registry.core.errors import Denied

_AUTHORITY: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::\d{0,5})?")
_ORIGIN: Final = re.compile(r"https?://([^/?#@\\\s]+)", re.IGNORECASE)
_REMEMBERED: Final = 1000


class BrowserGuard:
    """Checks Host, Origin and Sec-Fetch-Site of every request.

    A page of another site reaches a registry on a loopback address in two ways: by a name of its own that it points
    there (then Host is that name), or by a request across origins (then the browser says so).
    """

    def __init__(self, public_url: str | None, allowed_hosts: tuple[str, ...], origins: tuple[str, ...]) -> None:
        public = urlsplit(public_url).hostname if public_url else None
        self._hosts = frozenset(host.lower() for host in (*allowed_hosts, *([public] if public else [])))
        self._origins = frozenset(origin.lower() for origin in origins)
        self._known: set[str] = set()

    def check(self, headers: Mapping[str, str]) -> None:
        """Nothing, when the request is not one that a foreign page could make.

        Raises:
            Denied: it could.
        """
        host = headers.get("host", "")
        self.check_host(host)
        origin = headers.get("origin")
        if origin is None:
            if headers.get("sec-fetch-site") == "cross-site":
                raise Denied("Pages of other sites may not use this registry.")
        elif not self._may_use(origin.lower(), host.lower()):
            raise Denied(f"Pages of {origin[:200]!r} may not use this registry: CORS_ORIGINS lists those that may.")

    def check_host(self, host: str) -> None:
        """Nothing, when a Host is one of this registry.

        Raises:
            Denied: it is none.
        """
        if host not in self._known:
            self._learn(host)

    def _may_use(self, origin: str, host: str) -> bool:
        found = _ORIGIN.fullmatch(origin)
        return origin in self._origins or (found is not None and found[1] == host)

    def _learn(self, host: str) -> None:
        if not self._is_ours(host):
            raise Denied(f"The Host {host[:200]!r} is not one of this registry: set PUBLIC_URL or ALLOWED_HOSTS.")
        if len(self._known) < _REMEMBERED:
            self._known.add(host)

    def _is_ours(self, host: str) -> bool:
        found = _AUTHORITY.fullmatch(host)
        if found is None:
            return False
        name = (found[1] or found[2]).lower()
        return name == "localhost" or name.endswith(".localhost") or name in self._hosts or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
