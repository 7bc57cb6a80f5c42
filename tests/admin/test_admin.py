"""`gati-registry admin …`, as whoever runs the registry uses it."""

import asyncio
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from click.testing import CliRunner, Result

from registry.__main__ import main
from tests.web.town import PASSWORD, forget_everybody

Admin = Callable[..., Result]


@pytest.fixture
def admin(database_url: str, tmp_path: Path) -> Iterator[Admin]:
    """Runs a command on a registry without accounts."""
    environ = {"DATABASE_URL": database_url, "GATI_DATA_DIR": str(tmp_path / "data"), "PATH": os.environ["PATH"]}

    def run(*arguments: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(main, ["admin", *arguments], env=environ, input=stdin)

    asyncio.run(forget_everybody(database_url))
    yield run
    asyncio.run(forget_everybody(database_url))


@pytest.fixture
def ask(database_url: str) -> Callable[..., Any]:
    """One value of the database."""

    async def value(statement: str, *values: Any) -> Any:
        connection = await asyncpg.connect(database_url)
        found = await connection.fetchval(statement, *values)
        await connection.close()
        return found

    return lambda statement, *values: asyncio.run(value(statement, *values))


def create(admin: Admin, name: str, *more: str) -> Result:
    done = admin("account", "create", name, "--password-stdin", *more, stdin=f"{PASSWORD}\n")
    assert done.exit_code == 0, done.output
    return done


def test_the_first_account_is_an_administrator_and_what_was_there_is_its(admin: Admin, ask: Callable[..., Any]) -> None:
    ask("INSERT INTO repositories (name) VALUES ('library/app')")
    done = create(admin, "admin", "--email", "a@example.org")
    assert "Made the account admin, an administrator." in done.output
    assert "first one" in done.output
    assert PASSWORD not in done.output
    assert ask("SELECT namespace IS NOT NULL FROM repositories")
    again = create(admin, "zoe")
    assert "an ordinary account" in again.output
    assert "first one" not in again.output


def test_a_password_that_is_made_is_printed_once_and_must_be_changed(admin: Admin, ask: Callable[..., Any]) -> None:
    done = admin("account", "create", "zoe", "--administrator")
    [password] = re.findall(r"^Password: (\S{20,})$", done.output, re.MULTILINE)
    assert ask("SELECT must_change_password FROM accounts WHERE name = 'zoe'")
    again = admin("account", "password", "zoe")
    assert password not in again.output
    assert "Password: " in again.output
    assert "Password: " not in admin("account", "password", "zoe", "--password-stdin", stdin=PASSWORD).output
    assert ask("SELECT must_change_password FROM accounts WHERE name = 'zoe'")
    assert password not in str(ask("SELECT json_agg(a) FROM audit_events a"))


def test_accounts_are_listed_suspended_resumed_and_made_administrators(admin: Admin) -> None:
    create(admin, "boss")
    create(admin, "zoe", "--email", "zoe@example.org")
    assert admin("account", "suspend", "zoe").exit_code == 0
    assert "zoe  user  suspended  zoe@example.org" in admin("account", "list").output
    assert admin("account", "resume", "zoe").exit_code == 0
    assert admin("account", "grant-administrator", "zoe").exit_code == 0
    rows = [json.loads(line) for line in admin("account", "list", "--json").output.splitlines()]
    assert {(row["name"], row["role"], row["state"]) for row in rows} == {
        ("boss", "administrator", "active"),
        ("zoe", "administrator", "active"),
    }
    assert admin("account", "grant-administrator", "zoe", "--revoke").exit_code == 0


def test_a_deleted_account_is_asked_for_and_gone(admin: Admin, ask: Callable[..., Any]) -> None:
    create(admin, "boss")
    create(admin, "zoe")
    ask(
        "INSERT INTO repositories (name, namespace) SELECT 'users/zoe/app', namespace FROM accounts WHERE name = 'zoe' "
        "RETURNING 1"
    )
    assert admin("account", "delete", "zoe", stdin="n\n").exit_code == 1
    assert ask("SELECT state FROM accounts WHERE name = 'zoe'") == "active"
    done = admin("account", "delete", "zoe", "--yes")
    assert done.exit_code == 0, done.output
    assert ask("SELECT state FROM accounts WHERE name = 'zoe'") == "deleted"
    assert ask("SELECT count(*) FROM repositories WHERE state = 'live'") == 0
    assert "taken" in admin("account", "create", "zoe").output


def test_namespaces_are_made_for_somebody_and_deleted(admin: Admin, ask: Callable[..., Any]) -> None:
    create(admin, "boss")
    for name in ("orgs/acme", "library"):
        done = admin("namespace", "create", name, "--owner", "boss")
        assert done.output == f"The namespace {name} is boss's.\n"
    assert admin("namespace", "delete", "orgs/acme", "--yes").exit_code == 0
    assert ask("SELECT state FROM namespaces WHERE slug = 'acme'") == "deleted"
    assert "taken" in admin("namespace", "create", "orgs/acme", "--owner", "boss").output


def test_the_signing_key_is_replaced(admin: Admin, ask: Callable[..., Any]) -> None:
    create(admin, "boss")
    before = ask("SELECT count(*) FROM signing_keys")
    assert "Nobody is logged out" in admin("signing-key", "rotate").output
    assert ask("SELECT count(*) FROM signing_keys") == before + 1


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["account", "suspend", "nobody"], 1, "There is no such account"),
        (["account", "suspend", "boss"], 1, "last administrator"),
        (["account", "delete", "boss", "--yes"], 1, "last administrator"),
        (["account", "create", "Zoe"], 1, "lower case"),
        (["account", "create", "zoe", "--password-stdin"], 1, "no password on standard input"),
        (["account", "create", "zoe", "--email", "nobody"], 1, "not an e-mail address"),
        (["namespace", "create", "users/zoe", "--owner", "boss"], 2, "comes with its account"),
        (["namespace", "create", "orgs/a/b", "--owner", "boss"], 2, "orgs/SLUG or a SLUG"),
        (["namespace", "create", "orgs/acme", "--owner", "nobody"], 1, "There is no such account"),
        (["namespace", "delete", "nowhere", "--yes"], 1, "There is no such namespace"),
        (["namespace", "delete", "users/boss", "--yes"], 1, "delete the account"),
    ],
)
def test_what_cannot_be_is_refused_with_a_reason(
    admin: Admin, arguments: list[str], status: int, sentence: str
) -> None:
    create(admin, "boss")
    done = admin(*arguments)
    assert (done.exit_code, sentence in done.output) == (status, True), done.output
