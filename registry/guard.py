"""Who may do what, before a door acts: the caller from its credential, its rights from the table, then the answer.

Open: everybody is a writer, until the first account is made. Then what is remembered of a caller and its rights holds
only while the shared counters of everything that they depend on stand still; without counters nothing is remembered.
"""

import time
from base64 import b64encode
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from starlette.datastructures import Headers

from registry.audit.denials import Denials
from registry.auth.admission import Caller
from registry.auth.identify import Identified, Identifier
from registry.auth.model import ANYBODY, Actor
from registry.auth.presented import claimed_name
from registry.auth.realm import Realm, account_slot, namespace_slot
from registry.core.errors import CredentialExpired, Denied, InvalidCredentials, InvalidToken, NameUnknown, Unauthorized
from registry.infra.http.address import Addresses, bucket
from registry.infra.http.counters import GLOBAL, Stamp
from registry.infra.http.lane import FREE
from registry.infra.http.origin import BrowserGuard
from registry.infra.limits.limiter import Limiter
from registry.infra.limits.model import BUDGET, Kind
from registry.infra.telemetry import logs, metrics
from registry.namespaces import opening
from registry.namespaces.access import SCOPES, Right
from registry.namespaces.admission import Admission, Asked, Look
from registry.namespaces.rights import Place, Verdict, decide, key_ends, locate, named, named_openly, rights, split

AUDIENCE: Final = "gati-registry"
_REMEMBERED: Final = 10_000
_LONGEST: Final = 300.0
_CATALOG: Final = "registry:catalog:*"
_OF_BROWSERS: Final = frozenset({b"host", b"origin", b"sec-fetch-site"})
_Scope = MutableMapping[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rules:
    """What the settings say of access; `is_open`: until there are accounts."""

    is_open: bool
    public_url: str | None
    addresses: Addresses


@dataclass(frozen=True, slots=True)
class _Sent:
    """What a request says of its sender."""

    authorization: list[bytes]
    address: str


@dataclass(frozen=True, slots=True)
class Keepers:
    """What a guard asks: of callers, of credentials, of budgets; and whom it tells of refusals."""

    browsers: BrowserGuard
    realm: Realm
    identifier: Identifier
    limiter: Limiter
    denials: Denials


class Guard:
    """Decides for every request, of the OCI door, of the token endpoint and of the REST door."""

    def __init__(self, rules: Rules, keepers: Keepers) -> None:
        self._rules = rules
        self._keepers = keepers
        self._counters = keepers.realm.changes.counters
        self._is_open = rules.is_open
        self._opened: Stamp | None = None
        self._looks: dict[tuple[int | None, int | None, str, bool], Look] = {}
        self._namespaces: dict[tuple[str, ...], int] = {}

    async def admit(self, scope: _Scope, asked: Asked) -> Admission:
        """The caller, allowed what is asked.

        Raises:
            Denied: a page of a stranger may be behind it, or it may read but not do this.
            NameUnknown: it is known, and may not see the place.
            TooManyRequests: its budget is used up.
            Unauthorized: with one Bearer challenge: nothing was sent, or nothing good, or a token that lists less.
        """
        if self._is_open and (self._holds(self._opened) or await self._check_open()):
            self._keepers.browsers.check(_told_by_browser(scope))
            return Admission(Caller(ANYBODY, "", logs.REQUEST_ID.get(""), self._opened), stamp=self._opened, meter=FREE)
        try:
            caller = await self.caller(scope, may_be_late=asked.route == "session")
        except Unauthorized as error:
            raise self._challenge(scope, asked, error.message, "invalid_token", error) from error
        if asked.name is None:
            return self._admit_nowhere(scope, asked, caller)
        look = await self.look(caller, asked.name)
        return self._judge(scope, asked, caller, look)

    async def readable(self, caller: Caller, name: str) -> Look | None:
        """What the caller may do in a repository, when it may pull from it within what its token lists."""
        look = await self.look(caller, name)
        verdict = decide(caller.actor, name, look.place, look.held, Right.PULL)
        return look if verdict is Verdict.ALLOWED else None

    async def may_pull(self, caller: Caller, name: str) -> bool:
        """Whether the caller may pull from a repository, whatever its token lists."""
        return Right.PULL in (await self.look(caller, name)).held

    async def caller(self, scope: _Scope, *, may_be_late: bool = False) -> Caller:
        """Who sent a request; whoever sends nothing is anonymous. Failed checks of credentials are counted.

        Raises:
            Unauthorized: a credential that is not good, or an account that must change its password first.
            TooManyRequests: too many failed checks, or too many requests.
        """
        sent, found = await self._known(scope)
        if found.actor.late and not may_be_late:
            raise CredentialExpired("The token has expired: ask /token for another one.")
        return await self._let_in(scope, sent, found)

    async def guest(self, scope: _Scope) -> Caller:
        """The same at the REST door, which takes no registry tokens; a first password is good here.

        Raises:
            Unauthorized, TooManyRequests: as `caller`.
        """
        if self._is_open and (self._holds(self._opened) or await self._check_open()):
            self._keepers.browsers.check(_told_by_browser(scope))
            return Caller(ANYBODY, self._sent(scope).address, logs.REQUEST_ID.get(""), None)
        sent, found = await self._known(scope)
        actor = found.actor
        if actor.ceiling is not None:
            raise InvalidToken("A token of /token is for /v2 alone: send a key, or the token of a session.")
        if actor.late:
            raise CredentialExpired("The key was replaced and has expired: use the one that took its place.")
        await self._charge(scope, Kind.GENERAL if actor.account is None else Kind.SIGNED_IN, actor, sent.address)
        return Caller(actor, sent.address, logs.REQUEST_ID.get(""), found.stamp, found.until)

    async def charge_upload(self, scope: _Scope, caller: Caller) -> None:
        """Count an artifact that the caller sends in one piece.

        Raises:
            TooManyRequests: it has sent too many.
        """
        await self._charge(scope, Kind.UPLOAD, caller.actor, caller.address)

    async def _known(self, scope: _Scope) -> tuple[_Sent, Identified]:
        sent, now = self._sent(scope), time.time()
        found = self._keepers.identifier.recall(sent.authorization, now)
        if found is None:
            identify = self._keepers.identifier.identify
            found = await self.attempt(
                sent.address, claimed_name(sent.authorization), lambda: identify(sent.authorization, sent.address, now)
            )
        return sent, found

    async def _let_in(self, scope: _Scope, sent: _Sent, found: Identified) -> Caller:
        actor = found.actor
        if actor.must_change_password:
            raise Unauthorized(f"{actor.name} has a first password, which must be changed: gati account password.")
        await self._charge(scope, Kind.TRANSFER, actor, sent.address)
        return Caller(actor, sent.address, logs.REQUEST_ID.get(""), found.stamp, found.until)

    async def login(self, scope: _Scope, name: str, secret: str) -> Caller:
        """Whoever a name and a password, or a key, are of; checked and counted as in Basic."""
        sent = self._sent(scope)
        values = [b"Basic " + b64encode(f"{name}:{secret}".encode("utf-8", "surrogatepass"))]
        check = self._keepers.identifier.identify
        return await self._let_in(
            scope, sent, await self.attempt(sent.address, name, lambda: check(values, sent.address, time.time()))
        )

    async def renew(self, scope: _Scope, secret: str) -> Caller:
        """Whoever a refresh token of this registry was given to."""
        sent, check = self._sent(scope), self._keepers.identifier.refresh_holder
        return await self._let_in(
            scope, sent, await self.attempt(sent.address, "", lambda: check(secret, sent.address, time.time()))
        )

    async def attempt(self, address: str, account: str, check: Callable[[], Awaitable[T]]) -> T:
        """The answer of a check of a credential of this account; a failure counts, and too many leave it out.

        Raises:
            InvalidCredentials: it was not good.
            TooManyRequests: too many were not.
        """
        place = bucket(address)
        await self._keepers.limiter.check_attempts(place, account)
        try:
            return await check()
        except CredentialExpired:
            raise
        except InvalidCredentials:
            await self._keepers.limiter.count_failure(place, account)
            raise

    async def _charge(self, scope: _Scope, kind: Kind, actor: Actor, address: str) -> None:
        meter = _meter(actor)
        found = await self._keepers.limiter.charge(kind, meter or bucket(address))
        scope[BUDGET] = found
        if not found.allowed:
            raise self._keepers.limiter.refusal(kind, found, actor.name if meter else f"The address {address}")

    async def look(self, caller: Caller, name: str, *, of_repository: bool = True) -> Look:
        """What the caller may do in a repository, or in the namespace of this name, whatever its token says.

        It is remembered while nothing that it rests on changes; what may not be seen is not, as what is not there
        cannot be: the two take as long.
        """
        actor, now = caller.actor, time.time()
        key = (actor.account, actor.credential, name, of_repository)
        kept = self._looks.get(key)
        if kept is not None and kept.until > now and self._holds(kept.stamp):
            return kept
        home = split(name)[1:3]
        namespace = self._namespaces.get(home)
        stamp = self._stamp(actor, namespace)
        place = await locate(self._keepers.realm.db, name, actor.account, of_repository=of_repository)
        held = rights(actor, place, caller.address, now, of_repository=of_repository)
        look = Look(place, held, None, min(now + _LONGEST, place.until, key_ends(actor, place.policies)))
        if place.namespace is not None:
            _remember(self._namespaces, home, place.namespace)
        is_seen = bool(held) and (place.repository is not None or not of_repository)
        if stamp is None or place.namespace != namespace or not (is_seen and _is_everywhere(actor, place)):
            return look
        look = replace(look, stamp=stamp)
        _remember(self._looks, key, look)
        return look

    async def namespace_named(self, text: str) -> str:
        """What the repositories of a namespace begin with: it is named by its slug, `users~slug` or `orgs~slug`."""
        kind, tilde, slug = text.partition("~")
        if tilde and kind in {"users", "orgs"}:
            return f"{kind}/{slug}"
        return await named(self._keepers.realm.db, text)

    async def open_name(self, text: str, name: str) -> str:
        """The repository, or for no name the namespace, that a path means while the registry is open."""
        home = await named_openly(self._keepers.realm.db, text, name)
        return f"{home}/{name}" if name else home

    def _stamp(self, actor: Actor, namespace: int | None) -> Stamp | None:
        """How what a look at this namespace rests on is now; None where that is not known yet, or changing."""
        if self._counters is None or namespace is None:
            return None
        own = (account_slot(actor.account),) if actor.account is not None else ()
        return self._counters.stamp((GLOBAL, *own, namespace_slot(namespace)))

    def _holds(self, stamp: Stamp | None) -> bool:
        return stamp is not None and self._counters is not None and self._counters.holds(stamp)

    async def _check_open(self) -> bool:
        """Whether there are no accounts yet, looked up anew; once there are, there always will have been."""
        self._opened = self._counters.stamp((GLOBAL,)) if self._counters is not None else None
        async with self._keepers.realm.db.connection() as connection:
            self._is_open = not await opening.has_ended(connection)
        return self._is_open

    def _sent(self, scope: _Scope) -> _Sent:
        authorization, forwarded = [], []
        for key, value in scope["headers"]:
            if key == b"authorization":
                authorization.append(value)
            elif key == b"x-forwarded-for":
                forwarded.append(value)
        peer = scope["client"][0] if scope.get("client") else None
        return _Sent(authorization, self._rules.addresses.client(peer, forwarded))

    def _admit_nowhere(self, scope: _Scope, asked: Asked, caller: Caller) -> Admission:
        """The version and the catalog: for everybody with a credential, be it an anonymous token."""
        if caller.actor.account is None and caller.actor.ceiling is None:
            raise self._challenge(scope, asked, "Log in first, with docker login, oras login or gati login.")
        return Admission(caller, None, caller.stamp, caller.until, meter=_meter(caller.actor))

    def _judge(self, scope: _Scope, asked: Asked, caller: Caller, look: Look) -> Admission:
        name, actor = asked.name or "", caller.actor
        verdict = decide(actor, name, look.place, look.held, asked.needed)
        if verdict is Verdict.ALLOWED:
            stamp, until = _both(caller.stamp, look.stamp), min(caller.until, look.until)
            return Admission(caller, look, stamp, until, meter=_meter(actor))
        if verdict is Verdict.INSUFFICIENT:
            message = f"The token does not list {asked.needed} on {name}: ask /token for one that does."
            raise self._challenge(scope, asked, message, "insufficient_scope")
        if verdict is Verdict.CHALLENGED:
            message = f"{name} does not exist, or needs a login: docker login, oras login or gati login."
            raise self._challenge(scope, asked, message)
        self._keepers.denials.note(caller.by, asked.needed.value, name, look.place.namespace)
        if verdict is Verdict.FORBIDDEN:
            raise Denied(_reason(actor, name, look, asked.needed), detail={"needed": asked.needed.value})
        if asked.route == "referrers":
            return Admission(caller, look, hidden=True)
        raise NameUnknown(
            f"The repository {name} does not exist, or {actor.name} may not see it.", detail={"name": name}
        )

    def _challenge(
        self, scope: _Scope, asked: Asked, message: str, error: str = "", cause: Unauthorized | None = None
    ) -> Unauthorized:
        """One Bearer challenge (RFC 6750, section 3; Distribution, "Token Authentication")."""
        text = f'Bearer realm="{self.base(scope)}/token",service="{AUDIENCE}"'
        if asked.name is not None:
            text += f',scope="repository:{asked.name}:{asked.actions}"'
        elif asked.route == "catalog":
            text += f',scope="{_CATALOG}"'
        if error:
            text += f',error="{error}"'
        metrics.CHALLENGES.inc()
        kind = type(cause) if cause is not None else Unauthorized
        return kind(message, detail=cause.detail if cause is not None else None, headers={"WWW-Authenticate": text})

    def base(self, scope: _Scope) -> str:
        """Where clients reach this registry: PUBLIC_URL, else the Host of the request when it is one of ours.

        Raises:
            Denied: it is none.
        """
        if self._rules.public_url is not None:
            return self._rules.public_url
        host = Headers(scope=scope).get("host", "localhost")
        self._keepers.browsers.check_host(host)
        return f"{scope['scheme']}://{host}"


def _told_by_browser(scope: _Scope) -> dict[str, str]:
    """The fields that tell whose page a request is of, the first of each, without a look at all the others."""
    return {key.decode(): value.decode("latin-1") for key, value in reversed(scope["headers"]) if key in _OF_BROWSERS}


def _is_everywhere(actor: Actor, place: Place) -> bool:
    """Whether what was decided holds from every address."""
    return not place.policies.addresses and not actor.limits.addresses


def _both(one: Stamp | None, other: Stamp | None) -> Stamp | None:
    if one is None or other is None:
        return None
    return other if other.rows[: len(one.rows)] == one.rows else Stamp(one.rows + other.rows)


def _meter(actor: Actor) -> str | None:
    """Whose budget requests take: a key has its own, else it is that of the account."""
    if actor.key_made_at is not None:
        return f"k:{actor.credential}"
    return actor.principal if actor.account is not None else None


def _reason(actor: Actor, name: str, look: Look, needed: Right) -> str:
    """The sentence of a refusal: who lacks which right where, and who can change that."""
    limits = actor.limits
    if needed not in (SCOPES[limits.scope] if limits.scope is not None else Right):
        return f"The key that {actor.name} uses is {limits.scope}: {needed} on {name} needs a key of another scope."
    if needed is Right.DELETE:
        deleters = look.place.policies.delete
        if deleters == "nobody":
            return f"Nothing may be deleted in {name}: the namespace's policy says so."
        return f"{actor.name} may read {name} but not delete there: that needs the role {deleters} or a higher one."
    return f"{actor.name} may read {name} but not {needed} there: that needs the role write, which its admins give."


def _remember(kept: dict[Any, Any], key: Any, value: Any) -> None:
    """Keep a value; of too many the oldest goes."""
    if len(kept) >= _REMEMBERED:
        del kept[next(iter(kept))]
    kept[key] = value
