"""The `gati-registry` command; each subcommand is a file of `registry/admin/`."""

import importlib

import click

from registry import __version__

COMMANDS = {
    "serve": "Start the registry.",
    "worker": "Run the worker as its own process.",
    "migrate": "Bring the database to this version.",
    "sweep": "Remove now what is due to go.",
    "doctor": "Say what is configured, reachable and wrong.",
    "fsck": "Compare rows with storage both ways.",
    "web-process": "",
}


class _Group(click.Group):
    """Loads a subcommand by name when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The public subcommands, in order."""
        return [name for name, meaning in COMMANDS.items() if meaning]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """The subcommand of this name."""
        if name not in COMMANDS:
            return None
        try:
            module = importlib.import_module(f"registry.admin.{name.replace('-', '_')}")
        except ModuleNotFoundError as error:
            message = f"{error.name} is missing; this command needs: pip install 'gati-registry[server]'"
            raise click.ClickException(message) from error
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """Help without loading anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, meaning) for name, meaning in COMMANDS.items() if meaning])


@click.command(cls=_Group)
@click.version_option(__version__)
def main() -> None:
    """Gati Registry: an OCI registry from one command. Settings are environment variables: docs/configuration.md."""


if __name__ == "__main__":
    main(prog_name="gati-registry")
