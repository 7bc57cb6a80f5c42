"""What each handler of the OCI door gets, and what the handlers share."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.types import Receive

from registry.auth.model import Actor
from registry.content.shelf import Shelf
from registry.content.terms import OPEN_TERMS, Terms
from registry.core.digest import Digest, parse_digest
from registry.core.errors import PageInvalid
from registry.core.names import check_tag
from registry.infra.http.answers import Answer, Headers

PAGE: Final = 10_000
_VERSION: Final[Headers] = [(b"docker-distribution-api-version", b"registry/2.0")]
_BODILESS: Final = frozenset({204, 304})
_COUNT: Final = re.compile(r"\d{1,4000}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the door: who calls, for which repository, with which last path segment, under which terms."""

    shelf: Shelf
    actor: Actor
    request: Request
    receive: Receive
    name: str
    reference: str
    body_timeout: float
    terms: Terms = OPEN_TERMS


def reply(
    status: int,
    headers: dict[str, str] | None = None,
    body: bytes = b"",
    media_type: str | None = None,
    *,
    is_lasting: bool = False,
) -> Answer:
    """An answer of the door: always the API version, a Content-Length where there may be a body."""
    fields = [*_VERSION, *fields_of(headers)] if headers else [*_VERSION]
    if media_type is not None:
        fields.append((b"content-type", media_type.encode("latin-1")))
    if status not in _BODILESS and not (headers and "Content-Length" in headers):
        fields.append((b"content-length", b"%d" % len(body)))
    return Answer(status, fields, body, is_lasting=is_lasting)


def fields_of(headers: dict[str, str]) -> Headers:
    """Headers as the wire has them."""
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]


def manifest_reference(text: str) -> Digest | str:
    """A digest where there is a colon, else a tag.

    Raises:
        DigestInvalid, TagInvalid: it is neither.
    """
    return parse_digest(text) if ":" in text else check_tag(text)


@dataclass(frozen=True, slots=True)
class Page:
    """What a list request asks for: at most `limit` items after `last`; `clamped` when it asked for more."""

    limit: int
    last: str


def page(request: Request) -> Page:
    """`n` and `last` of a list (OCI Distribution, "Listing Tags"); `n` over 10,000 is cut to that.

    Raises:
        PageInvalid: `n` is not a count.
    """
    text = request.query_params.get("n")
    if text is not None and _COUNT.fullmatch(text) is None:
        raise PageInvalid("n is a count: 0 or more.", detail={"n": text[:50]})
    return Page(
        min(int(text), PAGE) if text is not None else PAGE, request.query_params.get("last", "").replace("\0", "")
    )


def next_link(path: str, query: dict[str, str]) -> dict[str, str]:
    """A path-relative Link to the next page (RFC 8288)."""
    return {"Link": f'<{quote(path)}?{urlencode(query)}>; rel="next"'}
