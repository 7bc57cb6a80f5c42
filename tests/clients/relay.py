"""A proxy before a registry under which the tokens of pushes run out between two requests."""

import base64
import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any, Final

import httpx
import uvicorn

from registry.auth.model import Grant
from registry.auth.tokens import Claims, SigningKey, sign

_AGO: Final = 1000
_OWN: Final = frozenset({b"connection", b"transfer-encoding", b"keep-alive"})


class Relay:
    """The ASGI application: it passes everything on, with aged tokens on upload sessions; `aged` counts them."""

    def __init__(self, url: str, key: SigningKey) -> None:
        self._url = url
        self._key = key
        self.aged = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass one request on."""
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = [(name, value) for name, value in scope["headers"] if name not in _OWN]
        if scope["method"] in {"PATCH", "PUT"} and "/blobs/uploads/" in scope["path"]:
            headers = [(name, self._age(value) if name == b"authorization" else value) for name, value in headers]
        target = f"{self._url}{scope['raw_path'].decode()}?{scope['query_string'].decode()}".removesuffix("?")
        async with httpx.AsyncClient(timeout=30) as client:
            answer = await client.request(scope["method"], target, headers=headers, content=body)
        raw = [(name.lower(), value) for name, value in answer.headers.raw if name.lower() not in _OWN]
        await send({"type": "http.response.start", "status": answer.status_code, "headers": raw})
        await send({"type": "http.response.body", "body": answer.content})

    def _age(self, value: bytes) -> bytes:
        """The same token, as it was when it had expired some minutes ago."""
        part = value.removeprefix(b"Bearer ").split(b".")[1]
        said = json.loads(base64.urlsafe_b64decode(part + b"=="))
        access = {one["name"]: Grant(frozenset(one["actions"]), one["ns"], one["gen"]) for one in said["access"]}
        claims = Claims(said["iss"], said["aud"], said["sub"], said["cid"], access)
        self.aged += 1
        return b"Bearer " + sign(self._key, claims, time.time() - _AGO).encode()


@contextmanager
def relaying(relay: Relay) -> Iterator[str]:
    """Run it; the `address:port` that it listens at."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(relay, lifespan="off", ws="none", log_level="error", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
