"""`gati-registry fsck`: compare rows with storage."""

import json

import click

from registry.admin import running
from registry.config import Settings
from registry.content.fsck import Findings, compare


@click.command()
@click.option("--rehash", is_flag=True, help="Read every blob and compare its digest.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, rehash: bool, as_json: bool) -> None:
    """Compare rows with storage both ways; exit status 1 when something is lost."""
    found = Findings()

    async def check(settings: Settings) -> None:
        nonlocal found
        async with running.shelf(settings) as shelf:
            found = await compare(shelf, rehash=rehash)

    running.run(check(running.settings()))
    click.echo(json.dumps(found.as_json(), indent=2) if as_json else _report(found))
    if not found.is_clean:
        raise SystemExit(1)


def _report(found: Findings) -> str:
    lines = [f"{found.blobs} blobs and {found.manifests} manifests compared."]
    for kind in ("missing", "resized", "corrupt", "stray"):
        lines += [f"{kind}: {item}" for item in getattr(found, kind)]
    return "\n".join([*lines, "Nothing is lost." if found.is_clean else "Content is lost."])
