"""`gati-registry admin signing-key rotate`: another key signs the registry's tokens."""

from pathlib import Path

import click

from registry.admin import running
from registry.auth import signing
from registry.auth.bootstrap import OPERATOR
from registry.config import Settings


@click.group("signing-key")
def command() -> None:
    """Replace the key that signs tokens."""


@command.command("rotate")
@running.config_option
def rotate_command(*, config: Path | None) -> None:
    """Make a key that takes over the signing in a minute; what the old one has signed stays good until it ends."""
    name = running.run(_rotate(running.settings(config)))
    click.echo(f"The key {name} signs from in a minute on. Nobody is logged out.")


async def _rotate(settings: Settings) -> str:
    async with running.household(settings) as house:
        return await signing.rotate(house.realm, OPERATOR)
