"""What a process opens by its settings: database, store, counters, accounts, rate limits."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from registry.auth import signing
from registry.auth.passwords import Passwords
from registry.auth.realm import Realm
from registry.auth.secrets import Secrets
from registry.auth.signing import KeyRing
from registry.config import Settings
from registry.content.shelf import Policy, Shelf
from registry.core.errors import Unavailable
from registry.infra.changes import Changes
from registry.infra.db import embedded
from registry.infra.db.pool import Database, connect_arguments, open_database
from registry.infra.http.counters import Counters
from registry.infra.limits.limiter import Limiter
from registry.infra.limits.model import Kind
from registry.infra.limits.open import Counting, open_limiter
from registry.infra.mail import Mail
from registry.infra.storage.directory import DirectoryStore
from registry.infra.storage.keys import COUNTERS, LIMITS
from registry.infra.telemetry import metrics


async def open_shelf(settings: Settings) -> Shelf:
    """Database and store of these settings.

    Raises:
        Unavailable: the database does not answer.
    """
    if settings.database_url is not None:
        arguments = connect_arguments(settings.database_url)
    else:
        server = await embedded.attach(settings.data_dir)
        if server is None:
            raise Unavailable("The embedded database does not run: gati-registry serve starts it.")
        arguments = server.connect_arguments()
    store = DirectoryStore(settings.storage_url, settings.disk_reserve)
    await asyncio.to_thread(store.prepare)
    is_alone = settings.database_url is None or settings.single_host
    async with AsyncExitStack() as opened:
        counters = Counters(settings.storage_url / COUNTERS) if is_alone else None
        token = ""
        if counters is not None:
            opened.callback(counters.close)
            token = counters.token
        db = await open_database(arguments, settings.database_pool_min, settings.database_pool_max, token)
        opened.push_async_callback(db.close)
        await _check_others(settings, db, counters)
        secret = await _secret(db)
        opened.pop_all()
    return Shelf(db, store, _policy(settings), secret, Changes(db, counters))


async def _check_others(settings: Settings, db: Database, counters: Counters | None) -> None:
    """Refuse to run beside processes of the other kind; this one's cell or connection can be seen by them already."""
    if counters is not None and await db.has_connections(""):
        raise Unavailable("Processes of this registry run without SINGLE_HOST: it holds for all of them or for none.")
    if counters is None and await asyncio.to_thread(Counters.is_used, settings.storage_url / COUNTERS):
        raise Unavailable("Other processes of this registry answer from memory: set SINGLE_HOST=true here, too.")


async def _secret(db: Database) -> bytes:
    async with db.connection() as connection:
        return bytes(await connection.fetchval("SELECT secret FROM instance"))


def open_limits(settings: Settings, secret: bytes) -> Limiter:
    """The rate limits of these settings, counted by all processes together, and by several hosts in Redis.

    Raises:
        Unavailable: the file that the processes share cannot be used.
    """
    rates = {
        Kind.GENERAL: settings.rate_limit_general,
        Kind.SIGNED_IN: settings.rate_limit_signed_in,
        Kind.UPLOAD: settings.rate_limit_upload,
        Kind.TRANSFER: settings.rate_limit_transfer,
        Kind.AUTH: settings.rate_limit_auth,
    }
    if settings.database_url is None or settings.single_host:
        is_one = settings.database_url is None and settings.web_processes == 1
        return open_limiter(rates, Counting(None if is_one else settings.storage_url / LIMITS))
    folder = os.environ.get(metrics.DIRECTORY_VARIABLE)
    return open_limiter(rates, Counting(Path(folder) / LIMITS if folder else None, settings.redis_url, secret))


def _policy(settings: Settings) -> Policy:
    return Policy(
        grace=settings.grace,
        orphans=settings.orphan_referrers,
        upload_expiry=settings.upload_expiry,
        sparse=settings.sparse_manifests,
        max_blob_size=settings.max_blob_size,
        small_blob=settings.small_blob,
        max_uploads=settings.max_uploads,
        unpublish_window=settings.unpublish_window,
    )


@asynccontextmanager
async def open_realm(settings: Settings, shelf: Shelf) -> AsyncIterator[Realm]:
    """What accounts and their credentials need, with a key that signs tokens.

    Raises:
        Unavailable: the file of secrets or the database cannot be used.
    """
    secrets = await asyncio.to_thread(Secrets.load, settings.secrets_file)
    mail = Mail(settings.smtp_url, settings.mail_from) if settings.smtp_url and settings.mail_from else None
    realm = Realm(shelf.db, shelf.changes, secrets, Passwords(), mail, lambda: datetime.now(UTC), settings.public_url)
    try:
        await signing.ensure(realm, settings.jwt_secret)
        await KeyRing(realm).signing(time.time())  # a file of secrets of another registry is told now, not to callers
        yield realm
    finally:
        if mail is not None:
            await mail.close()
        realm.passwords.close()
