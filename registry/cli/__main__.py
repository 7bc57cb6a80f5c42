"""`gati COMMAND`, also `python -m registry.cli COMMAND`: the client of a registry.

A command's module is imported when the command is used, so that `gati --version` is quick.
"""

import sys
from collections.abc import Sequence
from typing import Final, NoReturn

import click

from registry import __version__
from registry.cli.commands_of import Lazy
from registry.cli.problems import Problem
from registry.cli.run import Run

ENTRIES: Final = {
    "login": ("login", "Log in to a registry, and docker, podman, oras, crane and cosign with it."),
    "logout": ("logout", "Revoke what login made, and erase it everywhere."),
    "whoami": ("whoami", "Say who you are to a registry, and what you belong to."),
    "account": ("account", "Make an account, verify its address, change or reset its password, end its sessions."),
    "key": ("key", "Make, list, rotate and revoke API keys."),
    "namespace": ("namespace", "Namespaces: members, teams, grants, robots, policies, visibility."),
    "module": ("module", "Modules: publish, find, install and look after them."),
    "plugin": ("plugin", "Plugins: publish, find, install and look after them."),
    "model": ("model", "Models: publish and fetch them."),
    "agent": ("agent", "Agents: publish, install and run them."),
    "template": ("template", "Templates: publish them."),
    "init": ("init", "Make a project from a template."),
    "snapshot": ("snapshot", "Snapshots: keep what a project has, restore and share it."),
    "search": ("search", "Search for artifacts of every type."),
    "doctor": ("doctor", "See whether everything that gati works with is in order."),
    "completion": ("completion", "Print the completion script of a shell."),
}


@click.command(cls=Lazy, entries=ENTRIES)
@click.version_option(__version__, prog_name="gati")
def gati() -> None:
    """Publish to, pull from and look after a Gati registry.

    It ends with 0 when it did what it was asked, else with 1 for a wrong use, 2 when the registry cannot be reached, 3
    when you are not logged in, 4 when something is not what its digest says, 5 when there is no such thing, 6 when a
    right, a policy or a limit forbids it, and 7 when what is there already forbids it.
    """


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run `gati` and end the process with its status."""
    run = Run()
    try:
        status = gati.main(args, prog_name="gati", obj=run, standalone_mode=False)
    except Problem as problem:
        run.out.fail(problem)
        sys.exit(problem.status)
    except click.exceptions.NoArgsIsHelpError as asked:
        asked.show()
        sys.exit(Problem.status)
    except click.ClickException as error:
        run.out.as_json |= "--json" in (sys.argv[1:] if args is None else args)
        run.out.fail(_misuse(error))
        sys.exit(Problem.status)
    except click.Abort:
        run.out.fail(Problem("Interrupted: what was not done yet is left out.", code="INTERRUPTED"))
        sys.exit(Problem.status)
    sys.exit(status if isinstance(status, int) else 0)


def _misuse(error: click.ClickException) -> Problem:
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = "gati" if context is None else context.command_path
    return Problem(error.format_message(), f"See {path} --help.")


if __name__ == "__main__":
    main()
