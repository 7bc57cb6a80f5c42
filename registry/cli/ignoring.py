"""What `.gatiignore` names, by the patterns that `.gitignore` has (gitignore(5)). Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

LONGEST: Final = 4096
_TOKEN: Final = re.compile(
    r"(?P<any>\*\*/)|(?P<rest>/?\*\*$)|(?P<stars>\*+)|(?P<one>\?)|(?P<set>\[[!^]?\]?[^\]]*\])|(?P<char>\\?.)"
)


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line: whether it takes back what lines before it said, whether it means folders only, and what it fits."""

    takes_back: bool
    folders_only: bool
    fits: re.Pattern[str]


def pattern(line: str) -> Pattern | None:
    """What a line says; None for an empty one and a comment."""
    text = line.rstrip("\r\n")
    text = re.sub(r"(?<!\\)[ \t]+$", "", text)
    if not text or text.startswith("#") or len(text) > LONGEST:
        return None
    takes_back = text.startswith("!")
    text = text[1:] if takes_back else text
    folders_only = text.endswith("/")
    text = text.rstrip("/")
    if not text:
        return None
    anchored = "/" in text
    prefix = "" if anchored else "(?:.*/)?"
    return Pattern(takes_back, folders_only, re.compile(prefix + _expression(text.lstrip("/")), re.DOTALL))


def patterns(text: str) -> tuple[Pattern, ...]:
    """What the lines of a file say."""
    return tuple(found for line in text.splitlines() if (found := pattern(line)) is not None)


def words(text: str) -> tuple[Pattern, ...]:
    """What words say, each as a line would."""
    return patterns("\n".join(text.split()))


def is_ignored(path: str, rules: Iterable[Pattern], *, is_folder: bool) -> bool:
    """Whether the last line that fits a path names it; what lies in an ignored folder is the caller's matter."""
    ignored = False
    for rule in rules:
        if (is_folder or not rule.folders_only) and rule.fits.fullmatch(path):
            ignored = not rule.takes_back
    return ignored


def _expression(text: str) -> str:
    found = []
    for match in _TOKEN.finditer(text):
        match match.lastgroup:
            case "any":
                found.append("(?:[^/]+/)*" if match.start() == 0 or text[match.start() - 1] == "/" else "[^/]*/")
            case "rest":
                found.append("(?:/.*)?" if match[0].startswith("/") else ".*")
            case "stars":
                found.append("[^/]*")
            case "one":
                found.append("[^/]")
            case "set":
                found.append(_set(match[0]))
            case _:
                found.append(re.escape(match[0].removeprefix("\\") or match[0]))
    return "".join(found)


def _set(text: str) -> str:
    inner = text[1:-1]
    negated = inner[:1] in {"!", "^"}
    inner = inner[1:] if negated else inner
    escaped = re.sub(r"([\\\[\]^&~|])", r"\\\1", inner)
    expression = f"(?!/)[{'^' if negated else ''}{escaped}]"
    try:
        re.compile(expression)
    except re.error:
        return re.escape(text)
    return expression
