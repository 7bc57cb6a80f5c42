"""`gati namespace teams` and `gati namespace grants`."""

import click

from registry.cli.api import route
from registry.cli.commands.members import set_role
from registry.cli.commands_of import Group
from registry.cli.forms import namespace
from registry.cli.problems import Problem
from registry.cli.run import Run, pass_run
from registry.cli.session import connect

_ROLES = click.Choice(["read", "write", "admin", "owner"])


@click.group(cls=Group, invoke_without_command=True)
@click.argument("name", metavar="NAMESPACE")
@click.pass_context
@pass_run
def teams(run: Run, context: click.Context, name: str) -> None:
    """Teams of NAMESPACE and their members."""
    run.namespace = namespace(name)
    if context.invoked_subcommand is None:
        context.invoke(list_teams)


@teams.command("list")
@pass_run
def list_teams(run: Run) -> None:
    """List the teams."""
    run.out.table(connect(run).items(route("namespaces", run.namespace, "teams")), ("name", "description", "createdAt"))


@teams.command("create")
@click.argument("team")
@click.option("--description", help="What it is for.")
@pass_run
def create_team(run: Run, team: str, description: str | None) -> None:
    """Make the team TEAM."""
    body = {"name": team, "description": description}
    made = connect(run).call("POST", route("namespaces", run.namespace, "teams"), body).body
    run.out.done(f"Made the team {team}.", made)


@teams.command("remove")
@click.argument("team")
@pass_run
def remove_team(run: Run, team: str) -> None:
    """Remove TEAM with its grants."""
    connect(run).call("DELETE", route("namespaces", run.namespace, "teams", team))
    run.out.done(f"The team {team} is removed.", {"name": team})


@teams.command("members")
@click.argument("team")
@pass_run
def team_members(run: Run, team: str) -> None:
    """List who is in TEAM."""
    items = connect(run).items(route("namespaces", run.namespace, "teams", team, "members"))
    run.out.table(items, ("account", "kind", "displayName"))


@teams.command("add")
@click.argument("team")
@click.argument("account")
@pass_run
def add_to_team(run: Run, team: str, account: str) -> None:
    """Put ACCOUNT into TEAM."""
    connect(run).call("PUT", route("namespaces", run.namespace, "teams", team, "members", account))
    run.out.done(f"{account} is in the team {team}.", {"team": team, "account": account})


@teams.command("drop")
@click.argument("team")
@click.argument("account")
@pass_run
def drop_from_team(run: Run, team: str, account: str) -> None:
    """Take ACCOUNT out of TEAM."""
    connect(run).call("DELETE", route("namespaces", run.namespace, "teams", team, "members", account))
    run.out.done(f"{account} is not in the team {team} any more.", {"team": team, "account": account})


@click.group(cls=Group, invoke_without_command=True)
@click.argument("name", metavar="NAMESPACE")
@click.pass_context
@pass_run
def grants(run: Run, context: click.Context, name: str) -> None:
    """Roles of teams, accounts and robots in NAMESPACE or one of its repositories."""
    run.namespace = namespace(name)
    if context.invoked_subcommand is None:
        context.invoke(list_grants)


@grants.command("list")
@pass_run
def list_grants(run: Run) -> None:
    """List the grants."""
    items = connect(run).items(route("namespaces", run.namespace, "grants"))
    run.out.table(items, ("id", "team", "account", "repository", "role"))


@grants.command("set")
@click.argument("role", type=_ROLES)
@click.option("--team", help="For this team.")
@click.option("--account", help="For this account, or the robot NAMESPACE+NAME.")
@click.option("--repository", help="Only in this repository, by its whole name; else in the whole namespace.")
@pass_run
def set_grant(run: Run, role: str, team: str | None, account: str | None, repository: str | None) -> None:
    """Give a team or an account this ROLE. Without --repository an account gets it as a member."""
    if (team is None) == (account is None):
        raise Problem("A grant is for a team or for an account.", "Give either --team or --account.")
    if account is not None and repository is None:
        set_role(run, account, role, None)
        return
    body = {"team": team, "account": account, "repository": repository, "role": role}
    made = connect(run).call("PUT", route("namespaces", run.namespace, "grants"), body).body
    run.out.done(f"{team or account} has the role {role} in {repository or 'all of it'}.", made)


@grants.command("remove")
@click.argument("grant")
@pass_run
def remove_grant(run: Run, grant: str) -> None:
    """Remove the GRANT of this id."""
    connect(run).call("DELETE", route("namespaces", run.namespace, "grants", grant))
    run.out.done(f"The grant {grant} is removed.", {"id": grant})
