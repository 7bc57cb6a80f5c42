"""`gati namespace members` and `gati namespace invitations`."""

from datetime import UTC, datetime

import click

from registry.cli.api import route
from registry.cli.commands_of import Group
from registry.cli.forms import lifetime, namespace
from registry.cli.run import Run, pass_run
from registry.cli.session import connect

_ROLES = click.Choice(["read", "write", "admin", "owner"])
_INVITED = 202


@click.group(cls=Group, invoke_without_command=True)
@click.argument("name", metavar="NAMESPACE")
@click.pass_context
@pass_run
def members(run: Run, context: click.Context, name: str) -> None:
    """List, set and remove the members of NAMESPACE."""
    run.namespace = namespace(name)
    if context.invoked_subcommand is None:
        context.invoke(list_members)


@members.command("list")
@pass_run
def list_members(run: Run) -> None:
    """List members and their roles."""
    items = connect(run).items(route("namespaces", run.namespace, "members"))
    run.out.table(items, ("account", "role", "addedAt", "expiresAt"))


@members.command("set")
@click.argument("account")
@click.argument("role", type=_ROLES)
@click.option("--expires", default="never", show_default=True, help="When the membership ends: 30d, 12h, or never.")
@pass_run
def set_member(run: Run, account: str, role: str, expires: str) -> None:
    """Give ACCOUNT this ROLE; somebody who is no member yet is invited."""
    life = lifetime(expires)
    set_role(run, account, role, None if life is None else datetime.now(UTC) + life)


def set_role(run: Run, account: str, role: str, ends: datetime | None) -> None:
    """Give an account a role in the namespace, or invite it."""
    until = None if ends is None else ends.isoformat(timespec="seconds")
    path = route("namespaces", run.namespace, "members", account)
    answer = connect(run).call("PUT", path, {"role": role, "expiresAt": until})
    told = f"{account} is invited as {role}." if answer.status == _INVITED else f"{account} is {role} now."
    run.out.done(told, answer.body)


@members.command("remove")
@click.argument("account")
@pass_run
def remove_member(run: Run, account: str) -> None:
    """Take every role from ACCOUNT, at once; your own name leaves the namespace."""
    connect(run).call("DELETE", route("namespaces", run.namespace, "members", account))
    run.out.done(f"{account} is no member any more.", {"account": account})


@members.command("invited")
@pass_run
def list_invited(run: Run) -> None:
    """List who is invited and has not answered."""
    items = connect(run).items(route("namespaces", run.namespace, "invitations"))
    run.out.table(items, ("id", "account", "role", "createdAt", "expiresAt"))


@members.command("uninvite")
@click.argument("invitation")
@pass_run
def uninvite(run: Run, invitation: str) -> None:
    """Take back the INVITATION of this id."""
    connect(run).call("DELETE", route("namespaces", run.namespace, "invitations", invitation))
    run.out.done(f"The invitation {invitation} is taken back.", {"id": invitation})


@click.group(cls=Group, invoke_without_command=True)
@click.pass_context
def invitations(context: click.Context) -> None:
    """List, accept and decline your invitations."""
    if context.invoked_subcommand is None:
        context.invoke(list_invitations)


@invitations.command("list")
@pass_run
def list_invitations(run: Run) -> None:
    """List what you are invited to."""
    run.out.table(connect(run).items(route("me", "invitations")), ("id", "namespace", "role", "createdAt", "expiresAt"))


@invitations.command()
@click.argument("invitation")
@pass_run
def accept(run: Run, invitation: str) -> None:
    """Accept the INVITATION of this id."""
    connect(run).call("POST", route("me", "invitations", invitation, "accept"))
    run.out.done("You are a member now.", {"id": invitation})


@invitations.command()
@click.argument("invitation")
@pass_run
def decline(run: Run, invitation: str) -> None:
    """Decline the INVITATION of this id."""
    connect(run).call("DELETE", route("me", "invitations", invitation))
    run.out.done("The invitation is declined.", {"id": invitation})
