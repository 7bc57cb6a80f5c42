"""Requests to `/v2` of one registry: tokens, pauses and repetitions, refusals, warnings. Safe for threads."""

import json
import re
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import httpx

from registry import __version__
from registry.cli.addresses import Address
from registry.cli.api import Credential, problem_of, unreachable
from registry.cli.bodies import bounded
from registry.cli.output import Output
from registry.cli.problems import NotSignedIn, Problem, Unreachable
from registry.cli.tokens import Tokens

ERROR_LIMIT: Final = 1 << 20
LIST_LIMIT: Final = 8 << 20
_TIMEOUT: Final = httpx.Timeout(120, connect=10, pool=None)
_LIMITS: Final = httpx.Limits(max_connections=32, max_keepalive_connections=16)
_REDIRECTS: Final = 3
_AGAIN: Final = frozenset({408, 425, 429, 502, 503, 504})
_PAUSES: Final = (0.5, 1.0, 2.0, 4.0, 8.0)
_LONGEST_PAUSE: Final = 120.0
_WARNING: Final = re.compile(r'299 \S+ "((?:[^"\\]|\\.){0,2000})"')
T = TypeVar("T")


class Busy(Unreachable):
    """It may go better in a while.

    Attributes:
        after: seconds that the registry asks to wait, None when it does not say.
    """

    after: float | None = None


class Halted(Exception):
    """The command has ended while a thread was still at work."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A request.

    Attributes:
        method: of HTTP.
        path: below the registry's address, or a whole URL there.
        repository: that it is about; empty: none.
        actions: that a token must allow: `pull`, `pull,push` or `pull,push,delete`.
        source: another repository, which a token must allow to pull from.
        headers: fields beside those that all requests have.
        params: members of the query beside those of `path`.
        body: its content; a function makes it anew for each time that it is sent.
        allow: statuses that are no refusal, beside those of success.
    """

    method: str
    path: str
    repository: str = ""
    actions: str = "pull"
    headers: Mapping[str, str] = field(default_factory=dict)
    params: tuple[tuple[str, str], ...] = ()
    body: bytes | Callable[[], Iterator[bytes]] | None = None
    allow: frozenset[int] = frozenset()
    source: str = ""

    @property
    def scopes(self) -> tuple[str, ...]:
        """What a token must be for (Distribution, "Token Scope Documentation")."""
        named = ((self.repository, self.actions), (self.source, "pull"))
        return tuple(f"repository:{name}:{actions}" for name, actions in named if name)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with all of its body."""

    status: int
    headers: httpx.Headers
    content: bytes


class Wire:
    """A pool of connections to one registry, for one caller.

    Attributes:
        halted: set when the command ends early; what is under way in other threads then raises Halted.
    """

    def __init__(self, address: Address, out: Output, credential: Credential | None = None) -> None:
        self.address = address
        self.halted = threading.Event()
        self._out = out
        self._signed_in = credential is not None
        self._told: set[str] = set()
        self._http = httpx.Client(
            base_url=address.url,
            timeout=_TIMEOUT,
            limits=_LIMITS,
            trust_env=not address.is_loopback,
            headers={"User-Agent": f"gati/{__version__}", "Accept-Encoding": "identity"},
        )
        self._tokens = Tokens(self._http, address, credential)

    def prepare(self, repositories: Sequence[str], actions: str = "pull") -> None:
        """Have what it takes to ask for these repositories, in few requests.

        Raises:
            Problem: the credential is not good any more, or the registry does not answer.
        """
        try:
            self._tokens.prepare(repositories, actions)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def call(self, ask: Ask, limit: int = ERROR_LIMIT) -> Reply:
        """The answer to a request, which is sent again while the registry is busy or cannot be reached.

        Raises:
            Problem: the registry refuses, in its words; it does not answer; the body has more than `limit` bytes.
            Halted: the command has ended.
        """
        return self.patiently(lambda: self.call_once(ask, limit))

    def call_once(self, ask: Ask, limit: int = ERROR_LIMIT) -> Reply:
        """As `call`, sent only once.

        Raises:
            Busy: it may go better in a while.
        """
        with self.stream(ask) as response:
            return Reply(response.status_code, response.headers, bounded(response, limit))

    def patiently(self, attempt: Callable[[], T]) -> T:
        """What `attempt` returns, which is tried again when it raises Busy, after a growing pause."""
        for pause in _PAUSES:
            try:
                return attempt()
            except Busy as busy:
                self.pause(busy, pause)
        return attempt()

    def pause(self, busy: Busy, seconds: float) -> None:
        """Wait as long as the registry asks, else about `seconds`.

        Raises:
            Busy: it asks for longer than a person would wait.
            Halted: the command has ended.
        """
        if busy.after is not None and busy.after > _LONGEST_PAUSE:
            raise busy
        if busy.after:
            self._out.say(f"The registry asks for a pause of {busy.after:g} s.")
        spread = 0.5 + secrets.randbelow(500) / 1000
        if self.halted.wait(busy.after if busy.after is not None else seconds * spread):
            raise Halted

    @contextmanager
    def stream(self, ask: Ask) -> Iterator[httpx.Response]:
        """The answer to a request, sent once, its body not read yet.

        Raises:
            Problem: as `call`.
        """
        if self.halted.is_set():
            raise Halted
        try:
            response = self._authorized(ask)
            try:
                self._warn(response)
                if not (response.is_success or response.status_code in ask.allow):
                    raise self._refusal(response)
                yield response
            finally:
                response.close()
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error

    def _authorized(self, ask: Ask) -> httpx.Response:
        token = self._tokens.get(ask.scopes)
        response = self._sent(ask, token)
        if response.status_code == httpx.codes.UNAUTHORIZED:
            another = self._tokens.renewed(ask.scopes, token, response)
            if another is not None:
                response.close()
                return self._sent(ask, another)
        return response

    def _sent(self, ask: Ask, token: str | None) -> httpx.Response:
        headers = dict(ask.headers) | ({} if token is None else {"Authorization": f"Bearer {token}"})
        request = self._http.build_request(
            ask.method, self._url(ask), headers=headers, content=ask.body() if callable(ask.body) else ask.body
        )
        for _ in range(_REDIRECTS + 1):
            response = self._http.send(request, stream=True)
            if not response.has_redirect_location:
                return response
            response.close()
            request = self._redirected(request, response)
        raise Unreachable(f"{self.address.url} redirects in a circle.", code="REDIRECTED")

    def _url(self, ask: Ask) -> httpx.URL:
        base = httpx.URL(self.address.url)
        url = base.join(ask.path)
        if (url.scheme, url.netloc) != (base.scheme, base.netloc):
            raise Unreachable(
                f"{self.address.url} sends its callers to {url.scheme}://{url.netloc.decode()} for an upload.",
                "Ask its operator to set PUBLIC_URL to the address that you use.",
                code="REDIRECTED",
            )
        for name, value in ask.params:
            url = url.copy_add_param(name, value)
        return url

    def _redirected(self, request: httpx.Request, response: httpx.Response) -> httpx.Request:
        """The next request of a download: blobs may lie elsewhere, where the caller's token is nobody's business."""
        place = request.url.join(response.headers["Location"])
        if request.method not in {"GET", "HEAD"} or (request.url.scheme == "https" and place.scheme != "https"):
            raise Unreachable(
                f"{self.address.url} redirects a {request.method} to {place.scheme}://{place.netloc.decode()}.",
                "See whether the address of the registry is right (--registry, GATI_REGISTRY).",
                code="REDIRECTED",
            )
        kept = {name: value for name, value in request.headers.items() if name in {"range", "accept", "user-agent"}}
        if (place.scheme, place.netloc) == (
            request.url.scheme,
            request.url.netloc,
        ) and "authorization" in request.headers:
            kept["authorization"] = request.headers["authorization"]
        return self._http.build_request(request.method, place, headers=kept | {"accept-encoding": "identity"})

    def _warn(self, response: httpx.Response) -> None:
        for text in warnings_of(response.headers):
            if text not in self._told:
                self._told.add(text)
                self._out.warn(text)

    def _refusal(self, response: httpx.Response) -> Problem:
        content = bounded(response, ERROR_LIMIT)
        problem = problem_of(response, _as_rest(content), signed_in=self._signed_in)
        if isinstance(problem, NotSignedIn) and not self._signed_in:
            return NotSignedIn(problem.message, f"Run gati login {self.address.url}.", code=problem.code)
        if response.status_code not in _AGAIN:
            return problem
        busy = Busy(problem.message, *problem.suggestions, code=problem.code)
        busy.after = _seconds(response.headers.get("Retry-After"))
        return busy

    def _unreachable(self, error: httpx.HTTPError) -> Problem:
        problem = unreachable(self.address, error)
        if problem.code == "CERTIFICATE":
            return problem
        return Busy(problem.message, *problem.suggestions, code=problem.code)


def warnings_of(headers: httpx.Headers) -> tuple[str, ...]:
    """The texts of Warning fields of the code 299 (RFC 7234, section 5.5)."""
    found = (_WARNING.findall(value) for value in headers.get_list("warning"))
    return tuple(re.sub(r"\\(.)", r"\1", text) for texts in found for text in texts)


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and re.fullmatch(r"[0-9]{1,6}", text) else None


def _as_rest(content: bytes) -> bytes:
    """The body of a refusal of `/v2` (OCI Distribution, "Error Codes") in the form of `/v1`."""
    try:
        errors = json.loads(content)["errors"]
        first: dict[str, Any] = errors[0]
        detail = first.get("detail")
        detail = detail if isinstance(detail, dict) else {}
    except (ValueError, RecursionError, KeyError, IndexError, TypeError, AttributeError):
        return content
    told = detail.get("suggestions") or [detail["suggestion"]] if "suggestion" in detail else []
    where = f" It stands at {detail['pointer']}." if detail.get("pointer") else ""
    message = f"{first.get('message') or first.get('code')}{where}"
    return json.dumps(
        {"code": detail.get("reason") or first.get("code"), "message": message, "suggestions": told}
    ).encode()
