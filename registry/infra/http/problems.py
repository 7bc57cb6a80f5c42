"""The only place that turns an error into a response."""

from typing import Any

from starlette.responses import JSONResponse, Response

from registry.core.errors import RegistryError

API_VERSION = {"Docker-Distribution-API-Version": "registry/2.0"}


def is_oci(path: str) -> bool:
    """Whether the path belongs to the OCI door."""
    return path == "/v2" or path.startswith("/v2/") or path == "/token"


def response_for(error: RegistryError, path: str, request_id: str) -> Response:
    """The OCI envelope under /v2 (OCI Distribution, "Error Codes"), one object elsewhere."""
    body: dict[str, Any] = {"code": error.code, "message": error.message, "detail": error.detail}
    if is_oci(path):
        return JSONResponse({"errors": [body]}, error.status, headers=API_VERSION | error.headers)
    return JSONResponse(body | {"requestId": request_id}, error.status, headers=error.headers)
