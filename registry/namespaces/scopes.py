"""What a token may list: the scopes that a client asks for, cut to what its caller may do now."""

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final

from registry.auth.model import Grant
from registry.core.errors import NameInvalid
from registry.core.names import check_name
from registry.namespaces.access import Right
from registry.namespaces.rights import Place

MOST: Final = 32
_ROOM: Final = 4200
_ENTRY: Final = 110
_ACTIONS: Final = frozenset({Right.PULL, Right.PUSH, Right.DELETE})
_ALL: Final = frozenset(right.value for right in _ACTIONS)
_SCOPE: Final = re.compile(r"repository(?:\([a-z]{1,20}\))?:([^:\s]{1,255}):([a-z*,]{0,50})")
_CATALOG: Final = "registry:catalog:*"


@dataclass(frozen=True, slots=True)
class Scopes:
    """What was asked for: actions by name of the repository, and the catalog."""

    repositories: dict[str, frozenset[str]]
    catalog: bool


@dataclass(frozen=True, slots=True)
class Granted:
    """What is given of it, for at most so many seconds."""

    access: tuple[tuple[str, Grant], ...]
    catalog: bool
    seconds: int


def parse(texts: Iterable[str]) -> Scopes:
    """The scopes of a request (Distribution, "Token Scope Documentation"); what is none is passed over.

    The same repository is one entry. Of more than 32, or than 6 KiB of token, the last count: clients
    that gather scopes add what they need now.
    """
    found: dict[str, frozenset[str]] = {}
    catalog = False
    for text in " ".join(texts).split():
        catalog = catalog or text == _CATALOG
        match = _SCOPE.fullmatch(text)
        if match is None or not _is_name(match[1]):
            continue
        actions = frozenset(match[2].split(","))
        asked = _ALL if "*" in actions else actions & _ALL
        found[match[1]] = found.pop(match[1], frozenset()) | asked
    return Scopes(_last(found), catalog)


def _last(found: dict[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """As many of the last as a token has room for."""
    kept, room = [], _ROOM
    for name, actions in list(found.items())[: -MOST - 1 : -1]:
        room -= len(name) + _ENTRY
        if room < 0:
            break
        kept.append((name, actions))
    return dict(reversed(kept))


def _is_name(text: str) -> bool:
    try:
        check_name(text)
    except NameInvalid:
        return False
    return True


async def grant(
    scopes: Scopes, look: Callable[[str], Awaitable[tuple[Place, frozenset[Right]]]], longest: int
) -> Granted:
    """Cut the scopes to what `look` says of each name; one without a single action leaves no trace.

    The shortest life that a namespace allows holds for the whole token.
    """
    access, seconds = [], longest
    for name, asked in scopes.repositories.items():
        place, held = await look(name)
        actions = asked & {right.value for right in held & _ACTIONS}
        if actions and place.namespace is not None:
            access.append((name, Grant(frozenset(actions), place.namespace, place.generation)))
            seconds = min(seconds, place.policies.token_seconds or longest)
    return Granted(tuple(access), scopes.catalog, seconds)
