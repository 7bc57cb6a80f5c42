"""What tests of callers share."""

from typing import Any

import pytest

from registry.auth.model import Grant
from registry.auth.realm import Realm, account_slot
from registry.auth.signing import KeyRing
from registry.auth.tokens import Claims, Expected, sign
from tests.auth.people import NOW, People

AT = NOW.timestamp()
WORD = "pass:wörd: and more"
ISSUER, AUDIENCE = "https://registry.example.org", "gati-registry"
EXPECTED = Expected(frozenset({ISSUER}), AUDIENCE)
ACCESS = {"acme/tool": Grant(frozenset({"pull"}), 7, 1)}


def recorded(patch: pytest.MonkeyPatch, holder: Any, name: str, seen: list[str] | None = None) -> list[str]:
    """Every call of a function adds its name to the list."""
    calls: list[str] = [] if seen is None else seen
    work = getattr(holder, name)

    def call(*arguments: Any) -> Any:
        calls.append(name)
        return work(*arguments)

    patch.setattr(holder, name, call)
    return calls


async def token(ring: KeyRing, subject: str, credential: int | None, at: float = AT) -> str:
    return sign(await ring.signing(at), Claims(ISSUER, AUDIENCE, subject, credential, ACCESS), at)


async def changed(realm: Realm, people: People, account: int, table: str, row: int, **columns: Any) -> None:
    """A change as actions make it: announced."""
    async with realm.changes.around((account_slot(account),)):
        await people.change(table, row, **columns)
