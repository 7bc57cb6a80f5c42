"""`gati key`: API keys of the user."""

from typing import Any

import click

from registry.cli import keys
from registry.cli.api import route
from registry.cli.commands_of import Group
from registry.cli.run import Run, pass_run
from registry.cli.session import connect


@click.group(cls=Group, invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Make, list, rotate and revoke API keys."""
    if context.invoked_subcommand is None:
        context.invoke(list_keys)


@command.command()
@click.argument("name")
@keys.key_options
@pass_run
def create(run: Run, /, name: str, **options: Any) -> None:
    """Make a key called NAME. The key alone goes to standard output, this once."""
    keys.make(connect(run), run.out, route("api-keys"), keys.asked(name, options, keys.LONGEST))


@command.command("list")
@pass_run
def list_keys(run: Run) -> None:
    """List your keys; of each, the first characters are shown."""
    run.out.table(connect(run).items(route("api-keys")), keys.COLUMNS)


@command.command()
@click.argument("key")
@click.option("--overlap", default="1h", show_default=True, help="How long the old one stays good: 1h, 30m, 0s.")
@pass_run
def rotate(run: Run, key: str, overlap: str) -> None:
    """Replace the key of this id. The new key alone goes to standard output, this once."""
    keys.rotate(connect(run), run.out, route("api-keys", key, "rotate"), overlap)


@command.command()
@click.argument("key")
@pass_run
def revoke(run: Run, key: str) -> None:
    """End the key of this id at once."""
    connect(run).call("DELETE", route("api-keys", key))
    run.out.done(f"The key {key} is revoked.", {"id": key})
