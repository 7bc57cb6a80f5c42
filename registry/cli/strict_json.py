"""JSON files of a project, read strictly and written always alike. Pure."""

import json
from typing import Any, Final

from registry.cli.problems import Problem

LIMIT: Final = 8 << 20
"""Bytes that such a file has at most."""


class _Wrong(ValueError):
    """The text is JSON, but says something twice or in no number."""


def read(raw: bytes, name: str) -> dict[str, Any]:
    """The object that a file holds; no member twice, no NaN.

    Raises:
        Problem: it holds something else; `name` says which file.
    """
    if len(raw) > LIMIT:
        raise Problem(f"{name} is larger than {LIMIT >> 20} MiB: it is none of the files that it should be.")
    try:
        document = json.loads(raw.decode(), object_pairs_hook=_once, parse_constant=_no_number)
    except _Wrong as error:
        raise Problem(f"{name} says {error}.", f"Mend {name}, or bring it back from where you keep it.") from error
    except ValueError as error:
        raise Problem(
            f"{name} is no JSON: {error}.", f"Mend {name}, or bring it back from where you keep it."
        ) from error
    except RecursionError as error:
        raise Problem(f"{name} is nested too deeply.") from error
    if not isinstance(document, dict):
        raise Problem(f"{name} holds no JSON object.", f"Mend {name}, or bring it back from where you keep it.")
    return document


def write(document: dict[str, Any]) -> bytes:
    """The object as text: members in the order that they have, two spaces, a newline at the end."""
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise _Wrong(f"{next(name for name in names if names.count(name) > 1)[:100]!r} twice")
    return found


def _no_number(text: str) -> Any:
    raise _Wrong(f"{text}, which is no number of JSON")
