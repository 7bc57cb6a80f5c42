"""A page of a list, ready to send."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Listing:
    """The elements of a JSON array, joined by commas; the last of them, and whether more follow.

    An empty page has neither `items` nor `last`. `is_for_all`: it would be the same for everybody who may ask for it.
    """

    items: str | None
    last: str | None
    more: bool
    is_for_all: bool = True
