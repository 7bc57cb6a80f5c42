"""Who a caller is: each form of a credential, and each way that it ends."""

import base64
import math
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from registry.auth.identify import Identifier
from registry.auth.model import ANONYMOUS, Limits
from registry.auth.realm import Realm
from registry.auth.secrets import mint
from registry.auth.signing import KeyRing
from registry.core.errors import (
    BadRequest,
    CredentialExpired,
    CredentialRevoked,
    InvalidCredentials,
    InvalidToken,
)
from tests.auth.callers import ACCESS, AT, EXPECTED, WORD, recorded, token
from tests.auth.people import HOME, NOW, People, basic, bearer


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
