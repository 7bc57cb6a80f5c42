"""Codes in mail are good once, for one account, one address and a short time; who asks learns nothing of others."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from registry.auth import accounts, codes, keys, refresh_tokens, sessions, sql_accounts
from registry.auth.keys import NewKey
from registry.auth.realm import Realm
from registry.core.errors import Conflict, InvalidCredentials, TooManyRequests, Unavailable, Unprocessable
from registry.infra.mail import Mail
from tests.auth.desk import ANOTHER, PASSWORD, SOMEBODY, Desk, nothing_tells
from tests.auth.letterbox import Letterbox, letterbox
from tests.auth.people import Clock

URL = "https://registry.example.org"


@pytest.fixture
async def box() -> AsyncIterator[Letterbox]:
    async with letterbox() as found:
        yield found


@pytest.fixture
async def posting(realm: Realm, box: Letterbox) -> AsyncIterator[Realm]:
    """A realm that sends mail."""
    mail = Mail(f"smtp://127.0.0.1:{box.port}", "registry@example.org")
    yield replace(realm, mail=mail, public_url=URL)
    await mail.close()


async def forgotten(posting: Realm, address: str) -> None:
    """Somebody forgot their password; what there is to send is sent."""
    codes.ask_reset(posting, SOMEBODY, address)
    assert posting.mail is not None
    await posting.mail.settled()


async def test_a_code_confirms_the_address_that_it_was_sent_to(posting: Realm, desk: Desk, box: Letterbox) -> None:
    ann = await desk.person(email="confirms@example.org")
    by = await desk.by(ann)
    await codes.ask_verification(posting, by, ann)
    assert box.letters[0]["To"] == "confirms@example.org"
    assert URL in box.text()
    assert f"gati account verify {box.code()}" in box.text()
    await codes.verify(posting, by, box.code())
    assert (await desk.see(ann)).email_verified_at == posting.clock()
    assert (await desk.actions(ann))[-2:] == ["account.verification-asked", "account.email-verified"]
    with pytest.raises(InvalidCredentials):
        await codes.verify(posting, by, box.code())
    with pytest.raises(Conflict, match="still to be confirmed"):
        await codes.ask_verification(posting, by, ann)


async def test_a_code_of_another_account_confirms_nothing(posting: Realm, desk: Desk, box: Letterbox) -> None:
    """Who claims a stranger's address cannot have the stranger confirm it by running what the mail says."""
    eve, ann = await desk.person(email="ann@example.org"), await desk.person()
    await codes.ask_verification(posting, await desk.by(eve), eve)
    for by in (await desk.by(ann), SOMEBODY):
        with pytest.raises(InvalidCredentials):
            await codes.verify(posting, by, box.code())
    assert (await desk.see(eve)).email_verified_at is None


async def test_an_address_that_somebody_else_confirmed_first_is_theirs(
    posting: Realm, desk: Desk, box: Letterbox
) -> None:
    eve, ann = await desk.person(email="first@example.org"), await desk.person(email="First@example.org")
    for account in (eve, ann):
        await codes.ask_verification(posting, await desk.by(account), account)
    await codes.verify(posting, await desk.by(ann), box.code(1))
    with pytest.raises(Conflict, match="belongs to another account"):
        await codes.verify(posting, await desk.by(eve), box.code(0))


async def test_codes_for_a_former_address_are_void(posting: Realm, desk: Desk, box: Letterbox) -> None:
    ann = await desk.person(email="former@example.org")
    by = await desk.by(ann)
    await codes.ask_verification(posting, by, ann)
    await forgotten(posting, "former@example.org")
    await accounts.change_email(posting, by, ann, PASSWORD, "new@example.org")
    await desk.run("UPDATE credentials SET revoked_at = NULL WHERE account = $1", ann)
    with pytest.raises(InvalidCredentials):
        await codes.verify(posting, by, box.code(0))
    with pytest.raises(InvalidCredentials):
        await codes.reset(posting, SOMEBODY, box.code(1), ANOTHER)
    assert await desk.has_password(ann, PASSWORD)


@pytest.mark.parametrize(("kind", "life"), [("verification", timedelta(hours=24)), ("reset", timedelta(hours=1))])
async def test_a_code_ends_with_its_time(
    posting: Realm, desk: Desk, box: Letterbox, clock: Clock, kind: str, life: timedelta
) -> None:
    ann = await desk.person(email=f"{kind}@example.org")
    by = await desk.by(ann)
    if kind == "reset":
        await forgotten(posting, "reset@example.org")
    else:
        await codes.ask_verification(posting, by, ann)
    clock.now += life
    with pytest.raises(InvalidCredentials):
        await (
            codes.reset(posting, by, box.code(), ANOTHER) if kind == "reset" else codes.verify(posting, by, box.code())
        )


async def test_a_code_takes_the_place_of_the_password_once_and_ends_logins_but_not_keys(
    posting: Realm, desk: Desk, box: Letterbox
) -> None:
    ann = await desk.person(email="Forgets@example.org", must_change_password=True)
    by = await desk.by(ann)
    pair = await sessions.login(posting, SOMEBODY, by.name, PASSWORD)
    key, secret = await keys.create(posting, by, NewKey(ann, "ci"))
    refresh = await refresh_tokens.issue(posting, by, ann, key.id, "docker")
    await forgotten(posting, "forgets@EXAMPLE.org")
    assert box.letters[-1]["To"] == "Forgets@example.org"
    text = " ".join(box.text().split())
    assert f"gati account reset {box.code()}" in text
    assert "API keys stay valid" in text
    assert [part for part in text.split() if "://" in part] == [f"{URL}."]
    stamp = desk.stamp(ann)
    assert await codes.reset(posting, SOMEBODY, box.code(), ANOTHER) == by.name
    assert not desk.holds(stamp)
    assert await desk.has_password(ann, ANOTHER)
    assert [await desk.is_good(one) for one in (pair.session, pair.renewal, refresh, secret)] == [False] * 3 + [True]
    found = await desk.see(ann)
    assert (found.must_change_password, found.email_verified_at) == (False, posting.clock())
    assert (await desk.actions(ann))[-2:] == ["account.reset-asked", "account.password-reset"]
    with pytest.raises(InvalidCredentials):
        await codes.reset(posting, SOMEBODY, box.code(), PASSWORD)
    assert await desk.has_password(ann, ANOTHER)


async def test_a_code_that_is_used_twice_at_once_is_good_once(posting: Realm, desk: Desk, box: Letterbox) -> None:
    ann = await desk.person(email="twice@example.org")
    await forgotten(posting, "twice@example.org")
    done: list[Any] = await asyncio.gather(
        *(codes.reset(posting, SOMEBODY, box.code(), f"{ANOTHER}{n}") for n in range(3)), return_exceptions=True
    )
    assert sum(isinstance(one, InvalidCredentials) for one in done) == 2
    assert (await desk.actions(ann)).count("account.password-reset") == 1


async def test_a_bad_new_password_does_not_use_up_the_code(posting: Realm, desk: Desk, box: Letterbox) -> None:
    ann = await desk.person(email="tries@example.org")
    await forgotten(posting, "tries@example.org")
    with pytest.raises(Unprocessable):
        await codes.reset(posting, SOMEBODY, box.code(), "changeme")
    await codes.reset(posting, SOMEBODY, box.code(), ANOTHER)
    assert await desk.has_password(ann, ANOTHER)


async def test_a_changed_password_voids_the_codes_that_would_reset_it(
    posting: Realm, desk: Desk, box: Letterbox
) -> None:
    await desk.person(email="two@example.org")
    await forgotten(posting, "two@example.org")
    await forgotten(posting, "two@example.org")
    await codes.reset(posting, SOMEBODY, box.code(1), ANOTHER)
    with pytest.raises(InvalidCredentials):
        await codes.reset(posting, SOMEBODY, box.code(0), PASSWORD)


@pytest.mark.parametrize("code", ["", "gati_reset_x", "\ud800", "gati_verify_" + "0" * 49, "x" * 100_000])
async def test_garbage_is_no_code(posting: Realm, code: str) -> None:
    for use in (codes.verify(posting, SOMEBODY, code), codes.reset(posting, SOMEBODY, code, ANOTHER)):
        with pytest.raises(InvalidCredentials):
            await use


async def test_the_code_for_one_thing_does_not_do_the_other(posting: Realm, desk: Desk, box: Letterbox) -> None:
    ann = await desk.person(email="kinds@example.org")
    by = await desk.by(ann)
    await codes.ask_verification(posting, by, ann)
    await forgotten(posting, "kinds@example.org")
    with pytest.raises(InvalidCredentials):
        await codes.reset(posting, by, box.code(0), ANOTHER)
    with pytest.raises(InvalidCredentials):
        await codes.verify(posting, by, box.code(1))


async def test_who_asks_for_a_reset_is_answered_before_anybody_is_looked_for(
    posting: Realm, desk: Desk, box: Letterbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.person(email="known@example.org")
    asked: list[str] = []
    select = sql_accounts.select_addressed

    async def note(connection: Any, email: str, count: int) -> Any:
        asked.append(email)
        return await select(connection, email, count)

    monkeypatch.setattr(sql_accounts, "select_addressed", note)
    for address in ("known@example.org", "unknown@example.org", "nonsense\0"):
        codes.ask_reset(posting, SOMEBODY, address)
    assert asked == []
    assert posting.mail is not None
    await posting.mail.settled()
    assert sorted(asked) == ["known@example.org", "unknown@example.org"]
    assert [letter["To"] for letter in box.letters] == ["known@example.org"]


async def test_a_reset_helps_the_account_that_confirmed_the_address_else_all_that_claim_it(
    posting: Realm, desk: Desk, box: Letterbox
) -> None:
    one, two = [await desk.person(email="shared@example.org") for _ in range(2)]
    await forgotten(posting, "shared@example.org")
    assert [(await desk.see(account)).name in box.text(n) for n, account in enumerate((one, two))] == [True, True]
    await codes.reset(posting, SOMEBODY, box.code(1), ANOTHER)
    await forgotten(posting, "shared@example.org")
    assert len(box.letters) == 3
    assert (await desk.see(two)).name in box.text()
    await codes.reset(posting, SOMEBODY, box.code(0), ANOTHER)
    assert (await desk.see(one)).email_verified_at is None


async def test_nobody_is_flooded_with_mail(posting: Realm, desk: Desk, box: Letterbox, clock: Clock) -> None:
    ann = await desk.person(email="flooded@example.org")
    by = await desk.by(ann)
    for _ in range(codes.MOST["reset"] + 2):
        await forgotten(posting, "flooded@example.org")
    assert len(box.letters) == codes.MOST["reset"]
    for _ in range(codes.MOST["verification"]):
        await codes.ask_verification(posting, by, ann)
        await accounts.change_email(posting, by, ann, PASSWORD, "flooded@example.org")
    with pytest.raises(TooManyRequests, match="tomorrow"):
        await codes.ask_verification(posting, by, ann)
    clock.now += timedelta(hours=1)
    await forgotten(posting, "flooded@example.org")
    assert len(box.letters) == codes.MOST["reset"] + codes.MOST["verification"] + 1


async def test_a_suspended_or_deleted_account_gets_no_code_and_the_one_it_has_is_void(
    posting: Realm, desk: Desk, box: Letterbox
) -> None:
    ann = await desk.person(email="gone@example.org")
    await forgotten(posting, "gone@example.org")
    await accounts.suspend(posting, SOMEBODY, ann)
    with pytest.raises(InvalidCredentials):
        await codes.reset(posting, SOMEBODY, box.code(), ANOTHER)
    await forgotten(posting, "gone@example.org")
    await accounts.delete(posting, SOMEBODY, ann)
    with pytest.raises(InvalidCredentials):
        await codes.reset(posting, SOMEBODY, box.code(), ANOTHER)
    await forgotten(posting, "gone@example.org")
    assert len(box.letters) == 1


async def test_where_no_mail_is_sent_that_is_said_to_everybody_alike(realm: Realm, desk: Desk) -> None:
    ann = await desk.person(email="no-mail@example.org")
    for address in ("no-mail@example.org", "unknown@example.org"):
        with pytest.raises(Conflict, match="sends no mail"):
            codes.ask_reset(realm, SOMEBODY, address)
    with pytest.raises(Conflict, match="sends no mail"):
        await codes.ask_verification(realm, await desk.by(ann), ann)


async def test_a_mail_server_that_fails_is_told_to_who_waits_and_the_code_stays_secret(
    posting: Realm, desk: Desk, box: Letterbox, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    ann = await desk.person(email="fails@example.org")
    box.refuses = True
    with pytest.raises(Unavailable):
        await codes.ask_verification(posting, await desk.by(ann), ann)
    await forgotten(posting, "fails@example.org")
    await nothing_tells(desk, capsys, caplog, "gati_verify_", "gati_reset_", "fails@example.org")


async def test_no_code_is_in_the_log_or_the_audit_log(
    posting: Realm, desk: Desk, box: Letterbox, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    ann = await desk.person(email="silent@example.org")
    by = await desk.by(ann)
    await codes.ask_verification(posting, by, ann)
    await forgotten(posting, "silent@example.org")
    await codes.verify(posting, by, box.code(0))
    await codes.reset(posting, SOMEBODY, box.code(1), ANOTHER)
    await nothing_tells(desk, capsys, caplog, box.code(0), box.code(1), ANOTHER, "silent@example.org")
