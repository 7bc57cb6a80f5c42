"""The only place that turns an error into a response."""

import html
import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from starlette.responses import HTMLResponse, Response

from registry.core.errors import (
    ArtifactInvalid,
    Conflict,
    Denied,
    DigestInvalid,
    Gone,
    InvalidCredentials,
    RegistryError,
)

API_VERSION = {"Docker-Distribution-API-Version": "registry/2.0"}
_PRIVATE: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
# Outside the OCI API, whose codes serve several purposes; a reason that an error has wins.
_CODES: Final = {
    ("UNSUPPORTED", 400): "BAD_REQUEST",
    ("UNSUPPORTED", 404): "NOT_FOUND",
    ("UNSUPPORTED", 405): "METHOD_NOT_ALLOWED",
    ("DENIED", 403): "INSUFFICIENT_PERMISSIONS",
    ("DENIED", 409): "CONFLICT",
    ("DENIED", 507): "STORAGE_QUOTA_EXCEEDED",
    ("SIZE_INVALID", 413): "UPLOAD_SIZE_EXCEEDED",
    ("MANIFEST_INVALID", 415): "UNSUPPORTED_MEDIA_TYPE",
    ("TOOMANYREQUESTS", 429): "RATE_LIMIT_EXCEEDED",
}
_REASONED: Final = (Denied, Conflict, DigestInvalid, Gone)
_SUGGESTIONS: Final = {
    400: "Correct the request: /v1/openapi.json describes what each endpoint takes.",
    401: "Log in, or send a key that is valid as Authorization: Bearer.",
    403: "Ask an owner or admin of the namespace for the right, or use a key that has it.",
    404: "Check the spelling, and log in if it is private: what you may not see looks as if it were absent.",
    405: "Use a method that the Allow header names.",
    408: "Send the request again, faster.",
    410: "Use another one: this one is gone for good.",
    409: "Look at the present state of the resource and decide anew.",
    412: "Read the resource again, and send the change with its new ETag.",
    413: "Send less at once.",
    415: "Send what the message names, with its Content-Type.",
    422: "Correct the value that the message names: /v1/openapi.json says what is expected.",
    429: "Wait for the seconds of Retry-After.",
    431: "Send fewer or shorter header fields.",
    500: "Give the requestId to the operator of this registry.",
    503: "Try again after the seconds of Retry-After.",
    507: "Delete what is not needed any more, or ask for more room.",
}
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

    The OCI envelope under /v2 and /token (OCI Distribution, "Error Codes"); elsewhere one object (`code`, `message`,
    `details` where there are any, `suggestions`, `timestamp`, `requestId`), or a page where `accept` names HTML before
    JSON; it is never kept.
    """
    headers = {name: _UNSAFE.sub(" ", value) for name, value in error.headers.items()}
    if is_oci(path):
        content = {"errors": [_fields(error)]}
        return Response(_json(content), error.status, API_VERSION | headers, "application/json")
    headers = _PRIVATE | headers
    if _prefers_page(accept):
        return HTMLResponse(_page(error, request_id), error.status, headers)
    return Response(_json(_problem(error, request_id)), error.status, headers, "application/json")


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


def _problem(error: RegistryError, request_id: str) -> dict[str, Any]:
    return {
        "code": site_code(error),
        "message": error.message,
        **({} if error.detail is None else {"details": error.detail}),
        "suggestions": [_suggestion(error)],
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "requestId": request_id,
    }


def _suggestion(error: RegistryError) -> str:
    if isinstance(error, ArtifactInvalid):
        return error.suggestion
    return _SUGGESTIONS.get(error.status, _SUGGESTIONS[400 if error.status < 500 else 503])


def site_code(error: RegistryError) -> str:
    """The code of an error outside the OCI API."""
    if isinstance(error, InvalidCredentials | ArtifactInvalid):
        return error.reason
    if isinstance(error.detail, dict) and isinstance(error, _REASONED) and "reason" in error.detail:
        return str(error.detail["reason"])
    return _CODES.get((error.code, error.status), error.code)


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
        code=site_code(error),
        request_id=html.escape(request_id),
    )
    return page.encode("utf-8", "backslashreplace")


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase
