"""`gati module`."""

from typing import Final

import click

from registry.cli.commands_of import Lazy

ENTRIES: Final = {
    "create": ("create:module", "Begin a module: a folder that can be published."),
    "build": ("publish_module:build_module", "Write a module to a file, without a registry."),
    "publish": ("publish_module:module", "Publish a module."),
    "install": ("install", "Install modules into a project, with what they depend on."),
    "update": ("update", "Bring what is installed to the newest versions that fit."),
    "remove": ("remove", "Remove modules from a project."),
    "list": ("installed", "List what a project has installed."),
    "link": ("link", "Have a local folder stand for a module."),
    "search": ("search:modules", "Search for modules."),
    "info": ("info", "Show what a module is."),
    "unpublish": ("retire:unpublish", "Take back a release."),
    "deprecate": ("retire:deprecate", "Warn everybody who uses a release."),
}


@click.command(cls=Lazy, entries=ENTRIES)
def command() -> None:
    r"""Publish, find, install and look after modules.

    \b
        gati module create hello --type node
        gati module publish hello --access public
        gati module install @alice/hello@^1
    """
