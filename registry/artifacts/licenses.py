"""The form of SPDX licence expressions (SPDX Specification 2.3, annex D); the list of licences is not held. Pure."""

import re
from typing import Final

_TOKEN: Final = re.compile(r"\s*(\(|\)|[A-Za-z0-9.-]+(?::[A-Za-z0-9.-]+)?\+?)")
_OPERATORS: Final = frozenset({"AND", "OR"})


def is_expression(text: str) -> bool:
    """Whether this has the form of a licence expression, such as `MIT` or `(MIT OR Apache-2.0) AND BSD-3-Clause`."""
    words = _words(text)
    if words is None:
        return False
    depth, wants_operand, after_with = 0, True, False
    for word in words:
        if word == "(":
            if not wants_operand or after_with:
                return False
            depth += 1
        elif word == ")":
            if wants_operand or depth == 0:
                return False
            depth -= 1
        elif word in _OPERATORS or word == "WITH":
            if wants_operand:
                return False
            wants_operand, after_with = True, word == "WITH"
        elif wants_operand:
            wants_operand, after_with = False, False
        else:
            return False
    return depth == 0 and not wants_operand


def _words(text: str) -> list[str] | None:
    words, at, given = [], 0, text.strip()
    while at < len(given):
        match = _TOKEN.match(given, at)
        if match is None:
            return None
        words.append(match[1])
        at = match.end()
    return words
