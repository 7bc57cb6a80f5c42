"""`gati module publish` and `gati module build`."""

from pathlib import Path
from typing import Any

import click

from registry.cli import releasing
from registry.cli.commands_of import Command
from registry.cli.releasing import Order, build_options, publish_options
from registry.cli.run import Run, pass_run

_HELP = """Publish the {what} in DIR (here, where none is named).

It is packed, described and judged here first; only what the registry lacks is sent, and after an interruption the
same command goes on where it was. A version that is published never changes.

\b
    gati {family} publish
    gati {family} publish path/to/it --version 1.2.0 --tag beta --access public
    gati {family} publish --dry-run --json
"""


def publisher(family: str, what: str) -> click.Command:
    """The command that publishes artifacts of a family."""

    @click.command(cls=Command, name="publish", help=_HELP.format(family=family, what=what))
    @publish_options
    @pass_run
    def command(run: Run, /, **options: Any) -> None:
        releasing.publish(run, family, options)

    return command


def builder(family: str, what: str) -> click.Command:
    """The command that writes an artifact of a family to a file."""

    @click.command(cls=Command, name="build", help=f"Write the {what} in DIR to a file, as an OCI image layout.")
    @build_options
    @click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="The file: NAME-VERSION.oci.tgz.")
    @pass_run
    def command(run: Run, out: Path | None, folder: Path, version: str | None, namespace: str | None) -> None:
        releasing.build(run, Order(folder, family, namespace, version), out)

    return command


module = publisher("module", "module")
plugin = publisher("plugin", "plugin")
model = publisher("model", "model")
agent = publisher("agent", "agent")
template = publisher("template", "template")
build_module = builder("module", "module")
build_plugin = builder("plugin", "plugin")
