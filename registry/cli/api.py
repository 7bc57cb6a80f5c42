"""The REST API of a registry, `/v1`, as its client sees it."""

import json
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, Self
from urllib.parse import quote

import httpx

from registry import __version__
from registry.cli.addresses import Address
from registry.cli.output import Output
from registry.cli.problems import Clash, Missing, NotSignedIn, Problem, Refused, Unreachable

_TIMEOUT: Final = httpx.Timeout(30, connect=10)
_LARGEST: Final = 8 << 20
_LONGEST_WAIT: Final = 60
_REDIRECTS: Final = 3
_KEEPS_METHOD: Final = (307, 308)
_PAGES: Final = 10_000
_PAGE: Final = 100


class Credential(Protocol):
    """What a caller is known by."""

    @property
    def value(self) -> str:
        """The token that is good now."""

    def renewed(self) -> bool:
        """Whether there is another token after the registry refused this one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the registry answered: its status, the JSON object of the body, and the fields of the header."""

    status: int
    body: dict[str, Any]
    headers: Mapping[str, str]


def route(*parts: str) -> str:
    """A path under `/v1` of these segments.

    Raises:
        Problem: one is empty or a dot segment, which would be another path (RFC 3986, section 5.2.4).
    """
    for part in parts:
        if part in {"", ".", ".."}:
            raise Problem(f"{part!r} is not a name.")
    return "/v1/" + "/".join(quote(part, safe="~+@") for part in parts)


class Api:
    """Requests to one registry, by one caller."""

    def __init__(
        self,
        address: Address,
        out: Output,
        credential: Credential | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.address = address
        self._out = out
        self._credential = credential
        self._sleep = sleep
        # A proxy of the environment has no business between a user and the own machine.
        self._http = httpx.Client(
            base_url=address.url,
            timeout=_TIMEOUT,
            trust_env=not address.is_loopback,
            headers={"User-Agent": f"gati/{__version__}", "Accept": "application/json"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, **params: str | int | None) -> Answer:
        """What there is at a path."""
        return self.call("GET", path, params=params)

    def items(self, path: str, limit: int | None = None, **params: str | int | None) -> list[dict[str, Any]]:
        """The entries of a list, over all its pages, or the first `limit` of them."""
        found: list[dict[str, Any]] = []
        for page in self._pages(path, dict(params) | {"limit": min(limit or _PAGE, _PAGE)}):
            found += [item for item in page if isinstance(item, dict)]
            if limit is not None and len(found) >= limit:
                return found[:limit]
        return found

    def _pages(self, path: str, params: Mapping[str, str | int | None]) -> Iterator[list[Any]]:
        after = None
        for _ in range(_PAGES):
            body = self.call("GET", path, params=dict(params) | {"after": after}).body
            yield body.get("items") or []
            if body.get("next") in {None, after}:
                return
            after = str(body["next"])

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        params: Mapping[str, str | int | None] | None = None,
        match: str | None = None,
    ) -> Answer:
        """Send a request; members of `body` and `params` that are None are left out.

        Args:
            method: of HTTP.
            path: from `route`.
            body: a JSON object.
            params: the query.
            match: the ETag of what is to be changed (RFC 9110, section 13.1.1).

        Raises:
            Problem: the registry refused, in its own words, or did not answer.
        """
        request = self._http.build_request(
            method,
            path,
            json=None if body is None else _given(body),
            params=_given(params or {}),
            headers={} if match is None else {"If-Match": match},
        )
        response, content = self._sent(request)
        if response.status_code == httpx.codes.UNAUTHORIZED and self._credential and self._credential.renewed():
            response, content = self._sent(request)
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS and self._waited(response):
            response, content = self._sent(request)
        if not response.is_success:
            raise problem_of(response, content, signed_in=self._credential is not None)
        return Answer(response.status_code, _object(content, response), response.headers)

    def _waited(self, response: httpx.Response) -> bool:
        text = response.headers.get("Retry-After", "")
        if re.fullmatch(r"[0-9]{1,4}", text) is None or int(text) > _LONGEST_WAIT:
            return False
        self._out.say(f"The registry asks for a pause of {int(text)} s.")
        self._sleep(int(text))
        return True

    def _sent(self, request: httpx.Request) -> tuple[httpx.Response, bytes]:
        if self._credential is not None:
            request.headers["Authorization"] = f"Bearer {self._credential.value}"
        for _ in range(_REDIRECTS + 1):
            response, content = self._once(request)
            if not response.has_redirect_location:
                return response, content
            request = self._redirected(request, response)
        raise Unreachable(f"{self.address.url} redirects in a circle.")

    def _once(self, request: httpx.Request) -> tuple[httpx.Response, bytes]:
        try:
            response = self._http.send(request, stream=True)
            try:
                return response, _body(response)
            finally:
                response.close()
        except httpx.HTTPError as error:
            raise unreachable(self.address, error) from error

    def _redirected(self, request: httpx.Request, response: httpx.Response) -> httpx.Request:
        place = request.url.join(response.headers["Location"])
        if (place.scheme, place.netloc) != (request.url.scheme, request.url.netloc):
            raise Unreachable(
                f"{self.address.url} sends its callers to {place.scheme}://{place.netloc.decode()}, "
                "where nobody is logged in by this.",
                f"If you trust it, use --registry {place.scheme}://{place.netloc.decode()}.",
                code="REDIRECTED",
            )
        if request.method != "GET" and response.status_code not in _KEEPS_METHOD:
            raise Unreachable(f"{self.address.url} answers a {request.method} with a redirect: it is no registry.")
        return self._http.build_request(request.method, place, headers=request.headers, content=request.content)


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _body(response: httpx.Response) -> bytes:
    content = bytearray()
    for piece in response.iter_bytes():
        content += piece
        if len(content) > _LARGEST:
            raise Unreachable(f"{response.url.host} answers with more than {_LARGEST >> 20} MiB: that is no registry.")
    return bytes(content)


def _object(content: bytes, response: httpx.Response) -> dict[str, Any]:
    try:
        body = json.loads(content) if content else {}
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Unreachable(f"{response.url.host} answers with something else than JSON: it is no registry of this kind.")
    return body


def unreachable(address: Address, error: httpx.HTTPError) -> Problem:
    """What it means for a user that there was no answer."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLCertVerificationError):
        cause = cause.__cause__ or cause.__context__
    if cause is not None:
        return Unreachable(
            f"The certificate of {address.url} is not trusted: {cause.verify_message}.",
            "Name the file of your certificate authority in SSL_CERT_FILE.",
            code="CERTIFICATE",
        )
    words = str(error).rstrip(".") or type(error).__name__
    return Unreachable(
        f"{address.url} does not answer: {words}.",
        "See whether the registry runs and whether the address is right (--registry, GATI_REGISTRY).",
    )


def problem_of(response: httpx.Response, content: bytes, *, signed_in: bool) -> Problem:
    """What a refusal means for a user: the registry's words, and the exit status that belongs to them."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        body = {}
    body = body if isinstance(body, dict) else {}
    status = response.status_code
    message = str(body.get("message") or f"The registry answered {status} {response.reason_phrase}.")
    suggestions = body.get("suggestions")
    told = [str(one) for one in suggestions] if isinstance(suggestions, list) else []
    if status == httpx.codes.UNAUTHORIZED:
        told = [f"Run gati login {response.url.scheme}://{response.url.netloc.decode()} again."] if signed_in else []
    if status == httpx.codes.INTERNAL_SERVER_ERROR and body.get("requestId"):
        told = [f"Its operator finds the cause in the log under {body['requestId']}."]
    code = body.get("code")
    return _kind(status)(message, *told, code=code if isinstance(code, str) else None)


def _kind(status: int) -> type[Problem]:
    match status:
        case 401:
            return NotSignedIn
        case 402 | 403 | 451 | 507:
            return Refused
        case 404 | 410:
            return Missing
        case 409 | 412:
            return Clash
        case 408 | 425 | 429:
            return Unreachable
        case _:
            return Problem if status < httpx.codes.INTERNAL_SERVER_ERROR else Unreachable
