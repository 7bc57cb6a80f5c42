"""What each handler of the OCI door gets, and what the handlers share."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.types import Receive

from registry.auth.model import ANYBODY
from registry.content.shelf import Shelf
from registry.content.terms import OPEN_TERMS, Terms
from registry.content.visibility import Reader
from registry.core.digest import Digest, parse_digest
from registry.core.errors import PageInvalid
from registry.core.names import check_tag
from registry.infra.http.answers import Answer, Headers
from registry.namespaces.access import Right
from registry.namespaces.admission import Admission, Gate

PAGE: Final = 10_000
_NOWHERE: Final = "-"
_VERSION: Final[Headers] = [(b"docker-distribution-api-version", b"registry/2.0")]
_BODILESS: Final = frozenset({204, 304})
_COUNT: Final = re.compile(r"\d{1,4000}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the door: who calls, for which repository, `asked` by this name, with which last path segment."""

    shelf: Shelf
    gate: Gate
    admission: Admission
    request: Request
    receive: Receive
    asked: str
    reference: str
    body_timeout: float

    @property
    def name(self) -> str:
        """The name that the repository has now; one that no repository can have where the caller may not see it."""
        if self.admission.hidden:
            return _NOWHERE
        look = self.admission.look
        return look.place.name if look is not None else self.asked

    @property
    def is_alias(self) -> bool:
        """Whether the repository was asked for by a former name."""
        look = self.admission.look
        return look is not None and look.place.name != self.asked and not self.admission.hidden

    @property
    def principal(self) -> str:
        """Who owns what this request starts."""
        return self.admission.caller.actor.principal

    @property
    def is_writer(self) -> bool:
        """Whether the caller may push here, whatever its token lists: a look of it at a blob begins a push."""
        look = self.admission.look
        return look is None or Right.PUSH in look.held

    @property
    def reader(self) -> Reader:
        """Who reads here, and whether the answer can say why something may not be read."""
        return Reader(self.is_writer, is_told=self.request.method != "HEAD")

    @property
    def is_open(self) -> bool:
        """Whether the registry is open: everybody may do everything."""
        return self.admission.caller.actor is ANYBODY

    @property
    def terms(self) -> Terms:
        """What the namespace demands of a change, and whose it is."""
        look = self.admission.look
        if look is None:
            return OPEN_TERMS
        policies = look.place.policies
        return Terms(self.admission.caller.by, policies.immutable_tags, policies.bytes)


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
