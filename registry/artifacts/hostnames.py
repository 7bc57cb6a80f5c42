"""Names of hosts and patterns of them, in one form each: small letters, A-labels, no dot at the end. Pure."""

import ipaddress
import re
import unicodedata
from dataclasses import dataclass
from typing import Final

_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_PORT: Final = re.compile(r"[1-9][0-9]{0,4}")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LONGEST: Final = 253


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern of hosts: one host, or all below one; with a port, only that."""

    host: str
    is_below: bool = False
    port: int | None = None


def rule(text: str) -> Rule | None:
    """The pattern that `host`, `*.host` or one with `:port` is; None: it is none."""
    is_below = text.startswith("*.")
    parsed = target(text[2:] if is_below else text)
    if parsed is None or (is_below and _address(parsed[0]) is not None):
        return None
    return Rule(parsed[0], is_below, parsed[1])


def admits(one: Rule, host: str, port: int | None) -> bool:
    """Whether a pattern admits a host in its one form; `*.host` admits neither host itself nor what merely ends so."""
    if one.port is not None and one.port != port:
        return False
    return host.endswith(f".{one.host}") if one.is_below else host == one.host


def target(text: str) -> tuple[str, int | None] | None:
    """Host and port of `host`, `host:port`, `[address]:port`; None: it is no such target."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        found = _address(host) if bracket and ":" in host else None
    elif text.count(":") > 1:
        host, rest, found = text, "", _address(text)
    else:
        host, colon, number = text.partition(":")
        rest, found = colon + number, name(host)
    if found is None or (rest and (rest[0] != ":" or port(rest[1:]) is None)):
        return None
    return found, port(rest[1:]) if rest else None


def port(text: str) -> int | None:
    """The port that is written here, 1 to 65535; None: it is none."""
    return int(text) if _PORT.fullmatch(text) and int(text) < 1 << 16 else None


def name(text: str) -> str | None:
    """The one form of a name or of an IPv4 address; None: it is neither, or one that readers take for different hosts.

    Numbers that some take for addresses (`0x7f.1`, `2130706433`, `127.1`) are no names. Letters beyond ASCII become
    A-labels; those that older and newer rules of IDNA encode differently must be written as A-labels.
    """
    lower = text.removesuffix(".").lower() if text.isascii() else text.removesuffix(".")
    labels = [_label(label) for label in lower.split(".")]
    known = [label for label in labels if label is not None]
    if len(known) != len(labels) or len(".".join(known)) > _LONGEST:
        return None
    return _address(lower) if _NUMBER.fullmatch(known[-1]) else ".".join(known)


def _label(text: str) -> str | None:
    ascii_form: str | None = text
    if not text.isascii():
        ascii_form = _a_label(text)
    return ascii_form if ascii_form is not None and _LABEL.fullmatch(ascii_form) else None


def _a_label(text: str) -> str | None:
    label = unicodedata.normalize("NFC", text.lower())
    if len(label) > 63 or unicodedata.normalize("NFKC", label) != label:
        return None
    found = "xn--" + label.encode("punycode").decode("ascii")
    try:
        older = label.encode("idna").decode("ascii")
    except UnicodeError:
        return None
    return found if found == older else None


def _address(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text)) if "%" not in text else None
    except ValueError:
        return None
