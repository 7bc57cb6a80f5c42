"""`gati-registry migrate`."""

from pathlib import Path

import click

from registry.admin import running
from registry.config import Settings


@click.command()
@running.config_option
def command(config: Path | None) -> None:
    """Bring the database to the schema of this version, and name what was applied; done before is done."""
    applied = running.run(_migrate(running.settings(config)))
    click.echo("\n".join(f"applied {name}" for name in applied) or "The schema is current.")


async def _migrate(settings: Settings) -> list[str]:
    async with running.database(settings, create=True) as arguments:
        return await running.bring_up_to_date(arguments)
