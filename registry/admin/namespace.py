"""`gati-registry admin namespace create|delete`."""

from pathlib import Path

import click

from registry.admin import running
from registry.admin.running import Refusal
from registry.auth import accounts
from registry.auth.bootstrap import OPERATOR
from registry.config import Settings
from registry.core.slugs import split
from registry.namespaces import removal, spaces
from registry.namespaces.spaces import NewNamespace


@click.group("namespace")
def command() -> None:
    """Make and delete namespaces."""


@command.command("create")
@click.argument("name")
@click.option("--owner", required=True, metavar="ACCOUNT", help="Whose it is.")
@click.option("--display-name", default="", metavar="TEXT", help="How pages call it.")
@running.config_option
def create_command(*, config: Path | None, name: str, owner: str, display_name: str) -> None:
    """Make the private namespace NAME: `orgs/SLUG`, or a SLUG for ordinary content. Reserved names are taken too."""
    kind, slug = split(name)
    if kind == "user" or name.count("/") != (kind == "org"):
        raise click.BadParameter("a name is orgs/SLUG or a SLUG; users/SLUG comes with its account.", param_hint="NAME")
    new = NewNamespace(slug, display_name, may_take_reserved=True)
    made = running.run(_create(running.settings(config), kind, new, owner))
    click.echo(f"The namespace {made} is {owner}'s.")


async def _create(settings: Settings, kind: str, new: NewNamespace, owner: str) -> str:
    async with running.household(settings) as house:
        found = await accounts.find_named(house.realm, owner)
        create = spaces.create_org if kind == "org" else spaces.create_plain
        return (await create(house.realm, OPERATOR, new, found.id)).name


@command.command("delete")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@running.config_option
def delete_command(*, config: Path | None, name: str, yes: bool) -> None:
    """Delete the namespace NAME with every repository in it. Nobody can ever have its name again."""
    if not yes:
        click.confirm(f"Delete {name} with all repositories in it, for ever?", abort=True)
    running.run(_delete(running.settings(config), name))
    click.echo(f"The namespace {name} is deleted; its content goes with the next sweeps.")


async def _delete(settings: Settings, name: str) -> None:
    async with running.household(settings) as house:
        found = await spaces.find_named(house.realm, *split(name))
        if found.name != name:
            raise Refusal(f"The namespace {name} is called {found.name} by now: delete it by that name.")
        await removal.delete(house.realm, OPERATOR, found.id, house.remove_repository)
