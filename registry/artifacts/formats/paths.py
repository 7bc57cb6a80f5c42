"""Names of files that are safe on every system: of layers, and inside archives. Pure."""

import re
import unicodedata
from collections.abc import Callable
from typing import Final

LONGEST: Final = 1024
LONGEST_PART: Final = 255
DEEPEST: Final = 64
_FORBIDDEN: Final = re.compile(r'[\\:<>"|?*]')
_DEVICES: Final = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|com[0-9\u00b9\u00b2\u00b3]|lpt[0-9\u00b9\u00b2\u00b3])\s*(?:\..*)?",
    re.IGNORECASE | re.DOTALL,
)


def fault(path: str) -> str | None:
    """Why a relative path with `/` is not safe, as the end of a sentence; None: it is."""
    try:
        encoded = path.encode()
    except UnicodeEncodeError:
        return "is not UTF-8"
    if not path or len(encoded) > LONGEST:
        return f"is empty or longer than {LONGEST} bytes"
    if path.startswith("/"):
        return "is absolute"
    parts = path.split("/")
    if len(parts) > DEEPEST:
        return f"is deeper than {DEEPEST} folders"
    return next((why for part in parts if (why := _part_fault(part)) is not None), None)


def folded(path: str) -> str:
    """What two paths share when a system that ignores case and forms of letters takes them for one."""
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKC", path).casefold())


_RULES: Final[tuple[tuple[Callable[[str], bool], str], ...]] = (
    (lambda part: part in {"", ".", ".."}, "has an empty part, . or .. in it"),
    (lambda part: len(part.encode()) > LONGEST_PART, f"has a part longer than {LONGEST_PART} bytes"),
    (lambda part: _FORBIDDEN.search(part) is not None, "has a character in it that Windows gives a meaning"),
    (lambda part: not part.isprintable() and _has_control(part), "has a control character in it"),
    (lambda part: part[-1] in ". ", "has a part that ends in a dot or a space, which Windows leaves out"),
    (lambda part: _DEVICES.fullmatch(part) is not None, "is the name of a device on Windows"),
)


def _has_control(part: str) -> bool:
    return any(unicodedata.category(character) in {"Cc", "Cf", "Zl", "Zp"} for character in part)


def _part_fault(part: str) -> str | None:
    return next((why for breaks, why in _RULES if breaks(part)), None)
