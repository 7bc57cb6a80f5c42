"""`gati-registry sweep`: one pass over what is due."""

from pathlib import Path

import click

from registry.admin import running
from registry.config import Settings
from registry.content.jobs import SweepReport, sweep


@click.command()
@running.config_option
def command(config: Path | None) -> None:
    """Remove what is due, once, and say what went."""
    report = running.run(_sweep(running.settings(config)))
    click.echo(
        f"{report.reviews} reviewed, {report.uploads} upload sessions expired, {report.objects} stored objects removed."
    )


async def _sweep(settings: Settings) -> SweepReport:
    async with running.shelf(settings) as shelf:
        return await sweep(shelf)
