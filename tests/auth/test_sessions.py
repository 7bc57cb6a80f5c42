"""Logins: a session, a renewal that is good once, and nobody ends or sees those of others."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from registry.auth import accounts, sessions
from registry.auth.realm import Realm
from registry.auth.secrets import parse
from registry.core.errors import Denied, InvalidCredentials, NotFound
from tests.auth.desk import PASSWORD, SOMEBODY, Desk, nothing_tells
from tests.auth.people import NOW, Clock


async def login(realm: Realm, desk: Desk, account: int, client: str = "") -> sessions.Pair:
    return await sessions.login(realm, SOMEBODY, (await desk.see(account)).name, PASSWORD, client)


async def test_a_login_gives_a_session_for_7_days_and_a_renewal_for_30(realm: Realm, desk: Desk) -> None:
    ann = await desk.person()
    pair = await login(realm, desk, ann)
    assert (parse(pair.session), parse(pair.renewal)) == ("session", "renew")
    assert (pair.session_expires_at, pair.renewal_expires_at) == (NOW + timedelta(days=7), NOW + timedelta(days=30))
    assert await desk.is_good(pair.session)
    assert (await desk.actions(ann))[-1] == "session.opened"
    row = "SELECT actor || ' ' || credential FROM audit_events WHERE action = 'session.opened' AND actor = $1"
    assert await desk.run(row, ann) == f"{ann} {pair.session_id}"


@pytest.mark.parametrize("name", ["nobody", "nul\0", "\ud800", "", "nobody@example.org", "x" * 10000])
async def test_an_unknown_name_is_refused_like_a_wrong_password(realm: Realm, desk: Desk, name: str) -> None:
    with pytest.raises(InvalidCredentials) as unknown:
        await sessions.login(realm, SOMEBODY, name, PASSWORD)
    with pytest.raises(InvalidCredentials) as wrong:
        await sessions.login(realm, SOMEBODY, (await desk.see(await desk.person())).name, "wrong")
    assert str(unknown.value) == str(wrong.value)


async def test_an_unknown_name_costs_a_check_of_a_password(
    realm: Realm, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str | None] = []
    verify = realm.passwords.verify

    async def count(stored: str | None, password: str) -> bool:
        checked.append(stored)
        return await verify(stored, password)

    monkeypatch.setattr(realm.passwords, "verify", count)
    for name in ("nobody", (await desk.see(await desk.robot())).name):
        with pytest.raises(InvalidCredentials):
            await sessions.login(realm, SOMEBODY, name, PASSWORD)
    assert checked == [None, None]


async def test_a_confirmed_address_is_as_good_as_the_name_and_a_claimed_one_is_not(realm: Realm, desk: Desk) -> None:
    ann = await desk.person(email="logs-in@example.org")
    with pytest.raises(InvalidCredentials):
        await sessions.login(realm, SOMEBODY, "logs-in@example.org", PASSWORD)
    await desk.run("UPDATE accounts SET email_verified_at = now() WHERE id = $1", ann)
    assert (await sessions.login(realm, SOMEBODY, "Logs-In@example.org", PASSWORD)).account.id == ann


async def test_only_who_knows_the_password_learns_that_an_account_is_suspended(realm: Realm, desk: Desk) -> None:
    ann = await desk.person()
    await accounts.suspend(realm, SOMEBODY, ann)
    with pytest.raises(Denied, match="is suspended"):
        await login(realm, desk, ann)
    with pytest.raises(InvalidCredentials):
        await sessions.login(realm, SOMEBODY, (await desk.see(ann)).name, "wrong")


async def test_a_renewal_gives_the_next_pair_and_the_old_session_a_minute(
    realm: Realm, desk: Desk, clock: Clock
) -> None:
    ann = await desk.person()
    first = await login(realm, desk, ann, "gati on laptop\n\0")
    clock.now += timedelta(days=6)
    stamp = desk.stamp(ann)
    second = await sessions.refresh(realm, SOMEBODY, first.renewal)
    assert not desk.holds(stamp)
    assert [await desk.is_good(one) for one in (first.session, second.session)] == [True, True]
    clock.now += timedelta(minutes=1)
    assert [await desk.is_good(one) for one in (first.session, second.session)] == [False, True]
    [listed] = await sessions.page(realm, await desk.by(ann, second.session_id))
    assert (listed.client, listed.is_current, listed.since) == ("gati on laptop", True, NOW)


async def test_a_renewal_that_is_used_twice_ends_the_login_whoever_has_it(realm: Realm, desk: Desk) -> None:
    ann = await desk.person()
    first, other = await login(realm, desk, ann), await login(realm, desk, ann)
    second = await sessions.refresh(realm, SOMEBODY, first.renewal)
    third = await sessions.refresh(realm, SOMEBODY, second.renewal)
    with pytest.raises(InvalidCredentials, match="has ended"):
        await sessions.refresh(realm, SOMEBODY, first.renewal)
    gone = (first.session, second.session, third.session, third.renewal)
    assert [await desk.is_good(one) for one in gone] == [False] * 4
    assert await desk.is_good(other.session)
    assert (await desk.actions(ann))[-1] == "session.renewal-reused"
    with pytest.raises(InvalidCredentials, match="log in again"):
        await sessions.refresh(realm, SOMEBODY, third.renewal)


async def test_of_parallel_uses_of_one_renewal_one_is_answered_and_the_login_ends(realm: Realm, desk: Desk) -> None:
    ann = await desk.person()
    for _ in range(5):
        first = await login(realm, desk, ann)
        done: list[Any] = await asyncio.gather(
            *(sessions.refresh(realm, SOMEBODY, first.renewal) for _ in range(2)), return_exceptions=True
        )
        [pair] = [one for one in done if isinstance(one, sessions.Pair)]
        assert sum(isinstance(one, InvalidCredentials) for one in done) == 1
        assert [await desk.is_good(one) for one in (first.session, pair.session, pair.renewal)] == [False] * 3
    assert await sessions.page(realm, await desk.by(ann)) == []


async def test_a_renewal_ends_after_30_days_and_with_its_account(realm: Realm, desk: Desk, clock: Clock) -> None:
    ann, bea = await desk.person(), await desk.person()
    pair, hers = await login(realm, desk, ann), await login(realm, desk, bea)
    await accounts.suspend(realm, SOMEBODY, bea)
    with pytest.raises(InvalidCredentials):
        await sessions.refresh(realm, SOMEBODY, hers.renewal)
    clock.now += timedelta(days=30)
    with pytest.raises(InvalidCredentials):
        await sessions.refresh(realm, SOMEBODY, pair.renewal)


async def test_only_a_renewal_renews(realm: Realm, desk: Desk) -> None:
    pair = await login(realm, desk, await desk.person())
    for odd in (pair.session, "", "gati_renew_x", pair.renewal[:-1], "\ud800"):
        with pytest.raises(InvalidCredentials):
            await sessions.refresh(realm, SOMEBODY, odd)


async def test_a_logout_ends_this_login_and_no_other(realm: Realm, desk: Desk) -> None:
    ann = await desk.person()
    here, there = await login(realm, desk, ann), await login(realm, desk, ann)
    by = await desk.by(ann, here.session_id)
    stamp = desk.stamp(ann)
    await sessions.logout(realm, by)
    assert not desk.holds(stamp)
    assert [await desk.is_good(one) for one in (here.session, here.renewal, there.session)] == [False, False, True]
    with pytest.raises(NotFound):
        await sessions.logout(realm, by)
    with pytest.raises(NotFound):
        await sessions.logout(realm, SOMEBODY)


async def test_nobody_sees_or_ends_the_login_of_another_account(realm: Realm, desk: Desk) -> None:
    ann, eve = await desk.person(), await desk.person()
    mine = await login(realm, desk, ann)
    [listed] = await sessions.page(realm, await desk.by(ann, mine.session_id))
    for number in (mine.session_id, listed.id, 0):
        with pytest.raises(NotFound):
            await sessions.revoke(realm, await desk.by(eve), number)
        with pytest.raises(NotFound):
            await sessions.revoke(realm, SOMEBODY, number)
    assert await sessions.page(realm, await desk.by(eve)) == []
    assert await sessions.page(realm, SOMEBODY) == []
    assert await desk.is_good(mine.session)
    await sessions.revoke(realm, await desk.by(ann), listed.id)
    assert not await desk.is_good(mine.session)


async def test_a_password_is_no_login_to_end(realm: Realm, desk: Desk) -> None:
    ann = await desk.person()
    password = await desk.run("SELECT id FROM credentials WHERE account = $1", ann)
    with pytest.raises(NotFound):
        await sessions.revoke(realm, await desk.by(ann), password)
    assert await desk.has_password(ann, PASSWORD)


async def test_a_password_that_changes_during_a_login_lets_nobody_in(
    realm: Realm, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await desk.person()
    verify = realm.passwords.verify

    async def meanwhile(stored: str | None, password: str) -> bool:
        found = await verify(stored, password)
        await desk.run("UPDATE credentials SET revoked_at = now() WHERE account = $1", ann)
        return found

    monkeypatch.setattr(realm.passwords, "verify", meanwhile)
    with pytest.raises(InvalidCredentials):
        await login(realm, desk, ann)
    assert await sessions.page(realm, await desk.by(ann)) == []


async def test_no_session_is_in_the_log_or_the_audit_log(
    realm: Realm, desk: Desk, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    ann = await desk.person()
    first = await login(realm, desk, ann)
    second = await sessions.refresh(realm, SOMEBODY, first.renewal)
    with pytest.raises(InvalidCredentials):
        await sessions.refresh(realm, SOMEBODY, first.renewal)
    told = (first.session, first.renewal, second.session, second.renewal, PASSWORD)
    await nothing_tells(desk, capsys, caplog, *told)
