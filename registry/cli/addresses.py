"""The address of a registry. Pure."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from registry.cli.problems import Problem

DEFAULT: Final = "http://127.0.0.1:8080"
_PORTS: Final = {"http": 80, "https": 443}
_HOST: Final = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9])?)*")


@dataclass(frozen=True, slots=True)
class Address:
    """A registry: scheme, host and port.

    Attributes:
        scheme: `https`, or `http`.
        host: as docker names the registry: the host in lower case, with the port unless it is the scheme's own.
    """

    scheme: str
    host: str

    @property
    def url(self) -> str:
        """The address without a path."""
        return f"{self.scheme}://{self.host}"

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine."""
        return _is_loopback(urlsplit(self.url).hostname or "")


def parse(text: str, *, insecure: bool = False) -> Address:
    """The registry that a user names: `registry.example.org`, `localhost:8080`, `https://registry.example.org`.

    Without a scheme it is HTTPS, and HTTP on this machine.

    Raises:
        Problem: it is no address, or plain HTTP to another machine without `insecure`.
    """
    parts = _split(text.strip())
    host = (parts.hostname or "").lower()
    scheme = parts.scheme or ("http" if _is_loopback(host) else "https")
    if scheme == "http" and not insecure and not _is_loopback(host):
        raise Problem(
            f"{text} is plain HTTP to another machine: everybody between could read your password.",
            f"Use https://{parts.netloc}, or --insecure if you trust the network.",
            code="INSECURE",
        )
    port = "" if parts.port in {None, _PORTS[scheme]} else f":{parts.port}"
    return Address(scheme, (f"[{host}]" if ":" in host else host) + port)


def _split(text: str) -> SplitResult:
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        wrong = parts.scheme not in {"", "http", "https"} or parts.port == 0 or "@" in parts.netloc
        wrong = wrong or parts.path not in {"", "/"} or bool(parts.query or parts.fragment)
        if not wrong and (_is_address(parts.hostname or "") or _HOST.fullmatch((parts.hostname or "").lower())):
            return parts
    except ValueError:
        pass
    raise Problem(
        f"{text!r} is not the address of a registry.",
        "Write a host such as registry.example.org, localhost:8080 or https://registry.example.org:8443.",
    )


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    if _is_address(host):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost" or host.endswith(".localhost")
