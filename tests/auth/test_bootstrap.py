"""A closed registry starts with one administrator, whose password only who runs it can read."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from registry.audit.model import By
from registry.auth import accounts, bootstrap, password_changes
from registry.auth.accounts import NewUser
from registry.auth.bootstrap import initial_password
from registry.auth.realm import Realm
from registry.core.errors import Unavailable, Unprocessable
from tests.auth.desk import ANOTHER, Desk, nothing_tells


async def create(connection: Any, realm: Realm, by: By, new: NewUser) -> int:
    """The namespace and the account, as one who knows of namespaces makes them."""
    slug = f"home-of-{new.name}"
    await connection.execute("DELETE FROM namespaces WHERE slug = $1", slug)
    home = await connection.fetchval("INSERT INTO namespaces (kind, slug) VALUES ('user', $1) RETURNING id", slug)
    fields = NewUser(new.name, new.email, new.password_hash, home, new.is_administrator, new.must_change_password)
    return await accounts.add_user(connection, realm, by, fields)


@pytest.fixture(autouse=True)
async def alone(realm: Realm) -> None:
    """Nobody has an account."""
    async with realm.db.connection() as connection:
        await connection.execute("TRUNCATE accounts CASCADE")


async def test_the_first_start_makes_an_administrator_who_must_choose_a_password(
    realm: Realm, desk: Desk, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    password = await bootstrap.ensure_administrator(realm, folder, create)
    file = initial_password(folder)
    assert password is not None
    assert file.read_text() == f"{password}\n"
    assert (file.stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (0o600, 0o700)
    assert len(password) >= 24
    admin = await accounts.find_named(realm, "admin")
    assert (admin.is_administrator, admin.must_change_password) == (True, True)
    assert await desk.has_password(admin.id, password)
    assert await desk.actions("admin") == ["account.created"]


async def test_there_is_one_administrator_and_one_password_however_many_processes_start(
    realm: Realm, tmp_path: Path
) -> None:
    made = await asyncio.gather(*(bootstrap.ensure_administrator(realm, tmp_path, create) for _ in range(4)))
    [password] = [one for one in made if one is not None]
    assert initial_password(tmp_path).read_text().strip() == password
    assert await bootstrap.ensure_administrator(realm, tmp_path, create) is None
    assert len(await accounts.page(realm)) == 1


async def test_a_registry_that_ever_had_an_account_gets_no_administrator(
    realm: Realm, desk: Desk, tmp_path: Path
) -> None:
    await accounts.delete(realm, By(None, "operator"), await desk.person())
    assert await bootstrap.ensure_administrator(realm, tmp_path, create) is None
    assert not initial_password(tmp_path).exists()


async def test_the_file_goes_when_its_password_is_changed_and_not_before(
    realm: Realm, desk: Desk, tmp_path: Path
) -> None:
    password = await bootstrap.ensure_administrator(realm, tmp_path, create)
    assert password is not None
    file = initial_password(tmp_path)
    bea = await desk.person()
    await password_changes.change_password(realm, await desk.by(bea), bea, "canary-Correct-horse-1", ANOTHER, file)
    assert file.exists()
    admin = (await accounts.find_named(realm, "admin")).id
    for odd in (password, "admin", "admin123", "administrator", "Harbor12345"):
        with pytest.raises(Unprocessable):
            await password_changes.change_password(realm, await desk.by(admin), admin, password, odd, file)
    assert file.exists()
    await password_changes.change_password(realm, await desk.by(admin), admin, password, ANOTHER, file)
    assert not file.exists()
    assert not (await desk.see(admin)).must_change_password


async def test_what_is_left_of_a_start_that_failed_is_written_anew(realm: Realm, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("kept")
    initial_password(tmp_path).symlink_to(elsewhere)
    (tmp_path / ".initial-password.new").symlink_to(elsewhere)

    async def fail(*_: Any) -> int:
        raise KeyError("create")

    with pytest.raises(KeyError):
        await bootstrap.ensure_administrator(realm, tmp_path, fail)
    assert await accounts.page(realm) == []
    password = await bootstrap.ensure_administrator(realm, tmp_path, create)
    assert initial_password(tmp_path).read_text().strip() == password
    assert not initial_password(tmp_path).is_symlink()
    assert elsewhere.read_text() == "kept"


async def test_without_the_file_there_is_no_account_either(realm: Realm, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(Unavailable, match="cannot be written"):
        await bootstrap.ensure_administrator(realm, blocked, create)
    assert await accounts.page(realm) == []


async def test_the_first_password_is_in_no_log(
    realm: Realm, desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    password = await bootstrap.ensure_administrator(realm, tmp_path, create)
    assert password is not None
    await nothing_tells(desk, capsys, caplog, password)
