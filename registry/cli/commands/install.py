"""`gati module install`, and of plugins, agents and models."""

from pathlib import Path

import click

from registry.cli import managing
from registry.cli.choosing import Manner
from registry.cli.commands_of import Command
from registry.cli.installing import Terms, working
from registry.cli.run import Run, pass_run

_HELP = """Install artifacts and all that they need into the project; without REFERENCE all that it wants.

\b
gati module install @alice/hello             the latest, and ^ of it is written
gati module install @alice/hello@^1.2.0      this range
gati module install users/alice/hello@1.2.3 orgs/acme/auth@stable
gati module install hello@sha256:9f86…       these bytes, of your own namespace
gati module install @alice/hello --dir app   begins a project where there is none
gati module install --offline                from gati.lock, without a network

What there is already is kept where it fits. A file that was changed or lost since is brought back. It is all
installed, or the project stays as it was.
"""


@click.command(cls=Command, help=_HELP)
@click.argument("references", metavar="[REFERENCE]...", nargs=-1)
@click.option("--save/--no-save", default=True, help="Write gati.modules.json and gati.lock, or not.")
@click.option("--dev", is_flag=True, help="The project wants them for its development alone.")
@click.option("--exact", is_flag=True, help="Write the version itself instead of a range around it.")
@managing.run_options
@click.pass_context
@pass_run
def command(
    run: Run,
    context: click.Context,
    /,
    references: tuple[str, ...],
    folder: Path,
    gati_version: str | None,
    **flags: bool,
) -> None:
    """Install artifacts and all that they need into the project; without REFERENCE all that it wants."""
    gati = managing.checked_version(gati_version)
    terms = Terms(folder, flags["offline"], flags["force"], gati, flags["images"], flags["save"])
    manner = Manner(flags["dev"], flags["exact"], type=managing.type_of(context))
    with managing.begun(folder, is_wanted=bool(references)), working(run, terms) as work:
        managing.install(work, references, manner).tell(run)
