"""How many bytes, as a person reads it. Pure."""

from typing import Final

_UNITS: Final = ("KiB", "MiB", "GiB", "TiB")
_STEP: Final = 1024


def shown(size: int) -> str:
    """`812 bytes`, `1.4 MiB`."""
    if size < _STEP:
        return f"{size} bytes"
    value = float(size)
    for unit in _UNITS:
        value /= _STEP
        if value < _STEP or unit == _UNITS[-1]:
            break
    return f"{value:.1f} {unit}"
