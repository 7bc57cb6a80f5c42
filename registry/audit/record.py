"""Writes what was done, in the transaction that does it."""

import json
import re
from dataclasses import replace
from typing import Any, Final

from registry.audit import sql
from registry.audit.model import By, Event

_SECRET: Final = re.compile(r"(?:^|_)(?:password|secret|token|hash|authorization|cookie)$")
_WORDS: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")
_UNSTORABLE: Final = re.compile(r"[\0\ud800-\udfff]")


async def record(connection: Any, by: By, event: Event) -> None:
    """Write the row of `event`; the caller's transaction commits or drops it together with the change.

    Characters that PostgreSQL cannot keep (NUL, lone surrogates) become U+FFFD.

    Raises:
        ValueError: `detail` names a secret or holds what is not JSON, or a fraction.
    """
    detail = json.dumps(_checked(event.detail), ensure_ascii=False, allow_nan=False)
    who = replace(by, name=text(by.name), address=text(by.address), request_id=text(by.request_id))
    await sql.insert(connection, who, replace(event, action=text(event.action), target=text(event.target)), detail)


def text(value: str) -> str:
    """`value` as PostgreSQL can keep it."""
    return _UNSTORABLE.sub("\ufffd", value)


def _checked(value: Any) -> Any:
    """A JSON value without secrets, as PostgreSQL can keep it."""
    match value:
        case dict():
            return {_key(key): _checked(item) for key, item in value.items()}
        case list() | tuple():
            return [_checked(item) for item in value]
        case str():
            return text(value)
        case None | bool() | int():
            return value
        case _:
            raise ValueError(
                f"An audit row holds strings, whole numbers, lists and objects, no {type(value).__name__}."
            )


def _key(key: str) -> str:
    if _SECRET.search(_WORDS.sub("_", key).lower()):
        raise ValueError(f"An audit row never holds secrets: {key!r} must stay out of its detail.")
    return text(key)
