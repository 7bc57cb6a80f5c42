"""`gati module remove`, and of plugins, agents and models."""

from pathlib import Path

import click

from registry.cli import completing, managing
from registry.cli.commands_of import Command
from registry.cli.installing import Terms, working
from registry.cli.run import Run, pass_run

_HELP = """Remove NAME from the project, and what only it needed.

\b
gati module remove hello
gati module remove @alice/hello orgs/acme/auth
"""


@click.command(cls=Command, help=_HELP)
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=completing.locked())
@managing.offline_option
@managing.project_option
@pass_run
def command(run: Run, names: tuple[str, ...], folder: Path, *, offline: bool) -> None:
    """Remove NAME from the project, and what only it needed."""
    with working(run, Terms(folder, offline)) as work:
        managing.remove(work, names).tell(run)
