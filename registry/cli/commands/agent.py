"""`gati agent`."""

from typing import Final

import click

from registry.cli.commands_of import Lazy

ENTRIES: Final = {
    "publish": ("publish_module:agent", "Publish an agent."),
    "install": ("install", "Install agents into a project, with the models that they refer to."),
    "run": ("agent_run", "Run an agent, which can do only what it declares and you allow."),
    "info": ("info", "Show what it is."),
    "unpublish": ("retire:unpublish", "Take back a release."),
    "deprecate": ("retire:deprecate", "Warn everybody who uses a release."),
}


@click.command(cls=Lazy, entries=ENTRIES)
def command() -> None:
    """Publish, install and run agents."""
