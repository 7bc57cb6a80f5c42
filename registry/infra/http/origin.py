"""Keeps browsers of strangers out of an open registry: DNS rebinding and cross-site requests."""

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from registry.core.errors import Denied


class BrowserGuard:
    """Checks Host, Origin and Sec-Fetch-Site of every request."""

    def __init__(self, public_url: str | None, allowed_hosts: tuple[str, ...], origins: tuple[str, ...]) -> None:
        public = urlsplit(public_url).hostname if public_url else None
        self._hosts = frozenset(host.lower() for host in (*allowed_hosts, *([public] if public else [])))
        self._origins = frozenset(origins)

    def check(self, headers: Mapping[str, str]) -> None:
        """Nothing, when the request is not one that a foreign page could make.

        Raises:
            Denied: it could.
        """
        host = headers.get("host", "")
        if not self._is_ours(host):
            raise Denied(f"The Host {host[:200]!r} is not one of this registry: set PUBLIC_URL or ALLOWED_HOSTS.")
        origin = headers.get("origin")
        if origin is not None and origin not in self._origins and urlsplit(origin).netloc.lower() != host.lower():
            raise Denied(f"Pages of {origin[:200]!r} may not use this registry: CORS_ORIGINS lists those that may.")
        if origin is None and headers.get("sec-fetch-site") == "cross-site":
            raise Denied("Pages of other sites may not use this registry.")

    def _is_ours(self, host: str) -> bool:
        name = (urlsplit(f"//{host}").hostname or "").lower() if _is_netloc(host) else ""
        if name == "localhost" or name.endswith(".localhost") or name in self._hosts:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def _is_netloc(host: str) -> bool:
    try:
        urlsplit(f"//{host}")
    except ValueError:
        return False
    return True
