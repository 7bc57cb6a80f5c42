"""Whatever names are asked for at once, each is one namespace's, and so is all that looks like it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.audit.model import By
from registry.auth.passwords import Passwords
from registry.auth.realm import Realm
from registry.auth.secrets import Secrets
from registry.core.errors import Conflict, Unprocessable
from registry.infra.changes import Changes
from registry.infra.db.pool import open_database
from registry.namespaces import accounts, renaming, spaces
from registry.namespaces.accounts import NewAccount
from registry.namespaces.spaces import NewNamespace

OPERATOR = By(None, "operator")
TABLES = "namespaces, accounts, repositories, blobs, review, outbox, audit_events"
ALIKE = {"m": ["m", "rn"], "w": ["w", "vv"], "l": ["l", "1", "i"], "o": ["o", "0"], "-": ["-", "--"]}
RESERVED = {"admin", "root", "login", "www", "gati"}
WORDS = ["mill", "owl", "a-b", "ab", "x", "rn-vv", *sorted(RESERVED)]


@st.composite
def spellings(draw: st.DrawFn) -> tuple[str, str]:
    """A word, and a spelling of it that looks like it or differs in case."""
    word = draw(st.sampled_from(WORDS))
    letters = word.replace("rn", "m").replace("vv", "w")
    spelled = "".join(draw(st.sampled_from(ALIKE.get(letter, [letter]))) for letter in letters)
    return word, draw(st.sampled_from([spelled, spelled, spelled, spelled.upper(), spelled.title()]))


KINDS = st.sampled_from(["user", "org", "plain", "rename"])
ASKED = st.lists(st.tuples(KINDS, spellings()), min_size=2, max_size=8)


@pytest.fixture
async def realm(database_url: str, tmp_path: Path) -> AsyncIterator[Realm]:
    """A realm without anybody in it, and afterwards again."""
    db, passwords = await open_database({"dsn": database_url}, 1, 8), Passwords()
    found = Realm(db, Changes(db, None), Secrets.load(tmp_path / "secrets"), passwords, None, lambda: datetime.now(UTC))
    yield found
    passwords.close()
    await empty(found)
    await db.close()


async def empty(realm: Realm) -> None:
    async with realm.db.connection() as connection:
        await connection.execute(f"TRUNCATE {TABLES} RESTART IDENTITY CASCADE")
        await connection.execute("UPDATE instance SET has_accounts = false")


async def claim(realm: Realm, owner: int, kind: str, slug: str, place: int) -> None:
    """Ask for a name, for a new namespace or for one that is there."""
    if kind == "user":
        await accounts.create_user(realm, OPERATOR, NewAccount(name=slug))
    elif kind == "org":
        await spaces.create_org(realm, OPERATOR, NewNamespace(slug), owner)
    elif kind == "plain":
        await spaces.create_plain(realm, OPERATOR, NewNamespace(slug), owner)
    else:
        await renaming.rename(realm, OPERATOR, place, NewNamespace(slug))


# Feature: gati-registry, Property 12: Namespace uniqueness
@pytest.mark.timeout(600)
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(asked=ASKED)
async def test_of_names_that_look_alike_one_is_taken_whoever_asks_at_once(
    realm: Realm, asked: list[tuple[str, tuple[str, str]]]
) -> None:
    """Of each word that is not reserved, whose spelling is legal: exactly one success, across kinds and renames."""
    await empty(realm)
    owner = await accounts.create_user(realm, OPERATOR, NewAccount(name="zeus"))
    places = [
        (await spaces.create_org(realm, OPERATOR, NewNamespace(f"place-{number}"), owner)).id
        for number in range(len(asked))
    ]
    outcomes = await asyncio.gather(
        *(claim(realm, owner, kind, slug, place) for (kind, (_, slug)), place in zip(asked, places, strict=True)),
        return_exceptions=True,
    )
    legal = {word for _, (word, slug) in asked if word not in RESERVED and slug == slug.lower()}
    taken = [word for (_, (word, _)), outcome in zip(asked, outcomes, strict=True) if outcome is None]
    assert sorted(taken) == sorted(legal)
    assert all(outcome is None or isinstance(outcome, Conflict | Unprocessable) for outcome in outcomes)
