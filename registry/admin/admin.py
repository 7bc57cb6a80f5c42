"""`gati-registry admin …`: accounts, namespaces and signing keys, for whoever runs the registry."""

import click

from registry.admin import account, namespace, signing_key


@click.group()
def command() -> None:
    """Look after accounts, namespaces and signing keys, also while `serve` runs."""


command.add_command(account.command)
command.add_command(namespace.command)
command.add_command(signing_key.command)
