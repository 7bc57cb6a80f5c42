"""How often something may be done."""

from typing import NamedTuple


class Rate(NamedTuple):
    """At most `limit` times within `seconds` of the first."""

    limit: int
    seconds: int
