"""A stand-in for the `/v1` routes of a registry: accounts, sessions that rotate, keys; the rest is noted and answered.

It is for what cannot be had from a registry at will: renewals at one moment, refusals, redirects, broken answers.
"""

import itertools
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

SOON = "2020-01-01T00:00:00Z"
LATER = "2100-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Told:
    """An answer as it goes."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


def refusal(status: int, code: str, message: str, *suggestions: str) -> Told:
    return Told(status, {"code": code, "message": message, "suggestions": list(suggestions), "requestId": "req_1"})


@dataclass
class StandIn:
    """The state of the registry, and what was asked of it.

    `answers` are given first, in order, to requests of their method and path.
    """

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    answers: list[tuple[str, str, Told]] = field(default_factory=list)
    passwords: dict[str, str] = field(default_factory=lambda: {"alice": "correct horse"})
    bearers: dict[str, str] = field(default_factory=dict)
    renewals: dict[str, str] = field(default_factory=dict)
    burnt: set[str] = field(default_factory=set)
    keys: dict[str, dict[str, Any]] = field(default_factory=dict)
    expires: str = LATER
    must_change: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def answer(self, asked: Asked) -> Told:
        """What a registry would say."""
        with self.lock:
            self.asked.append(asked)
            for index, (method, path, told) in enumerate(self.answers):
                if (method, path) == (asked.method, asked.path):
                    del self.answers[index]
                    return told
            return self._routed(asked)

    def _routed(self, asked: Asked) -> Told:
        match asked.method, asked.path:
            case "POST", "/v1/auth/login":
                return self._login(asked.body)
            case "POST", "/v1/auth/refresh":
                return self._refresh(asked.body["refreshToken"])
            case "POST", "/v1/users":
                self.passwords[asked.body["username"]] = asked.body["password"]
                return Told(201, {"username": asked.body["username"], "emailVerified": False})
            case "POST", "/v1/users/verify-email" | "/v1/auth/reset" | "/v1/auth/reset/confirm":
                return Told(204)
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.bearers:
            return refusal(401, "INVALID_CREDENTIALS", "The credential is not valid.", "Log in.")
        return self._signed_in(asked, token)

    def _signed_in(self, asked: Asked, token: str) -> Told:
        match asked.method, asked.path.split("/")[2:]:
            case "GET", ["me"]:
                account = {"username": self.bearers[token], "email": "alice@example.org"}
                kind = "session" if token.startswith("gati_session_") else "key"
                roles = [{"namespace": "orgs/acme", "role": "owner"}]
                return Told(200, {"account": account, "credential": {"kind": kind}, "memberships": roles})
            case "POST", ["me", "password"]:
                self.passwords[self.bearers[token]] = asked.body["password"]
                return Told(204)
            case "POST", ["auth", "logout"]:
                del self.bearers[token]
                return Told(204)
            case "POST", ["api-keys"]:
                return self._key(asked.body, self.bearers[token])
            case "DELETE", ["api-keys", number]:
                self.bearers.pop(self.keys.pop(number)["key"])
                return Told(204)
            case method, _:
                return _plausible(method, asked.path)

    def _login(self, body: dict[str, str]) -> Told:
        if self.passwords.get(body["username"]) != body["password"]:
            return refusal(401, "INVALID_CREDENTIALS", "The name or the password is wrong.", "Try again.")
        return self._session(body["username"])

    def _refresh(self, renewal: str) -> Told:
        if renewal in self.burnt:
            self.renewals.clear()
            return refusal(401, "TOKEN_REVOKED", "The session was revoked, because it was renewed twice.")
        account = self.renewals.pop(renewal, None)
        if account is None:
            return refusal(401, "TOKEN_EXPIRED", "The session has ended.")
        self.burnt.add(renewal)
        self.expires = LATER
        return self._session(account)

    def _session(self, account: str) -> Told:
        number = next(self.numbers)
        value, renewal = f"gati_session_{number:040}", f"gati_renew_{number:040}"
        self.bearers[value] = self.renewals[renewal] = account
        fields = {"value": value, "token": value, "refreshToken": renewal, "expiresAt": self.expires}
        return Told(200, {"type": "token", "scopes": [], "mustChangePassword": self.must_change} | fields)

    def _key(self, body: dict[str, Any], account: str) -> Told:
        number = str(next(self.numbers))
        key = {"id": number, "key": f"gati_key_{number:>040}"} | body
        self.keys[number] = key
        self.bearers[key["key"]] = account
        return Told(201, key)


def _plausible(method: str, path: str) -> Told:
    """An answer without meaning, of the form that requests of this method have."""
    if method == "DELETE":
        return Told(204)
    if method == "GET":
        return Told(200, {"items": [], "next": None}, {"ETag": '"7"'})
    return Told(200, {"key": "gati_robot_made"} if "keys" in path else {})


def _handler(stand_in: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            parts = urlsplit(self.path)
            fields = {name.lower(): value for name, value in self.headers.items()}
            query = dict(parse_qsl(parts.query))
            told = stand_in.answer(Asked(self.command, parts.path, query, json.loads(raw or b"null"), fields))
            body = told.body if isinstance(told.body, bytes) else json.dumps(told.body).encode()
            self.send_response(told.status)
            for name, value in told.headers.items():
                self.send_header(name, value)
            content = b"" if told.body is None else body
            if told.status != 204:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - names of http.server

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as above
            """Say nothing."""

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that hang up."""


@contextmanager
def standing_in() -> Iterator[StandIn]:
    """A stand-in on a port of its own."""
    stand_in = StandIn()
    server = _Server(("127.0.0.1", 0), _handler(stand_in))
    stand_in.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
