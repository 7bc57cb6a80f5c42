"""Refresh tokens of the registry's token endpoint: they do not rotate, as no client stores a rotated one."""

from datetime import timedelta
from typing import Final

from registry.audit.model import By, Event
from registry.audit.record import record
from registry.auth import accounts, sql_accounts, sql_credentials
from registry.auth.accounts import changing
from registry.auth.realm import Realm
from registry.auth.secrets import hint, mint
from registry.auth.sql_credentials import NewCredential
from registry.core.errors import CredentialRevoked

LIFE: Final = timedelta(days=30)
MOST: Final = 1000
_PARENTS: Final = ("key", "password")


async def issue(realm: Realm, by: By, account: int, credential: int, client: str) -> str:
    """A secret for the token endpoint, good for 30 days and no longer than `credential`, within its limits.

    It ends with that: a key that is revoked, expires or is rotated away, a password that is changed. The client's id is
    its name. Beyond 1,000 of an account the oldest end.

    Raises:
        CredentialRevoked: `credential` is not a live key or password of the account, or that is suspended.
    """
    now, secret = realm.clock(), mint("refresh")
    async with changing(realm, account) as connection:
        owner = accounts.there(await sql_accounts.lock(connection, account))
        parent = await sql_credentials.lock(connection, credential)
        usable = parent is not None and parent.kind in _PARENTS and parent.account == account and parent.is_live(now)
        if parent is None or not usable or owner.state != "active":
            raise CredentialRevoked("The credential of this request is not good any more.")
        row = NewCredential(
            account=account,
            kind="refresh",
            name=accounts.one_line(client),
            hint=hint(secret),
            hashed=realm.secrets.hash(secret),
            limits=parent.limits,
            parent=parent.id,
            created_by=account,
            created_at=now,
            expires_at=min(now + LIFE, parent.expires_at or now + LIFE),
        )
        made = await sql_credentials.insert(connection, row)
        await sql_credentials.revoke_oldest(connection, account, "refresh", MOST, now)
        detail = {"id": made, "client": row.name}
        await record(connection, by, Event("refresh-token.created", owner.name, detail=detail))
    return secret
