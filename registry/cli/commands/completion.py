"""`gati completion`."""

import click
from click.shell_completion import get_completion_class

from registry.cli.commands_of import Command
from registry.cli.problems import Problem
from registry.cli.run import Run, pass_run

_VARIABLE = "_GATI_COMPLETE"


@click.command(cls=Command)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
@pass_run
def command(run: Run, context: click.Context, shell: str) -> None:
    """Print the completion script of SHELL, for instance: eval "$(gati completion bash)"."""
    found = get_completion_class(shell)
    if found is None:
        raise Problem(f"There is no completion for {shell}.")
    run.out.raw(found(context.find_root().command, {}, "gati", _VARIABLE).source() + "\n")
