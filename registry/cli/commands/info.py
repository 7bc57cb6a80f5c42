"""`gati module info`."""

from typing import Any, Final

import click

from registry.cli import completing
from registry.cli.catalog import Catalog, parse
from registry.cli.commands_of import Command
from registry.cli.reach import reach
from registry.cli.run import Run, pass_run
from registry.cli.sizes import shown

_FIELDS: Final = (
    "name", "version", "type", "description", "state", "digest", "size", "license", "language", "keywords",
    "capabilities", "engines", "tags", "visibility", "publishedAt", "homepage", "deprecated", "dependencies",
)  # fmt: skip


@click.command(cls=Command, name="info")
@click.argument("reference", shell_complete=completing.locked())
@click.option("--versions", "with_versions", is_flag=True, help="List its versions.")
@click.option("--deps", "with_deps", is_flag=True, help="List what it depends on, and what that resolves to.")
@click.option("--gtypes", "with_gtypes", is_flag=True, help="Show its GTypes.")
@click.option("--readme", "with_readme", is_flag=True, help="Show its README.")
@click.option("--security", "with_security", is_flag=True, help="Show what it may do, and its signatures.")
@pass_run
def command(run: Run, /, reference: str, **wishes: bool) -> None:
    r"""Show what REFERENCE is: @NAME/ARTIFACT, with @VERSION or a tag behind, else its latest version.

    \b
        gati module info @alice/hello
        gati module info @alice/hello@^1 --deps
        gati module info users/alice/hello --versions --json
    """
    catalog, asked = reach(run).catalog, parse(reference)
    artifact = catalog.find(asked)
    repository = str(artifact["repository"])
    if wishes["with_versions"]:
        items = catalog.versions(repository)
        run.out.table(items, ("version", "state", "tags", "digest", "size", "publishedAt", "deprecation"))
        return
    version = catalog.version(artifact, asked)
    if wishes["with_deps"]:
        items = catalog.part(repository, version, "dependencies?resolve=true").get("items") or []
        run.out.table(items, ("name", "range", "relation", "optional", "version", "digest"))
    elif wishes["with_gtypes"]:
        run.out.record(catalog.part(repository, version, "gtypes"), ())
    elif wishes["with_readme"]:
        _readme(run, catalog.part(repository, version, "readme"))
    elif wishes["with_security"]:
        _security(run, catalog, repository, version)
    else:
        _whole(run, artifact, catalog.release(repository, version))


def _readme(run: Run, found: dict[str, Any]) -> None:
    if run.out.as_json:
        run.out.record(found, ())
    else:
        click.echo(str(found.get("readme") or "").rstrip("\n"))


def _security(run: Run, catalog: Catalog, repository: str, version: str) -> None:
    found = catalog.part(repository, version, "capabilities") | catalog.part(repository, version, "signatures")
    run.out.record(found, ("capabilities", "permissions", "networkAccess", "verified", "items"))


def _whole(run: Run, artifact: dict[str, Any], release: dict[str, Any]) -> None:
    if run.out.as_json:
        run.out.record({"artifact": artifact, "release": release}, ())
        return
    needs = [f"{one.get('name')}@{one.get('range')}" for one in release.get("dependencies") or []]
    size = release.get("size")
    told = release | {"name": artifact["repository"], "visibility": artifact.get("visibility")}
    told |= {"homepage": artifact.get("homepage"), "dependencies": needs, "size": shown(size) if size else None}
    run.out.record({name: value for name, value in told.items() if value not in (None, [], "")}, _FIELDS)
    if (deprecation := release.get("deprecation")) is not None:
        more = f" Use {deprecation['replacement']}." if deprecation.get("replacement") else ""
        run.out.warn(f"This version is deprecated: {deprecation.get('reason')}{more}")
