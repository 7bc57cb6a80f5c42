"""HTTP requests of an agent: decided, resolved once, pinned to an address, limited in size and time."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

import httpx

from registry import __version__
from registry.artifacts import evaluator
from registry.artifacts.evaluator import Decision
from registry.cli.agents import addresses
from registry.cli.agents.host_calls import Refusal, RefusedCall, Reply, Request
from registry.cli.agents.ledger import Ledger

ANSWER_LIMIT: Final = 8 << 20
"""Bytes of the body of an answer."""

CALLS: Final = 1000
"""Requests of one run."""

_SECONDS: Final = 30.0
_PORTS: Final = {"http": 80, "https": 443}

Decide = Callable[[str], Decision]
"""Whether a host and port may be reached, and by which rule."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a run allows on the network.

    Attributes:
        decide: whether a host and port may be reached.
        ends: when the agent's time is over, on the monotonic clock.
        allow_private: addresses that are not of the public Internet may be reached.
    """

    decide: Decide
    ends: float
    allow_private: bool = False


class Network:
    """What sends the requests of one agent."""

    def __init__(self, terms: Terms, ledger: Ledger) -> None:
        self._terms = terms
        self._ledger = ledger
        self._left = CALLS

    def send(self, request: Request) -> Reply:
        """Send a request; a redirect is an answer as any other, and where it leads is decided when it is asked for.

        Raises:
            RefusedCall: it was denied, is malformed, or there is no answer within the limits.
        """
        parts = _split(request.url)
        port = parts.port or _PORTS[parts.scheme]
        host = self._allowed(parts.hostname or "", port)
        seconds = min(_SECONDS, self._terms.ends - time.monotonic())
        if seconds <= 0:
            raise RefusedCall(Refusal.TOO_LATE, "The time of the agent is over.")
        address = self._address(host, port, seconds)
        return _sent(request, (parts, host), address, time.monotonic() + seconds)

    def _allowed(self, host: str, port: int) -> str:
        """The host as it must be connected to; counted."""
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        decision = self._terms.decide(target)
        name = evaluator.host_of(target)
        rule = decision.reason
        is_allowed = decision.allowed and name is not None
        if is_allowed and self._left <= 0:
            is_allowed, rule = False, f"An agent sends at most {CALLS} requests in a run."
        if not is_allowed or name is None:
            self._ledger.deny(f"network egress to {target}", rule)
            raise RefusedCall(Refusal.DENIED, rule)
        self._left -= 1
        return name

    def _address(self, host: str, port: int, seconds: float) -> str:
        try:
            found = addresses.resolve(host, port, seconds)
        except addresses.Unresolved as error:
            raise RefusedCall(Refusal.UNREACHABLE, str(error)) from None
        try:
            return addresses.pinned(host, found, allow_private=self._terms.allow_private)
        except addresses.Unresolved as error:
            self._ledger.deny(f"network egress to {host}", str(error))
            raise RefusedCall(Refusal.DENIED, str(error)) from None


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        fits = parts.scheme in _PORTS and parts.hostname and parts.port != 0 and "@" not in parts.netloc
        if fits and parts.netloc.isascii() and "%" not in parts.netloc and "\\" not in url and " " not in url:
            return parts
    except ValueError:
        pass
    raise RefusedCall(Refusal.MALFORMED, f"{url[:200]!r} is no http or https URL without a user.")


def _sent(request: Request, where: tuple[SplitResult, str], address: str, ends: float) -> Reply:
    parts, host = where
    place = f"[{address}]" if ":" in address else address
    url = parts._replace(netloc=place + (f":{parts.port}" if parts.port else ""), fragment="").geturl()
    given = {"User-Agent": f"gati-agent/{__version__}", "Accept-Encoding": "identity"} | request.headers
    headers = given | {"Host": (f"[{host}]" if ":" in host else host) + (f":{parts.port}" if parts.port else "")}
    timeout = httpx.Timeout(max(0.1, ends - time.monotonic()))
    try:
        # The certificate is checked for the name, the connection goes to the address that was judged.
        with (
            httpx.Client(trust_env=False, follow_redirects=False, timeout=timeout) as client,
            client.stream(
                request.method, url, headers=headers, content=request.body, extensions={"sni_hostname": host}
            ) as answer,
        ):
            body = _body(answer, ends)
            return Reply(answer.status_code, tuple(answer.headers.multi_items()), body)
    except httpx.TimeoutException:
        raise RefusedCall(Refusal.TOO_LATE, f"{parts.hostname} did not answer in time.") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise RefusedCall(Refusal.UNREACHABLE, f"{parts.hostname} does not answer: {error}") from None


def _body(answer: httpx.Response, ends: float) -> bytes:
    content = bytearray()
    for piece in answer.iter_raw():
        content += piece
        if len(content) > ANSWER_LIMIT:
            raise RefusedCall(Refusal.TOO_LARGE, f"The answer has more than {ANSWER_LIMIT >> 20} MiB.")
        if time.monotonic() > ends:
            raise RefusedCall(Refusal.TOO_LATE, "The answer did not end in time.")
    return bytes(content)
