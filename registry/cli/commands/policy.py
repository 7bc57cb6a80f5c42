"""`gati namespace policy`."""

import click

from registry.cli.api import route
from registry.cli.commands_of import Group
from registry.cli.forms import namespace
from registry.cli.policies import FORMS, changed
from registry.cli.run import Run, pass_run
from registry.cli.session import connect

_FIELDS = ("immutableTags", "delete", "addresses", "tokenSeconds", "keyDays", "bytes", "repositories", "retention")
_NAMES = "\n\n".join(f"{name}: {meaning}." for name, (_, meaning) in FORMS.items())


@click.group(cls=Group, invoke_without_command=True)
@click.argument("name", metavar="NAMESPACE")
@click.pass_context
@pass_run
def policy(run: Run, context: click.Context, name: str) -> None:
    """Show and set the policies of NAMESPACE."""
    run.namespace = namespace(name)
    if context.invoked_subcommand is None:
        context.invoke(show)


@policy.command()
@pass_run
def show(run: Run) -> None:
    """Show the policies."""
    run.out.record(connect(run).get(route("namespaces", run.namespace, "policies")).body, _FIELDS)


@policy.command("set", help=f"Set policies by name=value; an empty value removes one.\n\n{_NAMES}")
@click.argument("assignments", nargs=-1, required=True)
@pass_run
def set_policies(run: Run, assignments: tuple[str, ...]) -> None:
    """Set policies by name=value, if nobody else has changed them meanwhile."""
    api, path = connect(run), route("namespaces", run.namespace, "policies")
    seen = api.get(path)
    answer = api.call("PUT", path, changed(seen.body, assignments), match=seen.headers.get("ETag"))
    run.out.say("The policies are set.")
    run.out.record(answer.body, _FIELDS)


@policy.command()
@pass_run
def preview(run: Run) -> None:
    """Show what retention would remove now."""
    items = connect(run).items(route("namespaces", run.namespace, "retention", "preview"))
    run.out.table(items, ("repository", "tag", "digest", "reason"))
