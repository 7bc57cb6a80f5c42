"""The token endpoint (Distribution, "Token Authentication Specification" and "OAuth2 Token Authentication")."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Protocol
from urllib.parse import parse_qsl

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from registry.auth.admission import Caller
from registry.core.errors import BadRequest, MediaTypeUnsupported, Unauthorized, Unsupported
from registry.infra.http.answers import Answer
from registry.infra.http.body import read_all
from registry.namespaces import scopes
from registry.namespaces.scopes import Granted, Scopes
from registry.oci.door import reply

_FORM_LIMIT: Final = 64 * 1024
_FORM: Final = "application/x-www-form-urlencoded"
_FIELDS: Final = 200
_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="gati-registry"'}  # every 401 has one (RFC 9110, 15.5.2)


class Issuer(Protocol):
    """Knows callers, and makes their tokens."""

    async def caller(self, scope: Scope, *, may_be_late: bool = False) -> Caller:
        """Whoever the Authorization of a request is of; anonymous without one."""

    async def login(self, scope: Scope, name: str, secret: str) -> Caller:
        """Whoever a name and a password or key, sent in a form, are of."""

    async def renew(self, scope: Scope, secret: str) -> Caller:
        """Whoever a refresh token was given to."""

    async def grant(self, caller: Caller, asked: Scopes) -> Granted:
        """What the caller gets of the scopes, and for how many seconds."""

    async def sign(self, caller: Caller, granted: Granted) -> tuple[str, int]:
        """A token of that, and for how many seconds it is still good."""

    async def refresh(self, caller: Caller, client: str) -> str | None:
        """A refresh token, which is told only now; None for callers that get none."""


class TokenDoor:
    """The ASGI application of /token. It never answers 403: missing rights are missing actions."""

    def __init__(self, issuer: Callable[[], Issuer], body_timeout: float) -> None:
        self._issuer = issuer
        self._body_timeout = body_timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a GET with Basic or nothing, or a POST of a form."""
        scope["route_name"] = "token"
        ask = {"GET": self._get, "HEAD": self._get, "POST": self._post}.get(scope["method"])
        if ask is None:
            raise Unsupported("A token is asked for with GET or POST.", headers={"Allow": "GET, HEAD, POST"})
        try:
            answer = await ask(Request(scope, receive), self._issuer())
        except Unauthorized as error:
            raise type(error)(error.message, detail=error.detail, headers=_CHALLENGE) from error
        await answer.send(scope, send, _uncounted)

    async def _get(self, request: Request, issuer: Issuer) -> Answer:
        query = request.query_params
        caller = await issuer.caller(request.scope)
        wants_refresh = query.get("offline_token") == "true" or query.get("access_type") == "offline"
        return await _answer(
            issuer, caller, query.getlist("scope"), query.get("client_id", "") if wants_refresh else None
        )

    async def _post(self, request: Request, issuer: Issuer) -> Answer:
        form = await self._form(request)
        grant_type = form.get("grant_type")
        if grant_type == "refresh_token":
            caller = await issuer.renew(request.scope, _field(form, "refresh_token"))
        elif grant_type == "password":
            caller = await issuer.login(request.scope, _field(form, "username"), _field(form, "password"))
        else:
            raise BadRequest("grant_type is password or refresh_token.")
        wants_refresh = grant_type == "password" and form.get("access_type") == "offline"
        return await _answer(
            issuer, caller, form.getlist("scope"), form.get("client_id", "") if wants_refresh else None
        )

    async def _form(self, request: Request) -> QueryParams:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
            raise MediaTypeUnsupported(f"The body of a token request is a form: Content-Type: {_FORM}.")
        raw = await read_all(request.receive, _FORM_LIMIT, self._body_timeout)
        try:
            return QueryParams(parse_qsl(raw.decode(), keep_blank_values=True, max_num_fields=_FIELDS, errors="strict"))
        except ValueError as error:
            raise BadRequest(f"The form is not UTF-8, or has more than {_FIELDS} fields.") from error


def _uncounted(_: int) -> None:
    """Tokens are no bytes of blobs."""


def _field(form: QueryParams, name: str) -> str:
    value = form.get(name)
    if not value:
        raise BadRequest(f"The form lacks the field {name}.")
    return value


async def _answer(issuer: Issuer, caller: Caller, asked: list[str], client: str | None) -> Answer:
    granted = await issuer.grant(caller, scopes.parse(asked))
    token, seconds = await issuer.sign(caller, granted)
    content = {
        "token": token,
        "access_token": token,
        "expires_in": seconds,
        "issued_at": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
    }
    secret = await issuer.refresh(caller, client) if client is not None else None
    if secret is not None:
        content["refresh_token"] = secret
    return reply(200, {"Cache-Control": "no-store"}, json.dumps(content).encode(), "application/json")
