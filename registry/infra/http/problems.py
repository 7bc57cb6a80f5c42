"""The only place that turns an error into a response."""

import html
import json
import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final

from starlette.responses import HTMLResponse, Response

from registry.core.errors import RegistryError

API_VERSION = {"Docker-Distribution-API-Version": "registry/2.0"}
_UNSAFE: Final = re.compile(r"[^\t\x20-\x7e\xa0-\xff]")
_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{status} {phrase}</title></head>
<body><h1>{phrase}</h1><p>{message}</p><p><small>{code} · {request_id}</small></p></body></html>
"""


def is_oci(path: str) -> bool:
    """Whether the path belongs to the OCI door."""
    return path == "/v2" or path.startswith("/v2/") or path == "/token"


def response_for(error: RegistryError, path: str, request_id: str, accept: str = "") -> Response:
    """The answer that `error` is.

    The OCI envelope under /v2 and /token (OCI Distribution, "Error Codes"); elsewhere one object with `requestId`, or
    a page where `accept` names HTML before JSON.
    """
    headers = {name: _UNSAFE.sub(" ", value) for name, value in error.headers.items()}
    if is_oci(path):
        content = {"errors": [_fields(error) | {"code": error.oci_code or error.code}]}
        return Response(_json(content), error.status, API_VERSION | headers, "application/json")
    if _prefers_page(accept):
        return HTMLResponse(_page(error, request_id), error.status, headers)
    return Response(_json(_fields(error) | {"requestId": request_id}), error.status, headers, "application/json")


def wire_answer(error: RegistryError, headers: Iterable[tuple[bytes, bytes]], request_id: str) -> bytes:
    """The bytes of an answer to what is not, or not yet, a request; the connection closes after it."""
    body = _json({"errors": [_fields(error)]})
    fields = [*headers, (b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    fields += [(b"connection", b"close"), (b"x-request-id", request_id.encode())]
    lines = [b"HTTP/1.1 %d %s" % (error.status, _phrase(error.status).encode())]
    lines += [name + b": " + value for name, value in fields]
    return b"\r\n".join([*lines, b"", body])


def _fields(error: RegistryError) -> dict[str, Any]:
    return {"code": error.code, "message": error.message, "detail": error.detail}


def _json(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False, default=str).encode("utf-8", "backslashreplace")


def _prefers_page(accept: str) -> bool:
    """Whether HTML comes first among the types asked for; a browser writes it first, a program rarely at all."""
    kinds = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    return "text/html" in kinds and "application/json" not in kinds[: kinds.index("text/html")]


def _page(error: RegistryError, request_id: str) -> bytes:
    page = _PAGE.format(
        status=error.status,
        phrase=_phrase(error.status),
        message=html.escape(error.message),
        code=error.code,
        request_id=html.escape(request_id),
    )
    return page.encode("utf-8", "backslashreplace")


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase
