"""JSON pointers (RFC 6901)."""

from collections.abc import Iterable


def pointer(*parts: str | int) -> str:
    """The pointer that goes through these members and indexes."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def under(base: str, parts: Iterable[str | int]) -> str:
    """The pointer `base`, and further through `parts`."""
    return base + pointer(*parts)
