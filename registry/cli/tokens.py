"""Tokens of a registry by what they allow (Distribution, "Token Authentication Specification"). Safe for threads."""

import json
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx

from registry.cli.addresses import Address
from registry.cli.api import Credential, problem_of
from registry.cli.bodies import bounded

_CHALLENGE: Final = re.compile(r'(?:^|,)\s*Bearer\s+((?:[a-z]+="[^"]*"(?:\s*,\s*)?)+)', re.IGNORECASE)
_FIELD: Final = re.compile(r'([a-z]+)="([^"]*)"', re.IGNORECASE)
_SHORTEST: Final = 60
_SHARE: Final = 0.75
_LIMIT: Final = 1 << 20
_TOGETHER: Final = 32
"""Repositories that one token is asked for."""


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    until: float


class Tokens:
    """The tokens of one caller, each kept for three quarters of its life.

    They are asked for at the registry's own address, whatever host its challenge names: the credential goes nowhere
    else.
    """

    def __init__(self, http: httpx.Client, address: Address, credential: Credential | None) -> None:
        self._http = http
        self._address = address
        self._credential = credential
        self._service: str | None = None
        self._is_known = credential is None
        self._lock = threading.Lock()
        self._tokens: dict[tuple[str, ...], _Token] = {}

    def get(self, scopes: tuple[str, ...]) -> str | None:
        """A token for these scopes, as far as the caller may; None where none is needed.

        Raises:
            Problem: the credential is not good any more.
            httpx.HTTPError: the registry does not answer.
        """
        with self._lock:
            if not self._is_known:
                self._learn()
            if self._service is None:
                return None
            found = self._tokens.get(scopes)
            if found is None or time.monotonic() >= found.until:
                found = self._tokens[scopes] = self._asked(scopes)
            return found.text

    def prepare(self, repositories: Sequence[str], actions: str) -> None:
        """Have one token for many repositories, as far as a registry gives it; `get` asks for the others.

        Raises:
            Problem: the credential is not good any more.
            httpx.HTTPError: the registry does not answer.
        """
        with self._lock:
            if not self._is_known:
                self._learn()
            asked = [(f"repository:{name}:{actions}",) for name in repositories]
            new = [scopes for scopes in asked if scopes not in self._tokens]
            for start in range(0, len(new) if self._service is not None else 0, _TOGETHER):
                together = new[start : start + _TOGETHER]
                token = self._asked(tuple(scope for (scope,) in together))
                self._tokens |= dict.fromkeys(together, token)

    def renewed(self, scopes: tuple[str, ...], refused: str | None, response: httpx.Response) -> str | None:
        """Another token after one, or none, was refused; None where there is none to be had."""
        with self._lock:
            if self._service is None:
                self._service = _service(response)
                self._is_known = True
            if self._service is None or (refused is None and self._credential is None and not scopes):
                return None
            kept = self._tokens.get(scopes)
            if kept is None or kept.text == refused:
                self._tokens[scopes] = self._asked(scopes)
            return self._tokens[scopes].text

    def _learn(self) -> None:
        with self._http.stream("GET", "/v2/") as response:
            self._service = _service(response) if response.status_code == httpx.codes.UNAUTHORIZED else None
        self._is_known = True

    def _asked(self, scopes: tuple[str, ...]) -> _Token:
        response, content = self._fetched(scopes)
        if response.status_code == httpx.codes.UNAUTHORIZED and self._credential and self._credential.renewed():
            response, content = self._fetched(scopes)
        body = _object(content) if response.is_success else {}
        text = body.get("token") or body.get("access_token")
        if not isinstance(text, str):
            raise problem_of(response, content, signed_in=self._credential is not None)
        seconds = body.get("expires_in")
        life = float(seconds) if isinstance(seconds, int | float) else _SHORTEST
        return _Token(text, time.monotonic() + life * _SHARE)

    def _fetched(self, scopes: tuple[str, ...]) -> tuple[httpx.Response, bytes]:
        params: dict[str, str | list[str]] = {"service": self._service or "", "scope": list(scopes)}
        headers = {} if self._credential is None else {"Authorization": f"Bearer {self._credential.value}"}
        with self._http.stream("GET", "/token", params=params, headers=headers) as response:
            return response, bounded(response, _LIMIT)


def _service(response: httpx.Response) -> str | None:
    """The service that a challenge names, None when it is none of tokens."""
    match = _CHALLENGE.search(response.headers.get("WWW-Authenticate", ""))
    return None if match is None else dict(_FIELD.findall(match[1])).get("service", "")


def _object(content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}
