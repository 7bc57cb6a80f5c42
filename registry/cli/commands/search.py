"""`gati search` and `gati module search`."""

from typing import Any, Final

import click

from registry.cli.commands_of import Command
from registry.cli.reach import reach
from registry.cli.run import Run, pass_run

_COLUMNS: Final = ("name", "version", "type", "description", "updatedAt")
_MODULES: Final = ("module", "module-node", "module-oci", "module-wasm", "module-binary", "module-external")
_TYPES: Final = (*_MODULES, "plugin", "model", "agent", "template", "snapshot", "transformer")
_OPTIONS: Final = (
    click.argument("words", metavar="[TEXT]...", nargs=-1),
    click.option("--capability", "capabilities", multiple=True, help="With this capability, such as db:read."),
    click.option("--keyword", "keywords", multiple=True, help="With this keyword."),
    click.option("--language", help="Written in this language."),
    click.option("--license", "license", help="Under this licence, such as Apache-2.0."),
    click.option("--gati-version", help="That works with this version of Gati."),
    click.option("--sort", type=click.Choice(["relevance", "updated", "created", "name"]), help="What comes first."),
    click.option("--order", type=click.Choice(["asc", "desc"]), help="Upwards or downwards."),
    click.option("--page", type=click.IntRange(1), default=1, show_default=True, help="Which page."),
    click.option("--page-size", type=click.IntRange(1, 100), default=20, show_default=True, help="Entries of a page."),
)


def _options(function: Any) -> Any:
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def _searched(run: Run, types: tuple[str, ...], options: dict[str, Any]) -> None:
    params = {
        "q": " ".join(options["words"]) or None,
        "type": ",".join(types) or None,
        "capabilities": ",".join(options["capabilities"]) or None,
        "keywords": ",".join(options["keywords"]) or None,
        "language": options["language"],
        "license": options["license"],
        "gatiVersion": options["gati_version"],
        "sort": options["sort"],
        "order": options["order"],
        "page": options["page"],
        "pageSize": options["page_size"],
    }
    found = reach(run).catalog.search(**params)
    if run.out.as_json:
        run.out.record(found, ())
        return
    items = [item for item in found.get("results") or [] if isinstance(item, dict)]
    run.out.table([_row(item) for item in items], _COLUMNS)
    total = found.get("total")
    if isinstance(total, int) and total > options["page"] * options["page_size"]:
        run.out.say(f"{total} fit; see the next ones with --page {options['page'] + 1}.")


def _row(item: dict[str, Any]) -> dict[str, Any]:
    parts = str(item.get("repository") or "").split("/")
    name = f"@{parts[1]}/{parts[2]}" if len(parts) == 3 else item.get("name")
    description = str(item.get("description") or "")
    version = item.get("version") or item.get("latest")
    shown = description if len(description) <= 60 else description[:59] + "…"
    return item | {"name": name, "version": version, "description": shown}


@click.command(cls=Command)
@click.option("--type", "types", type=click.Choice(_TYPES), multiple=True, help="Of this type; several times for more.")
@_options
@pass_run
def command(run: Run, /, types: tuple[str, ...], **options: Any) -> None:
    r"""Search for artifacts that TEXT fits: by name, description and keywords.

    \b
        gati search payments
        gati search --type model --license Apache-2.0 sentiment
    """
    _searched(run, types, options)


@click.command(cls=Command, name="search")
@click.option(
    "--type", "types", type=click.Choice(_MODULES), multiple=True, help="Of this type; else modules of every type."
)
@_options
@pass_run
def modules(run: Run, /, types: tuple[str, ...], **options: Any) -> None:
    r"""Search for modules that TEXT fits: by name, description and keywords.

    \b
        gati module search database --capability db:read --sort updated
    """
    _searched(run, types or ("module",), options)


@click.command(cls=Command, name="search")
@_options
@pass_run
def plugins(run: Run, /, **options: Any) -> None:
    """Search for plugins that TEXT fits: by name, description and keywords."""
    _searched(run, ("plugin",), options)
