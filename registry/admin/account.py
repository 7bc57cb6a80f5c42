"""`gati-registry admin account …`: people's accounts, for whoever runs the registry."""

import json
import secrets
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from registry.admin import running
from registry.admin.running import F, Household, Refusal
from registry.auth import accounts, password_changes
from registry.auth.bootstrap import OPERATOR
from registry.auth.sql_accounts import Account
from registry.config import Settings
from registry.namespaces import opening, removal
from registry.namespaces.accounts import NewAccount, create_user


@click.group("account")
def command() -> None:
    """Make, list, suspend and delete accounts, and give them passwords."""


def _password_option(function: F) -> F:
    text = "Read the password from standard input instead of making one."
    return click.option("--password-stdin", is_flag=True, help=text)(function)


@dataclass(frozen=True, slots=True)
class _Given:
    """A password, and whether it is for once: nobody but who sees it printed knows it."""

    text: str
    is_made: bool

    def say(self, name: str) -> None:
        """Print one that was made, to the terminal alone."""
        if self.is_made:
            click.echo(f"Password: {self.text}")
            click.echo(f"It is not kept anywhere and must be changed first: gati login --username {name}.")


def _password(*, from_stdin: bool) -> _Given:
    if not from_stdin:
        return _Given(secrets.token_urlsafe(18), is_made=True)
    try:
        text = sys.stdin.buffer.readline().decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise Refusal("The password on standard input is not UTF-8.") from error
    if not text:
        raise Refusal("There is no password on standard input.")
    return _Given(text, is_made=False)


@command.command("create")
@click.argument("name")
@click.option("--email", metavar="ADDRESS", help="Where mail reaches its owner.")
@click.option("--administrator", is_flag=True, help="It administers the registry.")
@_password_option
@running.config_option
def create_command(
    *, config: Path | None, name: str, email: str | None, administrator: bool, password_stdin: bool
) -> None:
    """Make the account NAME and its namespace users/NAME, also of a reserved name.

    Without --password-stdin a password is made and printed; it must be changed first. The first account of a registry
    is an administrator, ends open access, and owns what is there.
    """
    given = _password(from_stdin=password_stdin)
    new = NewAccount(
        name=name,
        email=email,
        password=given.text,
        is_administrator=administrator,
        must_change_password=given.is_made,
        may_take_reserved=True,
    )
    was_open, made = running.run(_create(running.settings(config), new))
    role = "an administrator" if made.is_administrator else "an ordinary account"
    click.echo(f"Made the account {name}, {role}.")
    if was_open:
        click.echo("It is the first one: from now on everybody logs in, and what was there is in its namespaces.")
    given.say(name)


async def _create(settings: Settings, new: NewAccount) -> tuple[bool, Account]:
    async with running.household(settings) as house:
        async with house.realm.db.connection() as connection:
            was_open = not await opening.has_ended(connection)
        made = await create_user(house.realm, OPERATOR, new)
        return was_open, await accounts.find(house.realm, made)


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a line.")
@running.config_option
def list_command(*, config: Path | None, as_json: bool) -> None:
    """List accounts, those of robots too."""
    running.run(_list(running.settings(config), as_json=as_json))


async def _list(settings: Settings, *, as_json: bool) -> None:
    async with running.household(settings) as house:
        after = 0
        while found := await accounts.page(house.realm, after):
            for account in found:
                shown = _shown(account)
                click.echo(json.dumps(shown) if as_json else "  ".join(str(value) for value in shown.values() if value))
            after = found[-1].id


def _shown(account: Account) -> dict[str, Any]:
    return {
        "name": account.name,
        "kind": account.kind,
        "state": account.state,
        "role": "administrator" if account.is_administrator else None,
        "email": account.email,
    }


def _change(name: str, config: Path | None, act: Callable[[Household, Account], Awaitable[None]]) -> None:
    async def change(settings: Settings) -> None:
        async with running.household(settings) as house:
            await act(house, await accounts.find_named(house.realm, name))

    running.run(change(running.settings(config)))


@command.command("suspend")
@click.argument("name")
@running.config_option
def suspend_command(*, config: Path | None, name: str) -> None:
    """Refuse the account NAME everything from the next request on; nothing of it is lost."""
    _change(name, config, lambda house, found: accounts.suspend(house.realm, OPERATOR, found.id))
    click.echo(f"The account {name} is suspended.")


@command.command("resume")
@click.argument("name")
@running.config_option
def resume_command(*, config: Path | None, name: str) -> None:
    """Let the suspended account NAME in again."""
    _change(name, config, lambda house, found: accounts.resume(house.realm, OPERATOR, found.id))
    click.echo(f"The account {name} is active.")


@command.command("grant-administrator")
@click.argument("name")
@click.option("--revoke", is_flag=True, help="Take it away instead.")
@running.config_option
def grant_administrator_command(*, config: Path | None, name: str, revoke: bool) -> None:
    """Make the account NAME an administrator of the registry."""

    async def grant(house: Household, found: Account) -> None:
        await accounts.set_administrator(house.realm, OPERATOR, found.id, is_administrator=not revoke)

    _change(name, config, grant)
    click.echo(f"The account {name} is {'no administrator any more' if revoke else 'an administrator'}.")


@command.command("password")
@click.argument("name")
@_password_option
@running.config_option
def password_command(*, config: Path | None, name: str, password_stdin: bool) -> None:
    """Give the account NAME a password that must be changed first; its logins end, its keys stay."""
    given = _password(from_stdin=password_stdin)
    _change(
        name, config, lambda house, found: password_changes.set_password(house.realm, OPERATOR, found.id, given.text)
    )
    click.echo(f"The account {name} has another password.")
    given.say(name)


@command.command("delete")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@running.config_option
def delete_command(*, config: Path | None, name: str, yes: bool) -> None:
    """Delete the account NAME with its namespace and every repository in it. Nobody can ever have its name again."""
    if not yes:
        click.confirm(f"Delete {name} and users/{name} with all repositories in it, for ever?", abort=True)

    async def delete(house: Household, found: Account) -> None:
        await removal.delete_user(house.realm, OPERATOR, found.id, house.remove_repository)

    _change(name, config, delete)
    click.echo(f"The account {name} is deleted; its content goes with the next sweeps.")
