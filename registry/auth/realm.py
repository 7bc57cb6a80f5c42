"""What every action on accounts and namespaces needs (RFC 9110, section 11.5, calls a realm what one answers for)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from registry.auth.passwords import Passwords
from registry.auth.secrets import Secrets
from registry.infra.changes import Changes
from registry.infra.db.pool import Database
from registry.infra.http.counters import slot
from registry.infra.mail import Mail


@dataclass(frozen=True, slots=True)
class Realm:
    """`clock` gives the time in UTC; `mail` is None where none can be sent; `public_url` is what mail may name."""

    db: Database
    changes: Changes
    secrets: Secrets
    passwords: Passwords
    mail: Mail | None
    clock: Callable[[], datetime]
    public_url: str | None = None


def account_slot(account: int) -> int:
    """The counter slot of an account, its credentials and its memberships."""
    return slot(f"account {account}")


def namespace_slot(namespace: int) -> int:
    """The counter slot of a namespace, its members, teams and policies."""
    return slot(f"namespace {namespace}")
