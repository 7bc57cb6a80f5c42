"""What is remembered of a caller, and until when."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from registry.audit.model import By
from registry.auth import identify as module
from registry.auth import signing, sql
from registry.auth.identify import Identified, Identifier, Memory
from registry.auth.presented import claimed_name
from registry.auth.realm import Realm
from registry.auth.signing import KeyRing
from registry.auth.tokens import Claims, sign
from registry.core.errors import (
    CredentialExpired,
    CredentialRevoked,
    InvalidCredentials,
    InvalidToken,
    Unauthorized,
)
from registry.infra.changes import Changes
from tests.auth.callers import AT, AUDIENCE, EXPECTED, ISSUER, WORD, changed, recorded, token
from tests.auth.people import HOME, NOW, People, basic, bearer


async def test_a_token_of_a_key_that_another_host_made_is_good_within_the_second(realm: Realm, people: People) -> None:
    elsewhere = replace(realm, changes=Changes(realm.db, None))
    ring, far = KeyRing(elsewhere), KeyRing(elsewhere)
    identifier = Identifier(elsewhere, ring, EXPECTED)
    await ring.verifying(AT)
    await signing.rotate(elsewhere, By(None, "operator"))
    values = bearer(sign(await far.signing(AT + 61), Claims(ISSUER, AUDIENCE, "anon", None), AT + 25))
    assert (await identifier.identify(values, HOME, AT + 25)).actor.principal == "anon"


@pytest.mark.parametrize("form", ["key", "password", "token"])
async def test_a_known_caller_costs_no_statement_until_something_of_its_account_changes(
    identifier: Identifier, people: People, realm: Realm, ring: KeyRing, statements: list[str], form: str
) -> None:
    account, name = await people.account()
    credential, text = await people.secret(account)
    values = bearer(text)
    if form == "password":
        credential = await people.password(account, WORD)
        values = basic(name, WORD)
    elif form == "token":
        values = bearer(await token(ring, f"u:{account}", credential))
    await identifier.identify(values, HOME, AT)
    assert len(statements) == {"key": 1, "password": 2, "token": 1}[form]
    found = await identifier.identify(values, HOME, AT)
    assert found.stamp is not None
    statements.clear()
    assert identifier.recall(values, AT) is await identifier.identify(values, HOME, AT)
    assert statements == []
    assert identifier.recall(values, AT + 300) is None
    await changed(realm, people, account, "accounts", account, is_administrator=True)
    assert identifier.recall(values, AT) is None
    assert (await identifier.identify(values, HOME, AT)).actor.is_administrator
    await changed(realm, people, account, "credentials", credential, revoked_at=NOW)
    for _ in range(2):
        with pytest.raises(InvalidCredentials):
            await identifier.identify(values, HOME, AT)


@pytest.mark.parametrize("form", ["key", "password", "token"])
async def test_what_changes_while_it_is_read_is_not_remembered(
    identifier: Identifier, people: People, realm: Realm, ring: KeyRing, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    account, name = await people.account()
    credential, text = await people.secret(account)
    values = bearer(text)
    if form == "password":
        credential = await people.password(account, WORD)
        values = basic(name, WORD)
    elif form == "token":
        values = bearer(await token(ring, f"u:{account}", credential))
    else:
        await identifier.identify(values, HOME, AT)
    statement = "by_hash" if form == "key" else "by_id"
    work = getattr(sql, statement)

    async def revoked_right_after(*arguments: Any) -> Any:
        row = await work(*arguments)
        await changed(realm, people, account, "credentials", credential, revoked_at=NOW)
        return row

    monkeypatch.setattr(sql, statement, revoked_right_after)
    await identifier.identify(values, HOME, AT)
    monkeypatch.undo()
    assert identifier.recall(values, AT) is None
    with pytest.raises(InvalidCredentials):
        await identifier.identify(values, HOME, AT)


async def test_a_password_that_is_changed_while_it_is_checked_is_refused(
    identifier: Identifier, people: People, realm: Realm, monkeypatch: pytest.MonkeyPatch
) -> None:
    account, name = await people.account()
    credential = await people.password(account, WORD)
    work = realm.passwords.verify

    async def changed_meanwhile(stored: str | None, password: str) -> bool:
        await people.change("credentials", credential, revoked_at=NOW)
        return await work(stored, password)

    monkeypatch.setattr(realm.passwords, "verify", changed_meanwhile)
    with pytest.raises(CredentialRevoked):
        await identifier.identify(basic(name, WORD), HOME, AT)


async def test_a_new_signing_key_or_the_end_of_open_access_makes_every_caller_be_told_anew(
    identifier: Identifier, people: People, realm: Realm, ring: KeyRing
) -> None:
    account, _ = await people.account()
    credential, _ = await people.secret(account)
    values = bearer(await token(ring, f"u:{account}", credential))
    await identifier.identify(values, HOME, AT)
    await signing.rotate(realm, By(None, "operator"))
    assert identifier.recall(values, AT) is None
    assert (await identifier.identify(values, HOME, AT)).actor.account == account


async def test_with_several_hosts_the_row_is_read_each_time_and_the_signature_checked_once(
    realm: Realm, people: People, statements: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = replace(realm, changes=Changes(realm.db, None))
    ring = KeyRing(elsewhere)
    identifier = Identifier(elsewhere, ring, EXPECTED)
    account, _ = await people.account()
    credential, text = await people.secret(account)
    values = bearer(await token(ring, f"u:{account}", credential))
    checks = recorded(monkeypatch, module, "verify")
    for _ in range(3):
        assert (await identifier.identify(values, HOME, AT)).stamp is None
        assert (await identifier.identify(bearer(text), HOME, AT)).stamp is None
        assert identifier.recall(values, AT) is None
    assert (len(checks), len(statements)) == (1, 6)
    await people.change("credentials", credential, revoked_at=NOW)
    with pytest.raises(CredentialRevoked):
        await identifier.identify(values, HOME, AT)


def test_what_is_remembered_has_a_bound_and_keeps_what_is_asked_for() -> None:
    memory: Memory[int] = Memory(10)
    memory.put(b"kept", 1)
    for number in range(1000):
        memory.put(str(number).encode(), number)
        assert memory.get(b"kept") == 1
        assert len(memory) <= 10
    assert memory.get(b"0") is None


async def test_when_and_from_where_a_key_was_used_last_is_written_in_batches(
    identifier: Identifier, people: People
) -> None:
    account, _ = await people.account()
    first, one = await people.secret(account)
    second, two = await people.secret(account)
    await identifier.identify(bearer(one), HOME, AT)
    await identifier.identify(bearer(one), "2001:db8::1", AT + 1)
    await identifier.identify(bearer(two), "", AT + 2)
    used = "SELECT last_used_at::text || ' ' || coalesce(host(last_used_from), '-') FROM credentials WHERE id = $1"
    assert await people.run(used, first) is None
    await asyncio.gather(identifier.flush_last_use(), identifier.flush_last_use())
    assert await people.run(used, first) == "2030-01-01 00:00:01+00 2001:db8::1"
    assert await people.run(used, second) == "2030-01-01 00:00:02+00 -"
    later = Identifier(people.realm, identifier._ring, EXPECTED)
    await later.identify(bearer(one), HOME, AT - 5)
    await later.flush_last_use()
    assert await people.run(used, first) == "2030-01-01 00:00:01+00 2001:db8::1"


async def test_uses_that_could_not_be_written_wait_for_the_next_time(
    identifier: Identifier, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    account, _ = await people.account()
    credential, text = await people.secret(account)
    await identifier.identify(bearer(text), HOME, AT)

    async def fail(*_: Any) -> None:
        raise OSError("full")

    monkeypatch.setattr(sql, "record_use", fail)
    with pytest.raises(OSError, match="full"):
        await identifier.flush_last_use()
    monkeypatch.undo()
    await identifier.flush_last_use()
    assert await people.run("SELECT last_used_at FROM credentials WHERE id = $1", credential) == NOW


def test_the_name_that_a_request_claims_is_known_to_who_counts_failures() -> None:
    assert claimed_name(basic("Alice", "wrong")) == "alice"
    assert [claimed_name(values) for values in ([], [b"Bearer x"], [b"Basic !"], basic("", "x"), [b"x", b"y"])] == [
        ""
    ] * 5


def test_every_refusal_of_a_credential_is_one_of_the_class_that_is_counted() -> None:
    assert issubclass(InvalidCredentials, Unauthorized)
    for kind in (InvalidToken, CredentialExpired, CredentialRevoked):
        assert issubclass(kind, InvalidCredentials)
    assert Identified.__slots__ == ("actor", "until", "stamp")
