"""How lifetimes, sizes and names are written on a command line. Pure."""

import re
from datetime import timedelta
from typing import Final

from registry.cli.problems import Problem

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_SIZES: Final = {None: 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}


def lifetime(text: str) -> timedelta | None:
    """`30d`, `12h`, `90m`; None for `never`.

    Raises:
        Problem: it is none of these.
    """
    if text == "never":
        return None
    match = re.fullmatch(r"([0-9]{1,6})([smhdw])", text)
    if match is None or int(match[1]) == 0:
        raise Problem(f"{text!r} is no lifetime.", "Write a number with s, m, h, d or w, such as 30d, or never.")
    return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])


def size(text: str) -> int:
    """A number of bytes, or `10GiB`.

    Raises:
        Problem: it is neither.
    """
    match = re.fullmatch(r"([0-9]{1,18}) ?([KMGT]iB)?", text)
    if match is None:
        raise Problem(f"{text!r} is no size.", "Write a number of bytes, or one with KiB, MiB, GiB or TiB.")
    return int(match[1]) * _SIZES[match[2]]


def namespace(text: str) -> str:
    """A namespace as paths of the API name it: `orgs/acme` and `orgs~acme` are `orgs~acme`, `acme` is itself.

    Raises:
        Problem: it has more parts than a namespace.
    """
    kind, slash, slug = text.partition("/")
    if slash and (kind not in {"orgs", "users"} or not slug or "/" in slug):
        raise Problem(f"{text!r} is no namespace.", "Write orgs/NAME, users/NAME, or the name alone.")
    return f"{kind}~{slug}" if slash else text
