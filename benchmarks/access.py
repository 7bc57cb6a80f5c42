"""How a contender lets the client in: nobody asks, Basic, or a token for each repository."""

import base64
import re
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx

_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
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

    def authorization(self, repository: str, actions: str = "pull,push,delete") -> str:
        """What a request to this repository says; empty where nobody asks."""
        if not self.credential:
            return ""
        if self.takes_basic:
            return basic(self.credential)
        return f"Bearer {self.token(f'repository:{repository}:{actions}')}"

    def token(self, scope: str) -> str:
        """A token of this scope, kept while it holds."""
        found, until = self._tokens.get(scope, ("", 0.0))
        if time.monotonic() < until:
            return found
        realm = realm_of(self.http)
        assert realm is not None, "there is a credential, and neither Basic nor tokens"  # noqa: S101 - a broken peer
        answer = self.http.get(realm.target(scope), headers={"Authorization": basic(self.credential)})
        answer.raise_for_status()
        body: dict[str, Any] = answer.json()
        token = str(body.get("token") or body["access_token"])
        self._tokens[scope] = token, time.monotonic() + float(body.get("expires_in", _SHORTEST)) / 2
        return token
