"""`gati model`."""

from typing import Final

import click

from registry.cli.commands_of import Lazy

ENTRIES: Final = {
    "publish": ("publish_module:model", "Publish a model."),
    "pull": ("model_pull", "Fetch the files of a model."),
    "card": ("model_card", "Show the card of a model."),
    "install": ("install", "Install models into a project."),
    "update": ("update", "Bring what is installed to the newest versions that fit."),
    "remove": ("remove", "Remove models from a project."),
    "list": ("installed", "List the models of a project."),
    "info": ("info", "Show what it is."),
    "unpublish": ("retire:unpublish", "Take back a release."),
    "deprecate": ("retire:deprecate", "Warn everybody who uses a release."),
}


@click.command(cls=Lazy, entries=ENTRIES)
def command() -> None:
    r"""Publish and fetch models.

    \b
        gati model publish sentiment --access public
        gati model pull @alice/sentiment --dir models
        gati model card @alice/sentiment
    """
