"""Who a caller is: each form of a credential, each way that it ends, and what is remembered of it."""

import asyncio
import base64
import math
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from registry.audit.model import By
from registry.auth import identify as module
from registry.auth import signing, sql
from registry.auth.identify import Identified, Identifier, Memory
from registry.auth.model import ANONYMOUS, Grant, Limits
from registry.auth.presented import claimed_name
from registry.auth.realm import Realm, account_slot
from registry.auth.secrets import mint
from registry.auth.signing import KeyRing
from registry.auth.tokens import Claims, Expected, sign
from registry.core.errors import (
    BadRequest,
    CredentialExpired,
    CredentialRevoked,
    InvalidCredentials,
    InvalidToken,
    Unauthorized,
)
from registry.infra.changes import Changes
from tests.auth.people import HOME, NOW, People, basic, bearer

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


@pytest.fixture
def ring(realm: Realm) -> KeyRing:
    return KeyRing(realm)


@pytest.fixture
def identifier(realm: Realm, ring: KeyRing) -> Identifier:
    return Identifier(realm, ring, EXPECTED)


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the statements that look a credential up."""
    seen: list[str] = []
    for name in ("by_id", "by_hash", "by_name", "by_email"):
        recorded(monkeypatch, sql, name, seen)
    return seen


async def token(ring: KeyRing, subject: str, credential: int | None, at: float = AT) -> str:
    return sign(await ring.signing(at), Claims(ISSUER, AUDIENCE, subject, credential, ACCESS), at)


async def changed(realm: Realm, people: People, account: int, table: str, row: int, **columns: Any) -> None:
    """A change as actions make it: announced."""
    async with realm.changes.around((account_slot(account),)):
        await people.change(table, row, **columns)


@pytest.mark.parametrize("values", [[], [b""], [b"Basic Og=="], [b"basic  Og=="]])
async def test_who_sends_nothing_is_anonymous(identifier: Identifier, values: list[bytes]) -> None:
    found = await identifier.identify(values, HOME, AT)
    assert found.actor == ANONYMOUS
    assert found.until == math.inf


async def test_two_credentials_at_once_are_no_request(identifier: Identifier) -> None:
    values = basic("alice", WORD) + bearer(mint("key"))
    assert identifier.recall(values, AT) is None
    with pytest.raises(BadRequest, match="more than one Authorization"):
        await identifier.identify(values, HOME, AT)


@pytest.mark.parametrize("as_written", [str, str.upper])
async def test_a_password_lets_its_user_in_by_name_or_by_mail(
    identifier: Identifier, people: People, as_written: Any
) -> None:
    account, name = await people.account(email="", must_change_password=True)
    await people.change("accounts", account, email=f"{name}@Example.org")
    credential = await people.password(account, WORD)
    with pytest.raises(InvalidCredentials):  # nobody has confirmed the address
        await identifier.identify(basic(as_written(f"{name}@example.org"), WORD), HOME, AT)
    await people.change("accounts", account, email_verified_at=NOW)
    for user in (name, f"{name}@example.org"):
        actor = (await identifier.identify(basic(as_written(user), WORD), HOME, AT)).actor
        assert (actor.principal, actor.account, actor.name, actor.kind) == (f"u:{account}", account, name, "user")
        assert (actor.credential, actor.limits, actor.ceiling) == (credential, Limits(), None)
        assert actor.must_change_password


@pytest.mark.parametrize("name", ["nobody-has-this", "a@b.example", "nul\0", "x" * 400, "team+ci", "\N{KELVIN SIGN}"])
async def test_a_wrong_name_and_a_wrong_password_get_the_same_answer_after_the_same_work(
    identifier: Identifier, people: People, realm: Realm, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    account, known = await people.account()
    await people.password(account, WORD)
    _, nameless = await people.account()
    checked = recorded(monkeypatch, realm.passwords, "_matches")
    for user in (name, known, nameless):
        with pytest.raises(InvalidCredentials) as caught:
            await identifier.identify(basic(user, "not the password"), HOME, AT)
        assert caught.value.message == "The user name or the password is wrong."
        assert caught.value.detail == {"reason": "INVALID_CREDENTIALS"}
    assert len(checked) == 3


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (b"Basic " + base64.b64encode(b"alice:\xff\xfe"), "UTF-8"),
        (b"Basic " + base64.b64encode(b"\xe4:x"), "UTF-8"),
        (b"Basic not base64!", "Base64"),
        (b"Basic abc", "Base64"),
        (b"Basic", "colon"),
        (b"Basic " + base64.b64encode(b"alice"), "colon"),
        (b"Basic " + base64.b64encode(b"alice:"), "wrong"),
        (b"Basic " + base64.b64encode(b":word"), "wrong"),
        (b"Bearer", "none that this registry made"),
        (b"Bearer \xff", "none that this registry made"),
        (b"Bearer gati_key_" + b"0" * 49, "none that this registry made"),
        (b"Bearer a.b.c", "log in again"),
        (b"Negotiate abc", "no other scheme"),
        (b"Bearer " + b"x" * 65536, "longer than"),
    ],
)
async def test_what_cannot_be_a_credential_is_refused_with_a_sentence_and_without_a_statement(
    identifier: Identifier, statements: list[str], value: bytes, words: str
) -> None:
    with pytest.raises(InvalidCredentials, match=words) as caught:
        await identifier.identify([value], HOME, AT)
    assert caught.value.status == 401
    assert statements == []


@pytest.mark.parametrize(
    ("kind", "account_kind"), [("key", "user"), ("robot", "robot"), ("session", "user"), ("key", "robot")]
)
async def test_a_key_or_session_lets_its_account_in_alone_or_beside_the_name(
    identifier: Identifier, people: People, kind: str, account_kind: str
) -> None:
    account, name = await people.account(account_kind)
    credential, text = await people.secret(account, kind)
    for values in (bearer(text), basic(name, text), basic(name.upper(), text)):
        actor = (await identifier.identify(values, HOME, AT)).actor
        assert actor.principal == f"{account_kind[0]}:{account}"
        assert (actor.name, actor.kind, actor.credential) == (name, account_kind, credential)
    for user in ("somebody", f"{name}@example.org", name[:-1]):
        with pytest.raises(InvalidCredentials, match="user name"):
            await identifier.identify(basic(user, text), HOME, AT)


@pytest.mark.parametrize("kind", ["refresh", "renew", "verify", "reset"])
async def test_a_secret_for_something_else_does_not_log_in(
    identifier: Identifier, people: People, statements: list[str], kind: str
) -> None:
    account, name = await people.account()
    text = (await people.secret(account, kind))[1] if kind in {"refresh", "renew"} else mint(kind)
    for values in (bearer(text), basic(name, text)):
        with pytest.raises(InvalidCredentials, match="not one to log in with"):
            await identifier.identify(values, HOME, AT)
    assert statements == []


async def test_a_refresh_token_is_good_for_new_tokens_alone(identifier: Identifier, people: People) -> None:
    account, _ = await people.account()
    credential, text = await people.secret(account, "refresh")
    found = await identifier.refresh_holder(text, HOME, AT)
    assert (found.actor.principal, found.actor.credential) == (f"u:{account}", credential)
    for other in (await people.secret(account), await people.secret(account, "renew")):
        with pytest.raises(InvalidCredentials):
            await identifier.refresh_holder(other[1], HOME, AT)
    with pytest.raises(InvalidCredentials):
        await identifier.refresh_holder("\ud800", HOME, AT)
    await people.change("credentials", credential, revoked_at=NOW)
    with pytest.raises(CredentialRevoked):
        await identifier.refresh_holder(text, HOME, AT)


async def test_a_secret_is_good_only_as_what_its_row_says_that_it_is(identifier: Identifier, people: People) -> None:
    account, _ = await people.account()
    credential, text = await people.secret(account)
    await people.change("credentials", credential, kind="renewal")
    with pytest.raises(InvalidCredentials, match="not one to be used in this way"):
        await identifier.identify(bearer(text), HOME, AT)


async def test_a_robot_has_no_password(identifier: Identifier, people: People) -> None:
    account, name = await people.account("robot")
    await people.password(account, WORD)
    with pytest.raises(InvalidCredentials, match="wrong"):
        await identifier.identify(basic(name, WORD), HOME, AT)


async def test_an_unknown_key_is_refused(identifier: Identifier) -> None:
    with pytest.raises(InvalidCredentials, match="not one of this registry"):
        await identifier.identify(bearer(mint("key")), HOME, AT)


async def test_the_limits_of_a_key_go_with_its_caller_and_its_tokens(
    identifier: Identifier, people: People, ring: KeyRing
) -> None:
    account, _ = await people.account()
    limits: dict[str, Any] = {
        "scope": "read-only",
        "namespaces": [3],
        "repositories": [4, 5],
        "addresses": ["192.0.2.0/24"],
    }
    credential, text = await people.secret(account, **limits)
    for values in (bearer(text), bearer(await token(ring, f"u:{account}", credential))):
        found = await identifier.identify(values, HOME, AT)
        assert found.actor.limits == Limits("read-only", frozenset({3}), frozenset({4, 5}), ("192.0.2.0/24",))
        assert found.stamp is None


@pytest.mark.parametrize(
    ("address", "is_in"),
    [
        ("192.0.2.7", True),
        ("::ffff:192.0.2.7", True),
        ("2001:db8::9", True),
        ("192.0.3.1", False),
        ("2001:db9::", False),
        ("", False),
        ("unix", False),
    ],
)
async def test_a_key_for_some_networks_is_refused_from_others_each_time(
    identifier: Identifier, people: People, ring: KeyRing, address: str, is_in: bool
) -> None:
    account, _ = await people.account()
    credential, text = await people.secret(account, addresses=["192.0.2.0/24", "2001:db8::/32"])
    for values in (bearer(text), bearer(await token(ring, f"u:{account}", credential))):
        await identifier.identify(values, HOME, AT)
        await identifier.identify(values, HOME, AT)
        assert identifier.recall(values, AT) is None
        if is_in:
            await identifier.identify(values, address, AT)
        else:
            with pytest.raises(InvalidCredentials, match="may not be used from"):
                await identifier.identify(values, address, AT)


@pytest.mark.parametrize("state", ["suspended", "deleted"])
@pytest.mark.parametrize("kind", ["user", "robot"])
async def test_an_account_that_is_no_longer_active_is_refused_with_all_it_has(
    identifier: Identifier, people: People, ring: KeyRing, state: str, kind: str
) -> None:
    account, name = await people.account(kind)
    credential, key = await people.secret(account)
    text = await token(ring, f"{kind[0]}:{account}", credential)
    if kind == "user":
        await people.password(account, WORD)
    await people.change("accounts", account, state=state)
    for values in (bearer(key), basic(name, key), bearer(text)):
        with pytest.raises(CredentialRevoked, match=state):
            await identifier.identify(values, HOME, AT)
    if kind == "user":
        with pytest.raises(InvalidCredentials, match=state if state == "suspended" else "wrong"):
            await identifier.identify(basic(name, WORD), HOME, AT)


async def test_a_robot_outlives_who_made_it(identifier: Identifier, people: People) -> None:
    maker, _ = await people.account()
    robot, _ = await people.account("robot", created_by=maker)
    _, text = await people.secret(robot, "robot", created_by=maker)
    await people.change("accounts", maker, state="deleted")
    assert (await identifier.identify(bearer(text), HOME, AT)).actor.account == robot


async def test_who_has_a_revoked_or_expired_key_is_told_so(
    identifier: Identifier, people: People, ring: KeyRing
) -> None:
    account, _ = await people.account()
    credential, text = await people.secret(account, expires_at=NOW + timedelta(seconds=10))
    made = await token(ring, f"u:{account}", credential)
    found = await identifier.identify(bearer(text), HOME, AT)
    assert found.until == AT + 10
    assert (await identifier.identify(bearer(made), HOME, AT)).until == AT + 10
    for values in (bearer(text), bearer(made)):
        with pytest.raises(CredentialExpired) as expired:
            await identifier.identify(values, HOME, AT + 10)
        assert expired.value.detail == {"reason": "TOKEN_EXPIRED"}
    await people.change("credentials", credential, revoked_at=NOW)
    fresh = Identifier(people.realm, ring, EXPECTED)
    for values in (bearer(text), bearer(made)):
        with pytest.raises(CredentialRevoked) as revoked:
            await fresh.identify(values, HOME, AT)
        assert revoked.value.detail == {"reason": "TOKEN_REVOKED"}


async def test_a_rotated_key_ends_a_push_that_runs_and_no_more_and_a_revoked_one_ends_at_once(
    identifier: Identifier, people: People
) -> None:
    account, _ = await people.account()
    later, _ = await people.secret(account)
    credential, text = await people.secret(account, expires_at=NOW, replaced_by=later)
    found = await identifier.identify(bearer(text), HOME, AT + 3599)
    found = await identifier.identify(bearer(text), HOME, AT + 3599)
    assert found.actor.late
    assert found.stamp is None
    assert identifier.recall(bearer(text), AT + 3599) is None
    with pytest.raises(CredentialExpired):
        await identifier.identify(bearer(text), HOME, AT + 3600)
    await people.change("credentials", credential, revoked_at=NOW)
    with pytest.raises(CredentialRevoked):
        await identifier.identify(bearer(text), HOME, AT)


async def test_an_expired_token_is_late_for_an_hour_and_never_remembered(
    identifier: Identifier, people: People, ring: KeyRing
) -> None:
    account, _ = await people.account()
    credential, _ = await people.secret(account)
    values = bearer(await token(ring, f"u:{account}", credential))
    assert not (await identifier.identify(values, HOME, AT + 299)).actor.late
    assert not (await identifier.identify(values, HOME, AT + 329)).actor.late
    late = await identifier.identify(values, HOME, AT + 330)
    assert (late.actor.late, late.stamp) == (True, None)
    assert identifier.recall(values, AT + 330) is None
    await people.change("credentials", credential, revoked_at=NOW)
    with pytest.raises(CredentialRevoked):
        await identifier.identify(values, HOME, AT + 331)


async def test_a_token_of_nobody_is_anonymous_with_a_ceiling_and_never_late(
    identifier: Identifier, ring: KeyRing, statements: list[str]
) -> None:
    values = bearer(await token(ring, "anon", None))
    found = await identifier.identify(values, HOME, AT)
    assert found.actor == replace(ANONYMOUS, ceiling=ACCESS)
    assert identifier.recall(values, AT) == found
    with pytest.raises(CredentialExpired):
        await identifier.identify(values, HOME, AT + 331)
    assert statements == []


async def test_a_token_is_good_only_with_the_account_and_the_kind_of_credential_that_it_was_made_for(
    identifier: Identifier, people: People, ring: KeyRing
) -> None:
    account, _ = await people.account()
    other, _ = await people.account()
    credential, _ = await people.secret(account)
    renewal, _ = await people.secret(account, "renew")
    refresh, _ = await people.secret(account, "refresh")
    assert (await identifier.identify(bearer(await token(ring, f"u:{account}", refresh)), HOME, AT)).actor.account
    for subject, row in (
        (f"u:{other}", credential),
        (f"r:{account}", credential),
        (f"u:{account}", renewal),
        (f"u:{account}", 1 << 40),
    ):
        with pytest.raises(InvalidToken):
            await identifier.identify(bearer(await token(ring, subject, row)), HOME, AT)


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
