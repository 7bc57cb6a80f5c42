"""`gati-registry COMMAND`, also `python -m registry COMMAND`.

A command's module is imported when the command is used, so that `--help` is quick and the client installation, which
has none of the server's dependencies, can show it.
"""

import importlib
from typing import Final

import click

from registry import __version__

COMMANDS: Final = {
    "serve": "Start the registry.",
    "worker": "Run the background work of a registry whose JOBS is off.",
    "migrate": "Bring the database to the schema of this version.",
    "sweep": "Remove what is due, once, and say what went.",
    "doctor": "Say what is configured, reachable and wrong.",
    "fsck": "Compare the database with the stored bytes, both ways.",
    "audit": "Verify or export the audit log.",
    "admin": "Look after accounts, namespaces and signing keys.",
}
_HIDDEN: Final = ("web-process",)
_PACKAGE: Final = __name__.rpartition(".")[0] or "registry"


class _Commands(click.Group):
    """The operator commands, each in the module of its name in `registry/admin/`."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Their names, in the order of a registry's life."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """The command of this name.

        Raises:
            ClickException: the server's dependencies are not installed.
        """
        if name not in COMMANDS and name not in _HIDDEN:
            return None
        try:
            module = importlib.import_module(f"{_PACKAGE}.admin.{name.replace('-', '_')}")
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] == _PACKAGE:
                raise
            message = f"this command needs pip install 'gati-registry[server]': there is no module {error.name}"
            raise click.ClickException(message) from error
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """Write one line for each command without loading any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=_Commands)
@click.version_option(__version__, prog_name="gati-registry")
def main() -> None:
    """Gati Registry: an OCI registry from one command.

    Settings are environment variables, or lines of a TOML file given with --config; docs/configuration.md has them all.
    """


if __name__ == "__main__":
    main(prog_name="gati-registry")
