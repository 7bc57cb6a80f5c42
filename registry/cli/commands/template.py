"""`gati template`."""

from typing import Final

import click

from registry.cli.commands_of import Lazy

ENTRIES: Final = {
    "publish": ("publish_module:template", "Publish a template."),
    "info": ("info", "Show what it is."),
    "unpublish": ("retire:unpublish", "Take back a release."),
    "deprecate": ("retire:deprecate", "Warn everybody who uses a release."),
}


@click.command(cls=Lazy, entries=ENTRIES)
def command() -> None:
    r"""Publish templates, of which gati init makes projects.

    \b
        gati template publish service --access public
        gati init shop --template @alice/service
    """
