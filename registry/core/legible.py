"""Text that people see, in terminals, logs and pages. Pure."""

import re
from typing import Any, Final

_COMMANDS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_LARGEST: Final = 2**63
_QUOTED: Final = 200


def is_legible(text: str) -> bool:
    """Whether nothing in it commands a terminal, turns the direction of the text around it, or is half a character."""
    return _COMMANDS.search(text) is None


def legible(text: str) -> str:
    """A text that terminals, logs and databases take as it is: what they do not is U+FFFD."""
    return _COMMANDS.sub("\ufffd", text)


def quoted(value: Any) -> Any:
    """A value of somebody's JSON, as a refusal repeats it: a number or null, else at most 200 legible characters."""
    is_json = value is None or (isinstance(value, int | float) and -_LARGEST < value < _LARGEST)
    return value if is_json else legible(str(value)[:_QUOTED])
