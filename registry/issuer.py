"""Makes registry tokens: the caller that the guard knows, the rights that it holds now, the key that signs."""

import time
from collections.abc import MutableMapping
from typing import Any, Final

from registry.auth import refresh_tokens
from registry.auth.admission import Caller
from registry.auth.realm import Realm
from registry.auth.signing import KeyRing
from registry.auth.tokens import LIFETIME, Claims, SigningKey, sign
from registry.core.errors import CredentialRevoked, InvalidToken
from registry.guard import AUDIENCE, Guard
from registry.namespaces import scopes
from registry.namespaces.access import Right
from registry.namespaces.rights import Place
from registry.namespaces.scopes import Granted, Scopes

_REUSED: Final = 60.0
_KEPT: Final = 1000


class Issuer:
    """The tokens of one process. One for the anonymous is given again for a minute, while it lists the same."""

    def __init__(self, guard: Guard, realm: Realm, keys: KeyRing, issuer: str) -> None:
        self._guard = guard
        self._realm = realm
        self._keys = keys
        self._issuer = issuer
        self._anonymous: dict[tuple[str, Granted], tuple[float, str]] = {}

    async def caller(self, scope: MutableMapping[str, Any], *, may_be_late: bool = False) -> Caller:
        """Whoever the Authorization of a request is of; anonymous without one.

        Raises:
            Unauthorized: as `Guard.caller`; or it is a registry token: one that lists little would become one that
                lists all, again and again.
        """
        caller = await self._guard.caller(scope, may_be_late=may_be_late)
        if caller.actor.ceiling is not None:
            raise InvalidToken("A token is not given for another one: send the password or the key, or nothing.")
        return caller

    async def login(self, scope: MutableMapping[str, Any], name: str, secret: str) -> Caller:
        """Whoever a name and a password or key, sent in a form, are of."""
        return await self._guard.login(scope, name, secret)

    async def renew(self, scope: MutableMapping[str, Any], secret: str) -> Caller:
        """Whoever a refresh token was given to."""
        return await self._guard.renew(scope, secret)

    async def grant(self, caller: Caller, asked: Scopes) -> Granted:
        """What the caller gets of the scopes, and for how many seconds."""

        async def look(name: str) -> tuple[Place, frozenset[Right]]:
            found = await self._guard.look(caller, name)
            return found.place, found.held

        return await scopes.grant(asked, look, LIFETIME)

    async def sign(self, caller: Caller, granted: Granted) -> tuple[str, int]:
        """A token of that, and for how many seconds it is still good."""
        now = time.time()
        key = await self._keys.signing(now)
        if caller.actor.account is not None:
            return self._signed(caller, granted, key, now), granted.seconds
        asked = (key.kid, granted)
        made, token = self._anonymous.get(asked, (0.0, ""))
        if not 0 <= now - made < min(_REUSED, granted.seconds / 2):
            if len(self._anonymous) >= _KEPT:
                self._anonymous.clear()
            made, token = now, self._signed(caller, granted, key, now)
            self._anonymous[asked] = (made, token)
        return token, int(made + granted.seconds - now)

    def _signed(self, caller: Caller, granted: Granted, key: SigningKey, now: float) -> str:
        actor = caller.actor
        access = dict(granted.access)
        claims = Claims(self._issuer, AUDIENCE, actor.principal, actor.credential, access, granted.catalog)
        return sign(key, claims, now, granted.seconds)

    async def refresh(self, caller: Caller, client: str) -> str | None:
        """A refresh token, which is told only now; None for callers that get none."""
        actor = caller.actor
        if actor.account is None or actor.credential is None:
            return None
        try:
            return await refresh_tokens.issue(self._realm, caller.by, actor.account, actor.credential, client)
        except CredentialRevoked:
            return None
