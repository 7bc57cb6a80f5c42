"""/v1/auth and /v1/me/sessions: logins of the site and the command line."""

from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from registry.auth import keys, sessions
from registry.auth.identify import Identified
from registry.auth.secrets import parse
from registry.auth.sessions import Pair
from registry.auth.sql_credentials import Credential, Login
from registry.core.errors import InvalidCredentials, NotFound, Unprocessable
from registry.namespaces.entry import Level
from registry.web.accounts import Password, Username
from registry.web.bodies import Answer, Body, Listing, Page
from registry.web.paging import id_of, own, paged, start
from registry.web.rest import Call, Reply, Row
from registry.web.site import Site

_ABSENT: Final = "There is no such login."
_ALL: Final = ["admin"]
Secret = Annotated[str, Meta(min_length=1, max_length=200)]


class LoginBody(Body, frozen=True, kw_only=True):
    """Either a name with a password, or a secret that is there already with its type."""

    username: Username | None = None
    password: Password | None = None
    type: Literal["token", "apiKey"] | None = None
    value: Secret | None = None


class RefreshBody(Body, frozen=True, kw_only=True):
    """The renewal that came with the last token: it is good once."""

    refresh_token: Secret


class AuthToken(Answer, frozen=True, kw_only=True):
    """What requests are sent with, as Authorization: Bearer; `token` says the same as `value`."""

    type: Literal["token", "apiKey"]
    value: str
    token: str
    expires_at: datetime | None
    refresh_token: str | msgspec.UnsetType = msgspec.UNSET
    scopes: list[str]
    must_change_password: bool


class SessionAnswer(Answer, frozen=True, kw_only=True):
    """A login of the site or the command line (`session`), or of a program at /token (`refresh`)."""

    id: int
    kind: Literal["session", "refresh"]
    name: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    last_used_from: str | None
    is_current: bool


def rows(site: Site) -> tuple[Row, ...]:
    """The endpoints of this file."""
    on = _Logins(site)
    anyone, signed_in = Level.ANYONE, Level.SIGNED_IN
    one = "/v1/me/sessions/{id}"
    answer = Listing[SessionAnswer]
    return (
        Row("POST", "/v1/auth/login", on.login, anyone, "Log in", LoginBody, answer=AuthToken, codes=(401, 403)),
        Row(
            "POST", "/v1/auth/refresh", on.refresh, anyone, "Renew a login", RefreshBody, answer=AuthToken, codes=(401,)
        ),
        Row("POST", "/v1/auth/logout", logout, signed_in, "Log out", status=204, codes=(404,)),
        Row("GET", "/v1/me/sessions", list_sessions, signed_in, "List logins", query=Page, answer=answer),
        Row("DELETE", one, end, signed_in, "End a login", status=204),
    )


class _Logins:
    """Handlers that need more than the realm."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def login(self, call: Call) -> Reply:
        """Log in with name and password: the token is good for seven days, the renewal for thirty.

        A session token or an API key instead is checked, and comes back as it is: what it is for never widens.
        """
        body: LoginBody = call.body
        if body.username is not None and body.password is not None and body.type is None and body.value is None:
            return await self._by_password(call, body.username, body.password)
        if body.value is not None and body.type is not None and body.username is None and body.password is None:
            return await self._by_secret(call, body.type, body.value)
        raise Unprocessable("Log in with username and password, or with type and value.", detail={"pointer": ""})

    async def _by_password(self, call: Call, name: str, password: str) -> Reply:
        by, client = call.by, call.headers.get("user-agent", "")
        pair = await self._site.attempts().attempt(
            by.address, name.lower(), lambda: sessions.login(call.realm, by, name, password, client)
        )
        return Reply(_of_pair(pair))

    async def _by_secret(self, call: Call, kind: Literal["token", "apiKey"], value: str) -> Reply:
        by, moment = call.by, call.realm.clock().timestamp()
        found = await self._site.attempts().attempt(
            by.address, "", lambda: self._known(kind, value, by.address, moment)
        )
        actor = found.actor
        if actor.account is None or actor.credential is None:
            raise AssertionError
        row = await keys.find(call.realm, actor.account, actor.credential)
        return Reply(
            AuthToken(
                type=kind,
                value=value,
                token=value,
                expires_at=row.expires_at,
                scopes=[row.limits.scope or "admin"],
                must_change_password=actor.must_change_password,
            )
        )

    async def _known(self, kind: str, value: str, address: str, moment: float) -> Identified:
        is_of_kind = parse(value) in ({"session"} if kind == "token" else {"key", "robot"})
        if not is_of_kind:
            raise InvalidCredentials(
                "This is no session token, or no API key, of this registry: log in with a password."
            )
        found = await self._site.identifier().identify([b"Bearer " + value.encode()], address, moment)
        if found.actor.late:
            raise InvalidCredentials("The key was replaced and has expired: use the one that took its place.")
        return found

    async def refresh(self, call: Call) -> Reply:
        """Take the renewal of a login for a new pair. One that is used twice was stolen: the login ends."""
        by, renewal = call.by, call.body.refresh_token
        pair = await self._site.attempts().attempt(by.address, "", lambda: sessions.refresh(call.realm, by, renewal))
        return Reply(_of_pair(pair))


async def logout(call: Call) -> Reply:
    """End the login whose token the request came with; a key is revoked at /v1/api-keys."""
    await sessions.logout(call.realm, call.by)
    return Reply()


async def list_sessions(call: Call) -> Reply:
    """List what the caller is logged in by and can be renewed: by id."""
    query: Page = call.query
    after, account = start(query), own(call)
    logins = [_of_login(one) for one in await sessions.page(call.realm, call.by) if one.id > after]
    tokens = [_of_token(one) for one in await keys.page(call.realm, account, after, query.limit + 1, ("refresh",))]
    found = sorted((*logins, *tokens), key=lambda one: one.id)
    return paged(found, query, lambda one: one.id, lambda one: one)


async def end(call: Call) -> Reply:
    """End one of the caller's own logins at once, everywhere."""
    account, login = own(call), id_of(call, _ABSENT)
    if await _is_refresh(call, account, login):
        await keys.revoke(call.realm, call.by, account, login)
    else:
        await sessions.revoke(call.realm, call.by, login)
    return Reply()


async def _is_refresh(call: Call, account: int, login: int) -> bool:
    try:
        return (await keys.find(call.realm, account, login)).kind == "refresh"
    except NotFound:
        return False


def _of_pair(pair: Pair) -> AuthToken:
    return AuthToken(
        type="token",
        value=pair.session,
        token=pair.session,
        expires_at=pair.session_expires_at,
        refresh_token=pair.renewal,
        scopes=_ALL,
        must_change_password=pair.account.must_change_password,
    )


def _of_login(login: Login) -> SessionAnswer:
    return SessionAnswer(
        id=login.id,
        kind="session",
        name=login.client,
        created_at=login.since,
        expires_at=login.expires_at,
        last_used_at=login.last_used_at,
        last_used_from=login.last_used_from,
        is_current=login.is_current,
    )


def _of_token(token: Credential) -> SessionAnswer:
    return SessionAnswer(
        id=token.id,
        kind="refresh",
        name=token.name,
        created_at=token.created_at,
        expires_at=token.expires_at,
        last_used_at=token.last_used_at,
        last_used_from=token.last_used_from,
        is_current=False,
    )
