"""`gati module update`, and of plugins, agents and models."""

from pathlib import Path

import click

from registry.cli import completing, managing
from registry.cli.commands_of import Command
from registry.cli.installing import Terms, working
from registry.cli.run import Run, pass_run

_HELP = """Take the highest versions that the ranges of the project allow, of NAME or of all.

\b
gati module update
gati module update hello
gati module update --latest @alice/hello
"""


@click.command(cls=Command, help=_HELP)
@click.argument("names", metavar="[NAME]...", nargs=-1, shell_complete=completing.locked())
@click.option("--latest", is_flag=True, help="Go beyond the ranges of gati.modules.json, and write new ones.")
@managing.run_options
@pass_run
def command(run: Run, /, names: tuple[str, ...], folder: Path, gati_version: str | None, **flags: bool) -> None:
    """Take the highest versions that the ranges of the project allow, of NAME or of all."""
    gati = managing.checked_version(gati_version)
    with working(run, Terms(folder, flags["offline"], flags["force"], gati, flags["images"])) as work:
        managing.update(work, names, latest=flags["latest"]).tell(run)
