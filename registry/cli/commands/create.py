"""`gati module create` and `gati plugin create`."""

import re
from pathlib import Path
from typing import Final

import click

from registry.artifacts.references import SLUG
from registry.cli import beginnings
from registry.cli.commands_of import Command
from registry.cli.problems import Problem
from registry.cli.run import Run, pass_run

_LONGEST: Final = 50
_DIR: Final = click.option(
    "--dir", "folder", type=click.Path(path_type=Path, file_okay=False), help="The folder: else NAME, here."
)


@click.command(cls=Command, name="create")
@click.argument("name")
@click.option(
    "--type", "kind", type=click.Choice(beginnings.KINDS), default="node", show_default=True, help="What runs it."
)
@_DIR
@pass_run
def module(run: Run, name: str, kind: str, folder: Path | None) -> None:
    """Begin the module NAME: a folder with a manifest and an example that works."""
    _begun(run, name, folder, beginnings.module(_name(name), kind), "module")


@click.command(cls=Command, name="create")
@click.argument("name")
@_DIR
@pass_run
def plugin(run: Run, name: str, folder: Path | None) -> None:
    """Begin the plugin NAME: a folder with a manifest and an example that works."""
    _begun(run, name, folder, beginnings.plugin(_name(name)), "plugin")


def _name(text: str) -> str:
    if len(text) <= _LONGEST and re.fullmatch(SLUG, text):
        return text
    raise Problem(
        f"{text!r} cannot be the name of an artifact.",
        f"Use at most {_LONGEST} small letters, digits and single hyphens, such as my-module.",
    )


def _begun(run: Run, name: str, folder: Path | None, files: dict[str, bytes], family: str) -> None:
    place = folder or Path(name)
    made = beginnings.begin(place, files)
    told = f"Began {name} in {place}: {', '.join(made)}."
    run.out.done(told, {"name": name, "folder": str(place), "files": made})
    run.out.say(f"See {place / 'README.md'}, then: gati {family} publish {place}")
