"""Sizes, durations and shares of processors as manifests write them. Pure."""

import re
from fractions import Fraction
from typing import Final

_NUMBER: Final = r"(?P<number>[0-9]{1,12}(?:\.[0-9]{1,6})?)"
_SIZE: Final = re.compile(rf"{_NUMBER} ?(?P<unit>|B|KB|MB|GB|TB|K|M|G|T|Ki|Mi|Gi|Ti|KiB|MiB|GiB|TiB)")
_DURATION: Final = re.compile(rf"{_NUMBER} ?(?P<unit>us|µs|ms|s|m|h)")
_CPU: Final = re.compile(rf"{_NUMBER}(?P<unit>| ?cores?|m)")
_SECONDS: Final = {
    "us": Fraction(1, 1_000_000),
    "µs": Fraction(1, 1_000_000),
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "m": Fraction(60),
    "h": Fraction(3600),
}
SIZE_FORM: Final = _SIZE.pattern.replace("?P<number>", "?:").replace("?P<unit>", "?:")
DURATION_FORM: Final = _DURATION.pattern.replace("?P<number>", "?:").replace("?P<unit>", "?:")
CPU_FORM: Final = _CPU.pattern.replace("?P<number>", "?:").replace("?P<unit>", "?:")
"""The same as patterns for a JSON Schema, without anchors."""


def size(text: str) -> int:
    """Bytes: `256MB` is 256,000,000, `512Mi` is 536,870,912; a number alone counts bytes.

    Raises:
        ValueError: it is no size.
    """
    number, unit = _read(_SIZE, text, "size such as 256MB or 512Mi")
    if not unit or unit == "B":
        return int(number)
    base = 1024 if "i" in unit else 1000
    return int(number * base ** ("KMGT".index(unit[0]) + 1))


def duration(text: str) -> float:
    """Seconds: `12ms` is 0.012, `5m` is 300.

    Raises:
        ValueError: it is no duration.
    """
    number, unit = _read(_DURATION, text, "duration such as 12ms, 30s, 5m or 1h")
    return float(number * _SECONDS[unit])


def cpu(text: str) -> int:
    """Thousandths of a processor: `500m` is 500, `2cores` and `2` are 2000.

    Raises:
        ValueError: it is no share of processors.
    """
    number, unit = _read(_CPU, text, "number of processors such as 2cores or 500m")
    return int(number if unit == "m" else number * 1000)


def _read(form: re.Pattern[str], text: str, name: str) -> tuple[Fraction, str]:
    match = form.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:60]!r} is no {name}")
    return Fraction(match["number"]), match["unit"]
