"""`gati-registry fsck`: compare rows with storage."""

import json
from pathlib import Path
from typing import Final

import click

from registry.admin import running
from registry.config import Settings
from registry.content.fsck import Findings, compare

_MEANING: Final = {
    "missing": "blob without bytes",
    "resized": "blob whose bytes have another length",
    "unreadable": "blob whose bytes cannot be read",
    "corrupt": "content whose bytes have another digest",
    "stray": "object without a row",
    "absent": "reference to content that is not here",
}


@click.command()
@click.option("--rehash", is_flag=True, help="Read every blob and compare its bytes with its digest.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@running.config_option
def command(*, config: Path | None, rehash: bool, as_json: bool) -> None:
    """Compare the database with the stored bytes, both ways, also while `serve` runs.

    The exit status is 1 when content is lost. Objects without a row, and references that are allowed to lead nowhere,
    are only reported.
    """
    found = running.run(_compare(running.settings(config), rehash=rehash))
    click.echo(json.dumps(found.as_json(), indent=2) if as_json else report(found))
    if not found.is_clean:
        raise SystemExit(1)


async def _compare(settings: Settings, *, rehash: bool) -> Findings:
    async with running.shelf(settings) as shelf:
        return await compare(shelf, rehash=rehash)


def report(found: Findings) -> str:
    """The findings for people, one a line, the verdict last."""
    lines = [f"{found.blobs} blobs and {found.manifests} manifests compared."]
    for kind, meaning in _MEANING.items():
        lines += [f"{kind}: {meaning}: {item}" for item in getattr(found, kind)]
    return "\n".join([*lines, "Nothing is lost." if found.is_clean else "Content is lost."])
