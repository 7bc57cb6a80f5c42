"""`gati namespace create`, `list`, `show`, `rename`, `transfer`, `delete`, `visibility`, `repositories`, `audit`."""

import click

from registry.cli.api import route
from registry.cli.commands_of import Command
from registry.cli.forms import namespace
from registry.cli.problems import Problem
from registry.cli.run import Run, pass_run
from registry.cli.session import connect

_FIELDS = ("name", "kind", "displayName", "description", "visibility", "role", "createdAt", "usage")
_VISIBILITIES = click.Choice(["public", "internal", "private"])


@click.command(cls=Command)
@click.argument("slug")
@click.option("--plain", is_flag=True, help="Without orgs/ before it; for administrators.")
@click.option("--visibility", type=_VISIBILITIES, help="Who may pull; else private.")
@click.option("--display-name", help="How pages call it.")
@pass_run
def create(run: Run, slug: str, visibility: str | None, display_name: str | None, *, plain: bool) -> None:
    """Make the namespace orgs/SLUG, or SLUG with --plain."""
    if plain and display_name is not None:
        raise Problem("A plain namespace has no display name yet.", "Leave --display-name out.")
    body = {"slug": slug.removeprefix("orgs/"), "visibility": visibility, "displayName": display_name}
    made = connect(run).call("POST", route("namespaces" if plain else "orgs"), body).body
    run.out.done(f"Made the namespace {made.get('name', slug)}. You own it.", made)


@click.command("list", cls=Command)
@click.option("--limit", type=click.IntRange(1), help="At most so many.")
@pass_run
def list_namespaces(run: Run, limit: int | None) -> None:
    """List the namespaces that you see, and your role in each."""
    run.out.table(connect(run).items(route("namespaces"), limit), ("name", "kind", "visibility", "role", "displayName"))


@click.command(cls=Command)
@click.argument("name", metavar="NAMESPACE")
@pass_run
def show(run: Run, name: str) -> None:
    """Show NAMESPACE."""
    run.out.record(connect(run).get(route("namespaces", namespace(name))).body, _FIELDS)


@click.command(cls=Command)
@click.argument("name", metavar="NAMESPACE")
@click.argument("slug")
@pass_run
def rename(run: Run, name: str, slug: str) -> None:
    """Rename NAMESPACE to SLUG. Its old name goes on to work, and nobody else can have it."""
    changed = connect(run).call("POST", route("namespaces", namespace(name), "rename"), {"slug": slug}).body
    run.out.done(f"{name} is {changed.get('name', slug)} now.", changed)


@click.command(cls=Command)
@click.argument("name", metavar="NAMESPACE")
@click.argument("account")
@pass_run
def transfer(run: Run, name: str, account: str) -> None:
    """Give NAMESPACE to ACCOUNT, who owns it from then on."""
    run.confirm(f"{name} and everything in it goes to {account}; you lose it.", name)
    changed = connect(run).call("POST", route("namespaces", namespace(name), "transfer"), {"to": account}).body
    run.out.done(f"{name} belongs to {account} now.", changed)


@click.command(cls=Command)
@click.argument("name", metavar="NAMESPACE")
@pass_run
def delete(run: Run, name: str) -> None:
    """Delete NAMESPACE with everything in it. Nobody can ever have its name again."""
    run.confirm(f"{name} is deleted, with every repository in it.", name)
    connect(run).call("DELETE", route("namespaces", namespace(name)))
    run.out.done(f"{name} is deleted.", {"name": name})


@click.command(cls=Command)
@click.argument("name", metavar="NAMESPACE")
@click.argument("visibility", metavar="VISIBILITY", type=_VISIBILITIES)
@click.option("--repository", help="Only for this repository of it, named without the namespace.")
@pass_run
def visibility(run: Run, name: str, visibility: str, repository: str | None) -> None:
    """Let everybody (public), everybody who is logged in (internal) or members alone (private) pull from NAMESPACE."""
    api, path, whole = connect(run), ["namespaces", namespace(name)], name
    seen = api.get(route(*path))
    if repository is None:
        api.call("PATCH", route(*path), {"visibility": visibility}, match=seen.headers.get("ETag"))
    else:
        whole = f"{seen.body.get('name', name)}/{repository}"
        api.call("PATCH", route(*path, "repositories", whole), {"visibility": visibility})
    run.out.done(f"{whole} is {visibility} now.", {"name": whole, "visibility": visibility})


@click.command(cls=Command)
@click.argument("name", metavar="NAMESPACE")
@click.option("--limit", type=click.IntRange(1), help="At most so many.")
@pass_run
def repositories(run: Run, name: str, limit: int | None) -> None:
    """List the repositories of NAMESPACE."""
    path = route("namespaces", namespace(name), "repositories")
    run.out.table(connect(run).items(path, limit), ("name", "visibility", "createdAt"))


@click.command(cls=Command)
@click.argument("name", metavar="NAMESPACE")
@click.option("--action", help="Only this action, such as member.set.")
@click.option("--actor", help="Only what this account did.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most so many.")
@pass_run
def audit(run: Run, name: str, action: str | None, actor: str | None, limit: int) -> None:
    """Show what was done in NAMESPACE, and by whom."""
    path = route("namespaces", namespace(name), "audit")
    items = connect(run).items(path, limit, action=action, actor=actor)
    if not run.out.as_json:
        items = [item | {"actor": (item.get("actor") or {}).get("name")} for item in items]
    run.out.table(items, ("at", "actor", "action", "target", "outcome", "times", "address"))
