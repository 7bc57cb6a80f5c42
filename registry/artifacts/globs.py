"""Patterns of paths: `*` and `?` in one part, `**` for any number of folders, a folder for all in it. Pure."""

from collections.abc import Iterable, Sequence
from typing import Final

LONGEST: Final = 512
_PARTS: Final = 32


def fault(glob: str) -> str | None:
    """Why this is no pattern of paths inside of an artifact, as the end of a sentence; None: it is one."""
    if not glob or len(glob) > LONGEST:
        return f"is empty or longer than {LONGEST} characters"
    if glob.startswith("/") or "\\" in glob:
        return "is absolute, or has a backslash in it"
    parts = _parts(glob)
    if any(part in {"", ".", ".."} for part in parts):
        return "has an empty part, . or .. in it"
    if len(parts) > _PARTS or any("**" in part and part != "**" for part in parts):
        return f"has more than {_PARTS} parts, or ** beside other characters"
    return None


def matches(glob: str, path: str) -> bool:
    """Whether a pattern means a file, or a folder that it lies in; in time that grows with both lengths."""
    return _match(_parts(glob), path.split("/"))


def unmatched(globs: Sequence[str], paths: Iterable[str]) -> tuple[list[str], list[str]]:
    """Patterns that mean none of the paths, and paths that none of the patterns means."""
    parted = [(glob, _parts(glob)) for glob in globs]
    idle, strays = dict.fromkeys(globs), []
    for path in paths:
        parts = path.split("/")
        found = [glob for glob, wanted in parted if _match(wanted, parts)]
        for glob in found:
            idle.pop(glob, None)
        if not found:
            strays.append(path)
    return list(idle), strays


def _parts(glob: str) -> list[str]:
    given = glob.removeprefix("./")
    return (given + "**" if given.endswith("/") else given).split("/")


def _match(wanted: list[str], parts: list[str]) -> bool:
    # `reach[i]`: whether the patterns so far can take the first i parts.
    reach = [True] + [False] * len(parts)
    for index, pattern in enumerate(wanted):
        if pattern == "**":
            first = reach.index(True) if True in reach else len(reach)
            # At the end it means what is in the folder, not the folder itself.
            first += index == len(wanted) - 1
            reach = [at >= first for at in range(len(reach))]
        else:
            reach = [False] + [reach[at] and _matches_part(pattern, part) for at, part in enumerate(parts)]
    return any(reach[1:])


def _matches_part(pattern: str, text: str) -> bool:
    """`*` takes as little as it can and more when the rest does not fit: at most length times length steps."""
    at = place = 0
    star, mark = -1, 0
    while at < len(text):
        if place < len(pattern) and pattern[place] == "*":
            star, mark, place = place, at, place + 1
        elif place < len(pattern) and pattern[place] in {"?", text[at]}:
            at, place = at + 1, place + 1
        elif star >= 0:
            mark += 1
            at, place = mark, star + 1
        else:
            return False
    return all(character == "*" for character in pattern[place:])
