"""`gati agent`."""

from typing import Final

import click

from registry.cli.commands_of import Lazy

ENTRIES: Final = {
    "publish": ("publish_module:agent", "Publish an agent."),
    "install": ("install", "Install agents into a project, with the models that they refer to."),
    "run": ("agent_run", "Run an agent, which can do only what it declares and you allow."),
    "update": ("update", "Bring what is installed to the newest versions that fit."),
    "remove": ("remove", "Remove agents from a project."),
    "list": ("installed", "List the agents of a project."),
    "info": ("info", "Show what it is."),
    "unpublish": ("retire:unpublish", "Take back a release."),
    "deprecate": ("retire:deprecate", "Warn everybody who uses a release."),
}


@click.command(cls=Lazy, entries=ENTRIES)
def command() -> None:
    r"""Publish, install and run agents.

    \b
        gati agent publish scout --access public
        gati agent install @alice/scout
        gati agent run @alice/scout
    """
