"""The REST door: /v1 as a table of rows, and how a request finds its row, is let in, is read and answered."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, Protocol
from urllib.parse import quote, unquote_to_bytes, urlencode

import msgspec
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from registry.audit.model import By
from registry.auth.realm import Realm
from registry.core.errors import (
    Denied,
    MediaTypeUnsupported,
    PreconditionFailed,
    RouteUnknown,
    Unauthorized,
    Unsupported,
)
from registry.infra.http.answers import Answer
from registry.infra.http.body import chunks, read_all
from registry.infra.telemetry import metrics
from registry.namespaces.entry import Admitted, Entry, Needs, RestGate
from registry.web.bodies import Page, Query, read_body, read_query

BODY: Final = 64 * 1024
BASE: Final = [
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
]
_FRESH: Final = [(b"cache-control", b"no-store")]
_CHECKED: Final = [(b"cache-control", b"private, no-cache"), (b"vary", b"authorization, cookie")]
_CHALLENGE: Final = 'Bearer realm="gati-registry"'  # every 401 has one (RFC 9110, section 15.5.2)
_BODILESS: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


class Content(Protocol):
    """A whole answer that is no JSON, such as `Answer`."""

    async def send(self, scope: Scope, send: Send, count: Callable[[int], Any]) -> None:
        """Send it over ASGI; `count` learns of the bytes that come from files."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a handler answers.

    Attributes:
        body: a Struct, or None for no body.
        status: None: that of the row.
        version: of what is answered, the text of its ETag; without one the answer may not be kept at all.
        next: `after` of the page that follows.
        content: bytes instead of JSON; the rest of the reply counts nothing then.
    """

    body: Any = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    version: str | None = None
    next: str | None = None
    content: "Content | None" = None


@dataclass(frozen=True, slots=True)
class Call:
    """One request that was let in.

    Attributes:
        params: values of the path, decoded.
        query, body: as the row has them; None where it has none.
        pieces: the body as it comes, where the row takes one that is no JSON.
    """

    realm: Realm
    admitted: Admitted
    params: Mapping[str, str]
    query: Any
    body: Any
    headers: Headers
    pieces: AsyncIterator[bytes] | None = None

    @property
    def by(self) -> By:
        """As audit rows name the caller."""
        return self.admitted.by

    def require_match(self, version: str) -> None:
        """Hold a change to what the caller has seen, if it says what that is (RFC 9110, section 13.1.1).

        Raises:
            PreconditionFailed: it has seen another version.
        """
        asked = self.headers.getlist("if-match")
        if asked and not _names(asked, version, is_weak=False):
            raise PreconditionFailed(
                "This was changed by somebody else since you read it.", headers={"ETag": f'"{version}"'}
            )


Handler = Callable[[Call], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Row:
    """One endpoint.

    Attributes:
        path: with parameters in braces, each a whole segment; `{repo}` may hold slashes, encoded as %2F.
        needs: see `Entry`.
        summary: one line for the OpenAPI document; the handler's docstring says the rest.
        body, query: Structs of `bodies`.
        answer: the type of the reply's body.
        status: of success.
        also: other statuses of success that the handler may choose.
        is_versioned: whether it honours If-Match; every PATCH does.
        is_open: see `Entry`.
        takes: media types of a body that is no JSON: the handler reads it.
        gives: media types of answers that are no JSON.
        codes: statuses of refusals beside those that follow from the rest of the row.
        limit: of the body, in bytes.
    """

    method: str
    path: str
    handler: Handler
    needs: Needs
    summary: str
    body: type[Any] | None = None
    query: type[Query] | None = None
    answer: Any = None
    status: int = 200
    codes: tuple[int, ...] = ()
    limit: int = BODY
    also: tuple[int, ...] = ()
    is_versioned: bool = False
    is_open: bool = False
    takes: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()

    @property
    def takes_match(self) -> bool:
        """Whether it honours If-Match."""
        return self.is_versioned or self.method == "PATCH"

    @property
    def segments(self) -> tuple[str, ...]:
        """The path between its slashes."""
        return tuple(self.path.strip("/").split("/"))

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters of the path."""
        return tuple(part[1:-1] for part in self.segments if part.startswith("{"))


class Table:
    """Rows by their paths."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._paths: dict[tuple[str, ...], dict[str, Row]] = {}
        for row in rows:
            methods = self._paths.setdefault(row.segments, {})
            if row.method in methods:
                raise ValueError(f"{row.method} {row.path} is in the table twice.")
            methods[row.method] = row
        # Of the paths that fit, the one whose first difference is a word and not a parameter.
        self._order = sorted(self._paths, key=lambda parts: [part.startswith("{") for part in parts])

    def find(self, raw_path: bytes) -> dict[str, tuple[Row, dict[str, str]]]:
        """The rows of a path, by method, each with the values of its parameters.

        Raises:
            RouteUnknown: there are none.
        """
        parts = [_decoded(part) for part in raw_path.removeprefix(b"/").split(b"/")]
        found: dict[str, tuple[Row, dict[str, str]]] = {}
        for segments in self._order:
            params = _matched(segments, parts)
            if params is not None:
                found = {method: (row, params) for method, row in self._paths[segments].items()} | found
        if not found:
            raise RouteUnknown("No endpoint has this path: /v1/openapi.json lists them.")
        return found


def _decoded(part: bytes) -> str:
    try:
        return unquote_to_bytes(part).decode()
    except UnicodeDecodeError:
        raise RouteUnknown("No endpoint has this path: it is not UTF-8.") from None


def _matched(segments: tuple[str, ...], parts: list[str]) -> dict[str, str] | None:
    if len(segments) != len(parts):
        return None
    params = {}
    for segment, part in zip(segments, parts, strict=True):
        if not segment.startswith("{"):
            if segment != part:
                return None
        elif not part or "\0" in part or ("/" in part and segment != "{repo}"):
            return None
        else:
            params[segment[1:-1]] = part
    return params


@dataclass(frozen=True, slots=True)
class Behind:
    """What the door opens to: what actions need, who lets callers in, who learns of refusals, seconds for a body."""

    realm: Callable[[], Realm]
    gate: Callable[[], RestGate]
    refused: Callable[[By, str, str, int | None], None]
    body_timeout: float


class RestDoor:
    """The ASGI application of /v1."""

    def __init__(self, rows: Iterable[Row], behind: Behind) -> None:
        self._table = Table(rows)
        self._behind = behind

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Find the row, ask the gate, read, act, answer."""
        raw_path = (scope.get("raw_path") or quote(scope["path"]).encode()).partition(b"?")[0]
        found = self._table.find(raw_path)
        allowed = ", ".join([*found, *(["HEAD"] if "GET" in found else []), "OPTIONS"])
        if scope["method"] == "OPTIONS":
            await Answer(204, [*BASE, (b"allow", allowed.encode())]).send(scope, send, _ignore)
            return
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        if method not in found:
            raise Unsupported(f"{method[:20]} is not a method of this endpoint.", headers={"Allow": allowed})
        row, params = found[method]
        scope["route_name"] = row.path
        entry = Entry(row.path, row.needs, params, row.is_open, is_upload=bool(row.takes))
        admitted = await self._behind.gate().admit_rest(scope, entry)
        headers = Headers(scope=scope)
        query = read_query(scope["query_string"], row.query) if row.query is not None else None
        body = await self._body(row, headers, receive)
        pieces = self._pieces(row, headers, receive)
        reply = await self._act(row, Call(self._behind.realm(), admitted, params, query, body, headers, pieces))
        if reply.content is not None:
            await reply.content.send(scope, send, _sent)
            return
        await _answer(row, reply, scope, headers, query).send(scope, send, _ignore)

    async def _body(self, row: Row, headers: Headers, receive: Receive) -> Any:
        if row.body is None:
            return None
        _refuse_coding(headers)
        length = headers.get("content-length", "")
        raw = await read_all(receive, row.limit, self._behind.body_timeout, int(length) if length.isdecimal() else None)
        if raw and not _is_json(headers.getlist("content-type")):
            raise MediaTypeUnsupported("The body is JSON: send it with Content-Type: application/json.")
        return read_body(raw, row.body)

    def _pieces(self, row: Row, headers: Headers, receive: Receive) -> AsyncIterator[bytes] | None:
        if not row.takes:
            return None
        _refuse_coding(headers)
        if headers.get("content-type", "").partition(";")[0].strip().lower() not in row.takes:
            raise MediaTypeUnsupported(f"The body is none of {', '.join(row.takes)}: say so in Content-Type.")
        return chunks(receive, self._behind.body_timeout)

    async def _act(self, row: Row, call: Call) -> Reply:
        try:
            return await row.handler(call)
        except Denied:
            target = row.path.format_map(call.params)
            self._behind.refused(call.by, f"{row.method} {row.path}", target, call.admitted.namespace)
            raise
        except Unauthorized as error:
            error.headers.setdefault("WWW-Authenticate", _CHALLENGE)
            raise


def _refuse_coding(headers: Headers) -> None:
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise MediaTypeUnsupported("The body is compressed: send it as it is, without Content-Encoding.")


def _is_json(types: list[str]) -> bool:
    """Whether it says so, in UTF-8 (RFC 8259, section 8.1)."""
    kind, _, parameter = types[0].partition(";") if len(types) == 1 else ("", "", "")
    return kind.strip().lower() == "application/json" and parameter.replace('"', "").strip().lower() in {
        "",
        "charset=utf-8",
    }


def _answer(row: Row, reply: Reply, scope: Scope, headers: Headers, query: Any) -> Answer:
    status = reply.status or row.status
    fields = [*BASE, *(_FRESH if reply.version is None else _CHECKED)]
    fields += [(name.lower().encode(), value.encode("latin-1")) for name, value in reply.headers.items()]
    if reply.version is not None:
        fields.append((b"etag", f'"{reply.version}"'.encode()))
        if row.method == "GET" and _names(headers.getlist("if-none-match"), reply.version, is_weak=True):
            return Answer(304, fields)
    if reply.next is not None:
        fields.append((b"link", _link(scope, query, reply.next)))
    if reply.body is None and status in _BODILESS:
        return Answer(status, fields)
    content = b"" if reply.body is None else msgspec.json.encode(reply.body)
    if content:
        fields.append((b"content-type", b"application/json"))
    return Answer(status, [*fields, (b"content-length", b"%d" % len(content))], content)


def _link(scope: Scope, query: Any, after: str) -> bytes:
    """The page that follows, with every parameter of this one (RFC 8288)."""
    if not isinstance(query, Page):
        raise TypeError("A reply with a next page belongs to a row whose query is a Page.")
    given = msgspec.to_builtins(query) | {"after": after}
    pairs = {name: value for name, value in given.items() if value is not None}
    raw_path = (scope.get("raw_path") or quote(scope["path"]).encode()).partition(b"?")[0]
    return b'<%b?%b>; rel="next"' % (raw_path, urlencode(pairs, doseq=True).encode())


def _names(fields: list[str], version: str, *, is_weak: bool) -> bool:
    """Whether an If-Match or If-None-Match names this version (RFC 9110, section 13.1)."""
    tags = [tag.strip() for line in fields for tag in line.split(",")]
    return "*" in tags or f'"{version}"' in tags or (is_weak and f'W/"{version}"' in tags)


def _sent(size: int) -> None:
    metrics.BLOB_BYTES.labels("out").inc(size)


def _ignore(_: int) -> None:
    """Bytes of files are counted; there are none."""
