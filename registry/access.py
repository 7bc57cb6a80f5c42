"""Who decides in one process, put together: guard, issuer of tokens, limits, and what is written of them in batches."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from registry.audit.denials import Denials
from registry.auth.identify import Identifier
from registry.auth.realm import Realm
from registry.auth.signing import KeyRing
from registry.auth.tokens import Expected
from registry.config import Settings
from registry.content.shelf import Shelf
from registry.core.errors import Unavailable
from registry.guard import AUDIENCE, Guard, Keepers, Rules
from registry.infra.http.address import Addresses
from registry.infra.http.origin import BrowserGuard
from registry.infra.limits.limiter import Limiter
from registry.issuer import Issuer
from registry.parts import open_limits, open_realm
from registry.rest_guard import RestGuard


@dataclass(slots=True)
class Access:
    """What the lifespan of a process opens beside the shelf."""

    realm: Realm
    keys: KeyRing
    identifier: Identifier
    limiter: Limiter
    denials: Denials
    guard: Guard
    issuer: Issuer
    rest: RestGuard
    _writing: asyncio.Task[None] | None = field(default=None)

    def tick(self) -> None:
        """Begin to write when credentials were used, unless that is still being written."""
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        with contextlib.suppress(Unavailable):
            await self.identifier.flush_last_use()

    async def finish(self) -> None:
        """Write what is left."""
        if self._writing is not None:
            await self._writing
        await self._write()


@asynccontextmanager
async def open_access(settings: Settings, shelf: Shelf) -> AsyncIterator[Access]:
    """Who decides by these settings.

    Raises:
        Unavailable: the database, the file of secrets or that of the limits cannot be used.
    """
    async with open_realm(settings, shelf) as realm:
        limiter = open_limits(settings, shelf.secret)
        access = _access(settings, realm, limiter)
        try:
            yield access
        finally:
            await access.finish()
            await limiter.close()


def _access(settings: Settings, realm: Realm, limiter: Limiter) -> Access:
    issuer = settings.public_url or AUDIENCE
    keys, denials = KeyRing(realm), Denials()
    identifier = Identifier(realm, keys, Expected((issuer,), AUDIENCE))
    browsers = BrowserGuard(settings.public_url, settings.allowed_hosts, settings.cors_origins)
    rules = Rules(settings.is_open, settings.public_url, Addresses(settings.trusted_proxies))
    guard = Guard(rules, Keepers(browsers, realm, identifier, limiter, denials))
    makes, rest = Issuer(guard, realm, keys, issuer), RestGuard(guard, denials)
    return Access(realm, keys, identifier, limiter, denials, guard, makes, rest)
