"""`gati-registry migrate`: bring the database to this version."""

import click

from registry.admin import running
from registry.config import Settings


@click.command()
def command() -> None:
    """Apply pending migrations and name them."""
    running.run(_migrate(running.settings()))


async def _migrate(settings: Settings) -> None:
    async with running.database(settings) as arguments:
        names = await running.bring_up_to_date(arguments)
    click.echo(f"Applied {', '.join(names)}." if names else "The database is up to date.")
