"""`gati whoami`."""

import click

from registry.cli.api import route
from registry.cli.commands_of import Command
from registry.cli.run import Run, pass_run
from registry.cli.session import connect


@click.command(cls=Command)
@pass_run
def command(run: Run) -> None:
    """Say who you are to the registry, by which credential, and what you belong to."""
    api = connect(run)
    found = api.get(route("me")).body
    if run.out.as_json:
        run.out.record(found, ())
        return
    account, credential = found.get("account") or {}, found.get("credential") or {}
    roles = [f"{one.get('namespace')} ({one.get('role')})" for one in found.get("memberships") or []]
    shown = {
        "registry": api.address.url,
        "account": account.get("username"),
        "email": account.get("email"),
        "emailVerified": account.get("emailVerified"),
        "administrator": account.get("isAdministrator"),
        "credential": credential.get("kind"),
        "scope": credential.get("scope"),
        "expires": credential.get("expiresAt"),
        "memberships": roles,
    }
    run.out.record({name: value for name, value in shown.items() if value is not None}, tuple(shown))
