"""`gati plugin link`, and of modules."""

from pathlib import Path

import click

from registry.cli import managing
from registry.cli.commands_of import Command
from registry.cli.installing import Terms, working
from registry.cli.run import Run, pass_run


@click.command(cls=Command)
@click.argument("source", metavar="FOLDER", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--as", "named", metavar="NAME", help="The artifact that it stands for: @slug/name or users/slug/name.")
@managing.offline_option
@managing.project_option
@pass_run
def command(run: Run, source: Path, named: str | None, folder: Path, *, offline: bool) -> None:
    """Have the local FOLDER stand for the artifact of its gati-module.json, whatever version others want of it.

    What the folder itself needs is not installed: name it with install. `remove` ends it.
    """
    with working(run, Terms(folder, offline)) as work:
        repository, outcome = managing.link(work, source, named)
    run.out.say(f"{repository} is {source} from now on.")
    outcome.tell(run)
