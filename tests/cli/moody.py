"""A stand-in for `/v2` of a registry that fails at will: for what cannot be had from a registry otherwise.

Uploads keep what came before a connection broke, as registries do.
"""

import json
import re
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

PIECE = 1 << 14


def digest(content: bytes) -> str:
    return f"sha256:{sha256(content).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that comes instead of the true one."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    code: str = "UNSUPPORTED"
    message: str = "No."


@dataclass
class Moody:
    """The state of the registry, and how it behaves.

    Attributes:
        refusals: (method, part of the path, answer), each given once, in order.
        cuts: after so many bytes of the body of a PATCH, or of a blob that is read, the connection breaks.
        stalls: after so many bytes of a PATCH nothing happens any more; `stalled` says that it is so.
        largest: bytes that the body of a request may have.
        tokens: those that are good; None: nobody needs one.
        sent: headers that come with every answer.
    """

    url: str = ""
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    sessions: dict[str, bytearray] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    refusals: list[tuple[str, str, Refusal]] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    stalls: int | None = None
    stalled: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    received: int = 0
    largest: int | None = None
    tokens: set[str] | None = None
    expires_in: int = 300
    realm: str = ""
    sent: dict[str, str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def methods(self, part: str = "/v2/") -> list[str]:
        """The methods of the requests whose path has this in it."""
        return [method for method, path, _ in self.asked if part in path]

    def refusal(self, method: str, path: str) -> Refusal | None:
        """The answer that comes instead."""
        for index, (wanted, part, answer) in enumerate(self.refusals):
            if wanted == method and part in path:
                del self.refusals[index]
                return answer
        return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    moody: Moody

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        fields = {name.lower(): value for name, value in self.headers.items()}
        with self.moody.lock:
            self.moody.asked.append((self.command, self.path, fields))
            refusal = self.moody.refusal(self.command, parts.path)
        if parts.path == "/token":
            self._token()
        elif self.moody.tokens is not None and fields.get("authorization", "")[7:] not in self.moody.tokens:
            realm = self.moody.realm or f"{self.moody.url}/token"
            challenge = f'Bearer realm="{realm}",service="moody"'
            self._refuse(Refusal(401, {"WWW-Authenticate": challenge}, "UNAUTHORIZED"))
        elif refusal is not None:
            self._refuse(refusal)
        elif self.moody.largest is not None and int(fields.get("content-length", 0)) > self.moody.largest:
            self._refuse(Refusal(413))
        else:
            self._routed(parts.path, dict(parse_qsl(parts.query)))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = _serve  # noqa: N815 - names of http.server

    def _routed(self, path: str, query: dict[str, str]) -> None:
        if path == "/v2/":
            self._answer(200)
        elif match := re.fullmatch(r"/v2/(.+)/blobs/uploads/([^/]*)", path):
            self._upload(match[1], match[2], query)
        elif match := re.fullmatch(r"/v2/.+/blobs/(.+)", path):
            self._blob(match[1])
        elif match := re.fullmatch(r"/v2/(.+)/manifests/(.+)", path):
            self._manifest(match[1], match[2])
        else:
            self._refuse(Refusal(404, {}, "UNSUPPORTED"))

    def _upload(self, name: str, session: str, query: dict[str, str]) -> None:
        if self.command == "POST":
            content = self._body()
            if "digest" in query:
                self.moody.blobs[query["digest"]] = content
                self._answer(201)
                return
            session = str(uuid.uuid4())
            self.moody.sessions[session] = bytearray()
        held = self.moody.sessions.get(session)
        if held is None:
            self._refuse(Refusal(404, {}, "BLOB_UPLOAD_UNKNOWN"))
            return
        match self.command:
            case "PATCH":
                self._patch(held)
            case "PUT":
                self._close(session, held, query["digest"])
                return
        status = {"GET": 204}.get(self.command, 202)
        fields = {"Location": f"/v2/{name}/blobs/uploads/{session}", "Range": f"0-{max(0, len(held) - 1)}"}
        self._answer(status, fields)

    def _patch(self, held: bytearray) -> None:
        left = int(self.headers["Content-Length"])
        cut = self.moody.cuts.pop(0) if self.moody.cuts else None
        came = 0
        while left:
            piece = self.rfile.read(min(PIECE, left))
            if not piece:
                raise ConnectionError
            held += piece
            came, left = came + len(piece), left - len(piece)
            self.moody.received += len(piece)
            if cut is not None and came >= cut:
                raise ConnectionError
            if self.moody.stalls is not None and came >= self.moody.stalls:
                self.moody.stalled.set()
                self.moody.released.wait()
                raise ConnectionError

    def _close(self, session: str, held: bytearray, wanted: str) -> None:
        held += self._body()
        del self.moody.sessions[session]
        if digest(bytes(held)) != wanted:
            self._refuse(Refusal(400, {}, "DIGEST_INVALID", "The bytes have another digest."))
            return
        self.moody.blobs[wanted] = bytes(held)
        self._answer(201)

    def _blob(self, wanted: str) -> None:
        content = self.moody.blobs.get(wanted)
        if content is None:
            self._refuse(Refusal(404, {}, "BLOB_UNKNOWN"))
            return
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(match[1]) if match else 0
        fields = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if match else {}
        cut = self.moody.cuts.pop(0) if self.moody.cuts and self.command == "GET" else None
        self._answer(206 if match else 200, fields, content[start:], cut)

    def _manifest(self, name: str, reference: str) -> None:
        if self.command == "PUT":
            raw = self._body()
            for key in (reference, digest(raw)):
                self.moody.manifests[f"{name}:{key}"] = (self.headers["Content-Type"], raw)
            self._answer(201, {"Docker-Content-Digest": digest(raw)})
            return
        found = self.moody.manifests.get(f"{name}:{reference}")
        if found is None:
            self._refuse(Refusal(404, {}, "MANIFEST_UNKNOWN"))
            return
        self._answer(200, {"Content-Type": found[0], "Docker-Content-Digest": digest(found[1])}, found[1])

    def _token(self) -> None:
        token = f"token-{uuid.uuid4()}"
        (self.moody.tokens if self.moody.tokens is not None else set()).add(token)
        self._answer(200, {}, json.dumps({"token": token, "expires_in": self.moody.expires_in}).encode())

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _refuse(self, refusal: Refusal) -> None:
        self.close_connection = True
        body = json.dumps({"errors": [{"code": refusal.code, "message": refusal.message}]}).encode()
        self._answer(refusal.status, refusal.headers | {"Connection": "close"}, body)

    def _answer(
        self, status: int, fields: dict[str, str] | None = None, body: bytes = b"", cut: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (self.moody.sent | (fields or {})).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:cut])
        if cut is not None:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as http.server calls it
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of connections that were broken."""


@contextmanager
def being_moody() -> Iterator[Moody]:
    """A stand-in on a port of its own."""
    moody = Moody()
    handler: Any = type("Handler", (_Handler,), {"moody": moody})
    server = _Server(("127.0.0.1", 0), handler)
    moody.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield moody
    finally:
        moody.released.set()
        server.shutdown()
        thread.join()
        with suppress(OSError):
            server.server_close()
