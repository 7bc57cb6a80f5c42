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


class Ambiguous(ValueError):
    """It is not such JSON: what is wrong with it, as the rest of a sentence that begins with what it is."""


def parse_object(raw: bytes) -> dict[str, Any]:
    """The one JSON object that `raw` is.

    Raises:
        ManifestInvalid: `raw` is not such an object; the message says why.
    """
    try:
        value = parse(raw)
    except Ambiguous as error:
        raise ManifestInvalid(f"The manifest {error}") from error
    if not isinstance(value, dict):
        raise ManifestInvalid("The manifest is not a JSON object.", detail={"pointer": ""})
    return value


def parse(raw: bytes) -> Any:
    """The one JSON value that `raw` is.

    Raises:
        Ambiguous: it is none, or more than one.
    """
    _check_depth(raw)
    try:
        return json.loads(raw.decode("utf-8"), object_pairs_hook=_members, parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise Ambiguous(f"is not UTF-8 at byte {error.start}.") from error
    except RecursionError as error:
        raise Ambiguous(f"nests deeper than {DEPTH} levels.") from error
    except Ambiguous:
        raise
    except ValueError as error:
        raise Ambiguous(f"is not JSON: {str(error)[:200]}.") from error


def _check_depth(raw: bytes) -> None:
    if raw.count(b"{") + raw.count(b"[") > CONTAINERS:
        raise Ambiguous(f"holds more than {CONTAINERS} objects and arrays.")
    depth = 0
    for match in _STRUCTURE.finditer(raw):
        if match.group(1):
            depth += 1
            if depth > DEPTH:
                raise Ambiguous(f"nests deeper than {DEPTH} levels.")
        elif match.group(2):
            depth -= 1


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise Ambiguous(f"has the key {twice[:100]!r} twice in one object.")
    return members


def _refuse_constant(name: str) -> None:
    raise Ambiguous(f"holds {name}, which is not JSON.")
