"""Versions of artifacts (Semantic Versioning 2.0.0), the tags that carry them, and npm ranges over them. Pure."""

import re
from collections.abc import Iterable
from typing import Final

import nodesemver

from registry.core.errors import MalformedManifest

LONGEST: Final = 128
MOST_PARTS: Final = 6
_PARTS: Final = re.compile(r"[^\s|]+")
_NUMBER: Final = r"(?:0|[1-9][0-9]*)"
_IDENTIFIER: Final = rf"(?:{_NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_VERSION: Final = re.compile(
    rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})(?:-({_IDENTIFIER}(?:\.{_IDENTIFIER})*))?(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
)


def is_version(text: str) -> bool:
    """Whether this is a version of at most 128 characters, without a leading v."""
    return len(text) <= LONGEST and _VERSION.fullmatch(text) is not None


def check_version(text: object, pointer: str = "/version") -> str:
    """`text`, when it is a version.

    Raises:
        MalformedManifest: it is not.
    """
    if isinstance(text, str) and is_version(text):
        return text
    raise MalformedManifest(
        f"{str(text)[:100]!r} is no version (Semantic Versioning 2.0.0).",
        pointer=pointer,
        value=text,
        suggestion="Write MAJOR.MINOR.PATCH, such as 1.4.0 or 2.0.0-rc.1.",
    )


def tag_of(version: str) -> str:
    """The tag that carries a version: `+`, which tags may not have, is `_`."""
    return version.replace("+", "_")


def version_of(tag: str) -> str | None:
    """The version that a tag carries; a leading v is left out. None: it carries none, it may move."""
    text = tag.removeprefix("v").replace("_", "+", 1)
    return text if is_version(text) else None


def is_stable(version: str) -> bool:
    """Whether it is no pre-release."""
    match = _VERSION.fullmatch(version)
    return match is not None and match.group(4) is None


def precedence(version: str) -> str:
    """A text whose byte order is that of versions (Semantic Versioning, section 11); build metadata counts nothing.

    Raises:
        ValueError: it is no version.
    """
    match = _VERSION.fullmatch(version)
    if match is None:
        raise ValueError(f"{version!r} is no version")
    core = "".join(_ordered(number) for number in match.group(1, 2, 3))
    if match.group(4) is None:
        return f"{core}~"
    # "!" ends an identifier and is below all that identifiers hold; numbers are below words.
    words = ("0" + _ordered(part) if part.isdigit() else f"1{part}" for part in match.group(4).split("."))
    return core + "-" + "".join(f"{word}!" for word in words)


def _ordered(number: str) -> str:
    """A number as text of the same order: its length first."""
    return f"{len(number):03}{number}"


def newest_first(versions: Iterable[str]) -> list[str]:
    """Versions, the highest first."""
    return sorted(versions, key=lambda version: (precedence(version), version), reverse=True)


def is_range(text: str) -> bool:
    """Whether this is an npm range (`^1.2.0`, `>=1 <3`, `1.x`, `*` …) of at most six parts, cheap to judge."""
    if len(text) > LONGEST or max(len(_PARTS.findall(text)), text.count("||") + 1) > MOST_PARTS:
        return False
    try:
        return nodesemver.valid_range(text, loose=False) is not None
    except ValueError:
        return False


def satisfies(version: str, wanted: str) -> bool:
    """Whether a version is in an npm range; pre-releases only where the range names one of the same core."""
    try:
        return bool(nodesemver.satisfies(version, wanted, loose=False))
    except ValueError:
        return False


def best(versions: Iterable[str], wanted: str) -> str | None:
    """The highest version that the range admits, None when none is."""
    return next((version for version in newest_first(versions) if satisfies(version, wanted)), None)
