"""`gati-registry worker`: facts and the sweep, apart from the web processes."""

import asyncio
import signal
from pathlib import Path

import click
import uvloop

from registry import worker
from registry.admin import running
from registry.config import Settings
from registry.parts import open_realm


@click.command()
@running.config_option
def command(config: Path | None) -> None:
    """Run the background work of a registry whose JOBS is off, until SIGTERM or SIGINT."""
    running.run(_work(running.settings(config)), uvloop.run)


async def _work(settings: Settings) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running.shelf(settings) as shelf, open_realm(settings, shelf) as realm:
        click.echo("The worker runs.")
        await worker.run(shelf, realm, worker.Pauses(settings.sweep_interval, settings.retention_interval), stop)
