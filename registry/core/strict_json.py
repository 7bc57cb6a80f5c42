"""JSON with one reading: RFC 8259 text that every parser understands alike.

Refused: a byte order mark, anything but UTF-8, duplicate keys, NaN and infinities, and nesting or counts of values
that serve only to cost memory. Lone surrogates inside strings and unknown members are kept.
"""

import json
import re
from typing import Any, Final

from registry.core.errors import ManifestInvalid

DEPTH: Final = 64
CONTAINERS: Final = 100_000
# A string that never ends is taken whole, too: tried again from each of its quotes, 64 KiB of `\"` cost half a minute.
_STRUCTURE: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|([\[{])|([\]}])', re.DOTALL)


def parse_object(raw: bytes) -> dict[str, Any]:
    """The one JSON object that `raw` is.

    Raises:
        ManifestInvalid: `raw` is not such an object; the message says why.
    """
    _check_depth(raw)
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_members, parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise ManifestInvalid(f"The manifest is not UTF-8 at byte {error.start}.") from error
    except RecursionError as error:
        raise ManifestInvalid(f"The manifest nests deeper than {DEPTH} levels.") from error
    except ValueError as error:
        raise ManifestInvalid(f"The manifest is not JSON: {str(error)[:200]}.") from error
    if not isinstance(value, dict):
        raise ManifestInvalid("The manifest is not a JSON object.", detail={"pointer": ""})
    return value


def _check_depth(raw: bytes) -> None:
    if raw.count(b"{") + raw.count(b"[") > CONTAINERS:
        raise ManifestInvalid(f"The manifest holds more than {CONTAINERS} objects and arrays.")
    depth = 0
    for match in _STRUCTURE.finditer(raw):
        if match.group(1):
            depth += 1
            if depth > DEPTH:
                raise ManifestInvalid(f"The manifest nests deeper than {DEPTH} levels.")
        elif match.group(2):
            depth -= 1


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ManifestInvalid(f"The manifest has the key {twice[:100]!r} twice in one object.")
    return members


def _refuse_constant(name: str) -> None:
    raise ManifestInvalid(f"The manifest holds {name}, which is not JSON.")
