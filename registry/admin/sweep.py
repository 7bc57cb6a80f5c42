"""`gati-registry sweep`: one pass over what is due."""

import click

from registry.admin import running
from registry.config import Settings
from registry.content.jobs import sweep


@click.command()
def command() -> None:
    """Remove now what is due to go."""
    running.run(_sweep(running.settings()))


async def _sweep(settings: Settings) -> None:
    async with running.shelf(settings) as shelf:
        report = await sweep(shelf)
    click.echo(f"Looked at {report.reviews} things, expired {report.uploads} uploads, removed {report.objects} objects.")
