"""`gati model card`."""

import importlib
import sys
from typing import Any

import click

from registry.cli.catalog import Catalog
from registry.cli.commands_of import Command
from registry.cli.model_cards import markdown
from registry.cli.output import printable
from registry.cli.problems import Missing, Problem
from registry.cli.reach import reach
from registry.cli.run import Run, pass_run
from registry.cli.unpacking import release_of

_HELP = """Show the card of the model REFERENCE: what it was trained on, how good and fast it is, how it is used.

\b
gati model card @alice/sentiment
gati model card @alice/sentiment@2.0.0 --markdown > MODEL.md
"""


@click.command(cls=Command, help=_HELP)
@click.argument("reference")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print Markdown, also on a terminal.")
@pass_run
def command(run: Run, reference: str, *, as_markdown: bool) -> None:
    """Show the card of a model."""
    place = reach(run)
    release = release_of(place, reference)
    repository, version = str(release.get("repository")), str(release.get("version"))
    if release.get("type") != "model":
        raise Problem(f"{repository} {version} is a {release.get('type')}, no model.")
    card = _part(place.catalog, release, "model-card", "modelCard")
    benchmarks = _part(place.catalog, release, "benchmarks", "benchmarks")
    if run.out.as_json:
        run.out.record({"repository": repository, "version": version, "modelCard": card, "benchmarks": benchmarks}, ())
        return
    text = printable(markdown(release, card, benchmarks))
    if as_markdown or not sys.stdout.isatty():
        run.out.raw(text)
        return
    importlib.import_module("registry.cli.drawn_text").show(text)


def _part(catalog: Catalog, release: dict[str, Any], part: str, member: str) -> dict[str, Any]:
    """A part of a release: what was pushed for it last, else what its manifest says."""
    try:
        return catalog.part(str(release["repository"]), str(release["digest"]), part)
    except Missing:
        manifest = release.get("manifest")
        found = manifest.get(member) if isinstance(manifest, dict) else None
        return found if isinstance(found, dict) else {}
