"""Accounts are changed by those who may, all at once, and the registry never loses its last administrator."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from registry.audit.model import By
from registry.auth import accounts, keys, password_changes, refresh_tokens, sessions
from registry.auth.accounts import NewUser
from registry.auth.keys import NewKey
from registry.auth.realm import Realm
from registry.core.errors import Conflict, InvalidCredentials, NotFound, Unprocessable
from registry.infra.mail import Mail
from tests.auth.desk import ANOTHER, PASSWORD, SOMEBODY, Desk, nothing_tells
from tests.auth.letterbox import letterbox


@pytest.fixture
async def alone(desk: Desk) -> None:
    """Nobody else has an account."""
    async with desk.realm.db.connection() as connection:
        await connection.execute("TRUNCATE accounts CASCADE")


async def test_a_new_person_is_found_by_name_and_in_the_list_and_the_log(realm: Realm, desk: Desk) -> None:
    ann = await desk.person(email="Ann@EXAMPLE.org")
    found = await desk.see(ann)
    assert (found.kind, found.state, found.email, found.email_verified_at) == (
        "user",
        "active",
        "Ann@example.org",
        None,
    )
    assert await accounts.find_named(realm, found.name) == found
    assert await accounts.page(realm, ann - 1, 1) == [found]
    assert await accounts.page(realm, ann) == []
    assert await desk.actions(ann) == ["account.created"]


@pytest.mark.parametrize("name", ["nobody-of-this-name", "nul\0", "\ud800", ""])
async def test_a_name_that_nobody_has_is_not_found(realm: Realm, name: str) -> None:
    with pytest.raises(NotFound):
        await accounts.find_named(realm, name)


async def test_a_name_is_given_once_to_people_and_robots(realm: Realm, desk: Desk) -> None:
    ann = await desk.see(await desk.person())
    with pytest.raises(Conflict, match="choose another name"):
        async with realm.db.transaction() as connection:
            await accounts.add_user(connection, realm, SOMEBODY, NewUser(ann.name, None, None, ann.namespace))
    robot = await desk.see(await desk.robot())
    with pytest.raises(Conflict, match="choose another name"):
        async with realm.db.transaction() as connection:
            await accounts.add_robot(connection, realm, SOMEBODY, robot.name, robot.namespace)


@pytest.mark.parametrize(
    "email", ["", "ann", "a@b@c.org", "ann@-x.org", "a b@x.org", "ann@x.org\n", "änn@x.org", "<a@x.org>"]
)
async def test_an_address_that_mail_cannot_go_to_is_refused(desk: Desk, email: str) -> None:
    with pytest.raises(Unprocessable, match=r"ann@example\.org"):
        await desk.person(email=email)


async def test_an_address_that_a_stranger_claims_is_still_free_for_its_owner(desk: Desk) -> None:
    await desk.person(email="claimed@example.org")
    assert (await desk.see(await desk.person(email="Claimed@example.org"))).email == "Claimed@example.org"


async def test_a_changed_password_ends_other_logins_and_refresh_tokens_but_not_this_login_and_not_keys(
    realm: Realm, desk: Desk
) -> None:
    ann = await desk.person(must_change_password=True)
    name = (await desk.see(ann)).name
    here, there = [await sessions.login(realm, SOMEBODY, name, PASSWORD) for _ in range(2)]
    by = await desk.by(ann, here.session_id)
    _, key = await keys.create(realm, by, NewKey(ann, "laptop"))
    password = await desk.run("SELECT id FROM credentials WHERE account = $1 AND kind = 'password'", ann)
    refresh = await refresh_tokens.issue(realm, by, ann, password, "docker")
    stamp = desk.stamp(ann)
    await password_changes.change_password(realm, by, ann, PASSWORD, ANOTHER)
    assert not desk.holds(stamp)
    assert [await desk.is_good(one) for one in (here.session, here.renewal, key)] == [True, True, True]
    assert [await desk.is_good(one) for one in (there.session, there.renewal, refresh)] == [False, False, False]
    assert await desk.has_password(ann, ANOTHER)
    assert not (await desk.see(ann)).must_change_password
    assert (await desk.actions(ann))[-1] == "account.password-changed"
    assert await desk.run("SELECT count(*) FROM credentials WHERE account = $1 AND kind = 'password'", ann) == 2


@pytest.mark.parametrize(
    ("old", "new", "refusal"),
    [
        ("wrong", ANOTHER, InvalidCredentials),
        (PASSWORD, PASSWORD, Unprocessable),
        (PASSWORD, "changeme", Unprocessable),
        (PASSWORD, "short", Unprocessable),
    ],
)
async def test_a_password_is_changed_only_by_who_knows_it_and_into_a_good_one(
    realm: Realm, desk: Desk, old: str, new: str, refusal: type[Exception]
) -> None:
    ann = await desk.person()
    with pytest.raises(refusal):
        await password_changes.change_password(realm, await desk.by(ann), ann, old, new)
    assert await desk.has_password(ann, PASSWORD)
    assert await desk.actions(ann) == ["account.created"]


async def test_of_two_changes_at_once_one_is_told_that_it_came_too_late(realm: Realm, desk: Desk) -> None:
    ann = await desk.person()
    by = await desk.by(ann)
    done = await asyncio.gather(
        *(password_changes.change_password(realm, by, ann, PASSWORD, f"{ANOTHER}{n}") for n in range(2)),
        return_exceptions=True,
    )
    [refusal] = [one for one in done if one is not None]
    assert isinstance(refusal, Conflict | InvalidCredentials)
    assert (await desk.actions(ann)).count("account.password-changed") == 1


async def test_a_password_that_the_operator_gives_must_be_changed_first(realm: Realm, desk: Desk) -> None:
    ann = await desk.person()
    pair = await sessions.login(realm, SOMEBODY, (await desk.see(ann)).name, PASSWORD)
    await password_changes.set_password(realm, By(None, "operator"), ann, ANOTHER)
    assert (await desk.see(ann)).must_change_password
    assert await desk.has_password(ann, ANOTHER)
    assert not await desk.is_good(pair.session)
    with pytest.raises(Unprocessable, match="robot"):
        await password_changes.set_password(realm, By(None, "operator"), await desk.robot(), ANOTHER)


async def test_a_changed_address_is_unconfirmed_and_the_former_one_hears_of_it(realm: Realm, desk: Desk) -> None:
    ann = await desk.person(email="former@example.org")
    await desk.run("UPDATE accounts SET email_verified_at = now() WHERE id = $1", ann)
    async with letterbox() as box:
        mail = Mail(f"smtp://127.0.0.1:{box.port}", "registry@example.org")
        posting = replace(realm, mail=mail, public_url="https://registry.example.org")
        with pytest.raises(InvalidCredentials):
            await accounts.change_email(posting, await desk.by(ann), ann, "wrong", "new@example.org")
        await accounts.change_email(posting, await desk.by(ann), ann, PASSWORD, "new@example.org")
        await password_changes.change_password(posting, await desk.by(ann), ann, PASSWORD, ANOTHER)
        await mail.settled()
    found = await desk.see(ann)
    assert (found.email, found.email_verified_at) == ("new@example.org", None)
    assert [letter["To"] for letter in box.letters] == ["former@example.org"]
    assert "https://registry.example.org has another e-mail address" in " ".join(box.text().split())


async def test_the_owner_of_a_confirmed_address_hears_of_a_new_password(realm: Realm, desk: Desk) -> None:
    ann = await desk.person(email="hears@example.org")
    await desk.run("UPDATE accounts SET email_verified_at = now() WHERE id = $1", ann)
    async with letterbox() as box:
        mail = Mail(f"smtp://127.0.0.1:{box.port}", "registry@example.org")
        changing = replace(realm, mail=mail)
        await password_changes.change_password(changing, await desk.by(ann), ann, PASSWORD, ANOTHER)
        await mail.settled()
    assert "has a new password" in box.text()
    assert ANOTHER not in box.text()


async def test_a_display_name_is_one_line(realm: Realm, desk: Desk) -> None:
    ann = await desk.person()
    await accounts.change_display_name(realm, await desk.by(ann), ann, "Ann Øster")
    assert (await desk.see(ann)).display_name == "Ann Øster"
    for odd in ("two\nlines", "x" * 101, "nul\0", "\ud800"):
        with pytest.raises(Unprocessable):
            await accounts.change_display_name(realm, await desk.by(ann), ann, odd)


async def test_a_suspended_account_has_nothing_that_is_good_until_it_is_resumed(realm: Realm, desk: Desk) -> None:
    ann = await desk.person()
    _, key = await keys.create(realm, await desk.by(ann), NewKey(ann, "laptop"))
    stamp = desk.stamp(ann)
    await accounts.suspend(realm, SOMEBODY, ann)
    assert not desk.holds(stamp)
    assert not await desk.is_good(key)
    stamp = desk.stamp(ann)
    await accounts.resume(realm, SOMEBODY, ann)
    assert not desk.holds(stamp)
    assert await desk.is_good(key)
    assert (await desk.actions(ann))[-2:] == ["account.suspended", "account.resumed"]


async def test_a_deleted_account_has_nothing_left_and_its_address_is_free(realm: Realm, desk: Desk) -> None:
    ann = await desk.person(email="freed@example.org")
    await desk.run("UPDATE accounts SET email_verified_at = now() WHERE id = $1", ann)
    name = (await desk.see(ann)).name
    pair = await sessions.login(realm, SOMEBODY, name, PASSWORD)
    _, key = await keys.create(realm, await desk.by(ann), NewKey(ann, "laptop"))
    stamp = desk.stamp(ann)
    await accounts.delete(realm, SOMEBODY, ann)
    assert not desk.holds(stamp)
    assert [await desk.is_good(one) for one in (pair.session, pair.renewal, key)] == [False] * 3
    with pytest.raises(NotFound):
        await desk.see(ann)
    with pytest.raises(InvalidCredentials):
        await sessions.login(realm, SOMEBODY, name, PASSWORD)
    assert await desk.run("SELECT email FROM accounts WHERE id = $1", ann) is None
    assert (await desk.actions(name))[-1] == "account.deleted"
    for action in (accounts.delete, accounts.suspend, accounts.resume):
        with pytest.raises(NotFound):
            await action(realm, SOMEBODY, ann)


async def test_the_last_administrator_is_neither_deleted_nor_suspended_nor_demoted(
    realm: Realm, desk: Desk, alone: None
) -> None:
    ann, bea = await desk.person(is_administrator=True), await desk.person()
    for action in (accounts.delete, accounts.suspend):
        with pytest.raises(Conflict, match="last administrator"):
            await action(realm, SOMEBODY, ann)
    with pytest.raises(Conflict, match="last administrator"):
        await accounts.set_administrator(realm, SOMEBODY, ann, is_administrator=False)
    await accounts.set_administrator(realm, SOMEBODY, bea, is_administrator=True)
    await accounts.suspend(realm, SOMEBODY, ann)
    with pytest.raises(Conflict, match="last administrator"):
        await accounts.delete(realm, SOMEBODY, bea)
    assert (await desk.actions(bea))[-1] == "account.made-administrator"


async def test_of_administrators_who_depose_each_other_at_once_one_stays(realm: Realm, desk: Desk, alone: None) -> None:
    team = [await desk.person(is_administrator=True) for _ in range(4)]
    deposed = [accounts.set_administrator(realm, SOMEBODY, one, is_administrator=False) for one in team]
    done: list[Any] = await asyncio.gather(*deposed, return_exceptions=True)
    assert [type(one) for one in done if one is not None] == [Conflict]
    assert await desk.run("SELECT count(*) FROM accounts WHERE is_administrator") == 1


async def test_a_robot_is_no_administrator(realm: Realm, desk: Desk) -> None:
    with pytest.raises(Conflict, match="only a person"):
        await accounts.set_administrator(realm, SOMEBODY, await desk.robot(), is_administrator=True)


async def test_a_change_that_cannot_be_logged_does_not_happen(
    realm: Realm, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await desk.person()

    async def fail(*_: Any) -> None:
        raise KeyError("audit")

    monkeypatch.setattr("registry.auth.accounts.record", fail)
    with pytest.raises(KeyError, match="audit"):
        await accounts.suspend(realm, SOMEBODY, ann)
    assert (await desk.see(ann)).state == "active"


async def test_no_password_is_in_the_log_or_the_audit_log(
    realm: Realm, desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    ann = await desk.person()
    by = await desk.by(ann)
    with pytest.raises(InvalidCredentials):
        await password_changes.change_password(realm, by, ann, "canary-wrong", ANOTHER, tmp_path / "none")
    await password_changes.change_password(realm, by, ann, PASSWORD, ANOTHER, tmp_path / "none")
    await nothing_tells(desk, capsys, caplog, PASSWORD, ANOTHER, "canary", "argon2")
