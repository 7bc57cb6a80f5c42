"""`gati-registry worker`: facts and the sweep, apart from the web processes."""

import asyncio
import signal

import click

from registry import worker
from registry.admin import running
from registry.config import Settings


@click.command()
def command() -> None:
    """Run the worker as its own process."""
    running.run(_work(running.settings()))


async def _work(settings: Settings) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running.shelf(settings) as shelf:
        click.echo("The worker runs.")
        await worker.run(shelf, settings.sweep_interval, stop)
