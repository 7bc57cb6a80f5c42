"""`gati namespace`: each of its commands, in the module that has it."""

from typing import Final

import click

from registry.cli.commands_of import Lazy

ENTRIES: Final = {
    "create": ("namespaces:create", "Make a namespace."),
    "list": ("namespaces:list_namespaces", "List the namespaces that you see."),
    "show": ("namespaces:show", "Show a namespace."),
    "rename": ("namespaces:rename", "Rename a namespace; its old name goes on to work."),
    "transfer": ("namespaces:transfer", "Give a namespace to another account."),
    "delete": ("namespaces:delete", "Delete a namespace with everything in it."),
    "visibility": ("namespaces:visibility", "Say who may pull from a namespace or a repository."),
    "repositories": ("namespaces:repositories", "List the repositories of a namespace."),
    "audit": ("namespaces:audit", "Show what was done in a namespace."),
    "members": ("members:members", "List, set and remove members."),
    "invitations": ("members:invitations", "List, accept and decline your invitations."),
    "teams": ("teams:teams", "Teams and their members."),
    "grants": ("teams:grants", "Roles of teams and accounts in repositories."),
    "robots": ("robots:robots", "Robot accounts and their keys."),
    "policy": ("policy:policy", "Show and set policies."),
}


@click.command(cls=Lazy, entries=ENTRIES)
def command() -> None:
    """Namespaces: members, teams, grants, robots, policies, visibility.

    Write a namespace as orgs/NAME, users/NAME, or NAME alone for one without either.
    """
