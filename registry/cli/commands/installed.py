"""`gati module list`, and of plugins, agents and models."""

from pathlib import Path

import click

from registry.cli import managing
from registry.cli.commands_of import Command
from registry.cli.installing import Terms, working
from registry.cli.run import Run, pass_run

_COLUMNS = ("name", "version", "type", "wanted", "dev")
_COMPARED = ("name", "version", "wanted", "latest", "type")


@click.command(cls=Command)
@click.option("--outdated", is_flag=True, help="Only those of which there are higher versions.")
@managing.offline_option
@managing.project_option
@click.pass_context
@pass_run
def command(run: Run, context: click.Context, folder: Path, *, outdated: bool, offline: bool) -> None:
    """List what the project has.

    With --outdated `wanted` is the highest version that its ranges allow, and `latest` the highest of all.
    """
    with working(run, Terms(folder, offline)) as work:
        rows = managing.listed(work, managing.type_of(context), outdated=outdated)
    run.out.table(rows, _COMPARED if outdated else _COLUMNS)
