"""How a contender lets the client in: nobody asks, Basic, or a token for each repository."""

import base64
import re
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx

_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
_ACTIONS = "pull,push,delete"
_SHORTEST = 60.0
"""Seconds that a token lives which does not say how long (Docker token authentication)."""


@dataclass(frozen=True, slots=True)
class Realm:
    """Where tokens are handed out, from the challenge of `/v2/`."""

    path: str
    service: str

    def target(self, scope: str) -> str:
        """The path and query that ask for a token of this scope."""
        query = {"service": self.service} if self.service else {}
        return f"{self.path}?{urlencode(query | {'scope': scope})}"


def basic(credential: str) -> str:
    """The Authorization of `user:password`."""
    return f"Basic {base64.b64encode(credential.encode()).decode()}" if credential else ""


def realm_of(http: httpx.Client) -> Realm | None:
    """Where this registry's tokens come from; None when it has none."""
    challenge = http.get("/v2/", headers={"Authorization": ""}).headers.get("www-authenticate", "")
    if not challenge.lower().startswith("bearer "):
        return None
    values = dict(_PARAMETER.findall(challenge))
    return Realm(urlsplit(values["realm"]).path, values.get("service", ""))


@dataclass(slots=True)
class Access:
    """The credential of one contender, and what it is good for."""

    http: httpx.Client
    credential: str
    _tokens: dict[str, tuple[str, float]] = field(default_factory=dict)

    @property
    def takes_basic(self) -> bool:
        """Whether `/v2/` takes the password itself."""
        return self.http.get("/v2/", headers={"Authorization": basic(self.credential)}).status_code == 200

    def authorization(self, repository: str, *, with_token: bool = False) -> str:
        """What a request to this repository says: Basic where that is taken, or a token where one is to be had."""
        if not self.credential:
            return ""
        if self.takes_basic and not (with_token and realm_of(self.http)):
            return basic(self.credential)
        return f"Bearer {self.token(f'repository:{repository}:{_ACTIONS}')}"

    def token(self, scope: str) -> str:
        """A token of this scope, kept while it holds."""
        found, until = self._tokens.get(scope, ("", 0.0))
        if time.monotonic() < until:
            return found
        realm = realm_of(self.http)
        assert realm is not None, "there is a credential, and neither Basic nor tokens"  # noqa: S101 - a broken peer
        token, seconds = self.new_token(realm, scope)
        self._tokens[scope] = token, time.monotonic() + seconds / 2
        return token

    def new_token(self, realm: Realm, scope: str) -> tuple[str, float]:
        """Another token of this scope, and for how many seconds it is good."""
        answer = self.http.get(realm.target(scope), headers={"Authorization": basic(self.credential)})
        answer.raise_for_status()
        body: dict[str, Any] = answer.json()
        return str(body.get("token") or body["access_token"]), float(body.get("expires_in", _SHORTEST))
