"""`gati plugin`."""

from typing import Final

import click

from registry.cli.commands_of import Lazy

ENTRIES: Final = {
    "create": ("create:plugin", "Begin a plugin: a folder that can be published."),
    "build": ("publish_module:build_plugin", "Write a plugin to a file, without a registry."),
    "publish": ("publish_module:plugin", "Publish a plugin."),
    "install": ("install", "Install plugins into a project, with the modules that they require."),
    "add": ("install", "The same as install."),
    "update": ("update", "Bring what is installed to the newest versions that fit."),
    "remove": ("remove", "Remove plugins from a project."),
    "list": ("installed", "List what a project has installed."),
    "link": ("link", "Have a local folder stand for a plugin."),
    "search": ("search:plugins", "Search for plugins."),
    "info": ("info", "Show what a plugin is."),
    "unpublish": ("retire:unpublish", "Take back a release."),
    "deprecate": ("retire:deprecate", "Warn everybody who uses a release."),
}


@click.command(cls=Lazy, entries=ENTRIES)
def command() -> None:
    r"""Publish, find, install and look after plugins.

    \b
        gati plugin create greeter
        gati plugin publish greeter
        gati plugin install @alice/greeter
    """
