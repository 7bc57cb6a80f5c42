"""Credentials for registries that want some: Basic, or a Bearer token fetched at the realm of the challenge."""

import base64
import re
from collections.abc import Generator

import httpx

_PARAMETER = re.compile(r'(\w+)="([^"]*)"')


class ChallengeAuth(httpx.Auth):
    """Answers a 401 once: with Basic, or with a token of the scope that the challenge names, kept for later."""

    requires_response_body = True

    def __init__(self, username: str, password: str) -> None:
        pair = base64.b64encode(f"{username}:{password}".encode()).decode()
        self._basic = f"Basic {pair}"
        self._kept: dict[str, str] = {}

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send as it is, and once more with what the challenge asks for."""
        kind = f"{request.method} {request.url.host} {_repository(request.url.path)}"
        if kind in self._kept:
            request.headers["Authorization"] = self._kept[kind]
        response = yield request
        if response.status_code != httpx.codes.UNAUTHORIZED:
            return
        challenge = response.headers.get("WWW-Authenticate", "")
        if challenge.lower().startswith("bearer"):
            token = yield self._token_request(challenge, response.url)
            answer = token.json()
            self._kept[kind] = f"Bearer {answer.get('access_token') or answer['token']}"
        else:
            self._kept[kind] = self._basic
        request.headers["Authorization"] = self._kept[kind]
        yield request

    def _token_request(self, challenge: str, url: httpx.URL) -> httpx.Request:
        fields = dict(_PARAMETER.findall(challenge))
        realm = url.join(fields.pop("realm"))
        asked = {name: fields[name] for name in ("service", "scope") if name in fields}
        return httpx.Request("GET", realm, params=asked, headers={"Authorization": self._basic})


def _repository(path: str) -> str:
    return re.split(r"/(?:blobs|manifests|tags|referrers)/", path)[0]
