"""What all handlers do with the caller, ids, pages and versions."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import msgspec

from registry.core.errors import BadRequest, NotFound, Unauthorized
from registry.web.bodies import MOST, Listing, Page
from registry.web.rest import Call, Reply

T = TypeVar("T")
_LARGEST: Final = 2**63 - 1


def own(call: Call) -> int:
    """The account of the caller.

    Raises:
        Unauthorized: it has none.
    """
    account = call.admitted.actor.account
    if account is None:
        raise Unauthorized("Log in first.")
    return account


def number(text: str) -> int | None:
    """An id as it stands in a path or a cursor; None for what is none."""
    if not text.isascii() or not text.isdecimal() or len(text) > len(str(_LARGEST)):
        return None
    found = int(text)
    return found if 1 <= found <= _LARGEST else None


def id_of(call: Call, sentence: str) -> int:
    """The parameter `id` of the path.

    Raises:
        NotFound: it is none, with the sentence for one that there is not.
    """
    found = number(call.params["id"])
    if found is None:
        raise NotFound(sentence)
    return found


def start(query: Page) -> int:
    """The id after which the page begins.

    Raises:
        BadRequest: `after` is no `next` of a page before.
    """
    found = 0 if query.after == "" else number(query.after)
    if found is None:
        raise BadRequest(
            "The query parameter after cannot be taken: it is the next of the page before.",
            detail={"parameter": "after", "expected": "the next of the page before"},
        )
    return found


def paged(found: Sequence[T], query: Page, cursor: Callable[[T], object], show: Callable[[T], Any]) -> Reply:
    """A page of what was found: up to `limit` and one more, or 100, as `show` has them."""
    items = list(found[: query.limit])
    has_more = len(found) > query.limit or len(found) == MOST
    after = str(cursor(items[-1])) if items and has_more else None
    listing = Listing(items=[show(item) for item in items], next=msgspec.UNSET if after is None else after)
    return Reply(listing, next=after)


def version_of(answer: Any) -> str:
    """The text of the ETag of an answer that has no version of its own."""
    return hashlib.blake2b(msgspec.json.encode(answer), digest_size=16).hexdigest()
