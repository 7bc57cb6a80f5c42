"""`gati namespace robots`: accounts for machines, which have keys and no password."""

from typing import Any

import click

from registry.cli import keys
from registry.cli.api import route
from registry.cli.commands_of import Group
from registry.cli.forms import namespace
from registry.cli.run import Run, pass_run
from registry.cli.session import connect


@click.group(cls=Group, invoke_without_command=True)
@click.argument("name", metavar="NAMESPACE")
@click.pass_context
@pass_run
def robots(run: Run, context: click.Context, name: str) -> None:
    """Robot accounts of NAMESPACE and their keys. They may do what gati namespace grants gives them."""
    run.namespace = namespace(name)
    if context.invoked_subcommand is None:
        context.invoke(list_robots)


@robots.command("list")
@pass_run
def list_robots(run: Run) -> None:
    """List the robots."""
    run.out.table(connect(run).items(route("namespaces", run.namespace, "robots")), ("name", "createdAt"))


@robots.command("create")
@click.argument("robot")
@pass_run
def create_robot(run: Run, robot: str) -> None:
    """Make the robot NAMESPACE+ROBOT."""
    made = connect(run).call("POST", route("namespaces", run.namespace, "robots"), {"name": robot}).body
    run.out.done(f"Made the robot {made.get('name', robot)}. Give it a role and a key: grants, robots … key.", made)


@robots.command("remove")
@click.argument("robot")
@pass_run
def remove_robot(run: Run, robot: str) -> None:
    """Remove ROBOT with its keys and roles."""
    connect(run).call("DELETE", route("namespaces", run.namespace, "robots", robot))
    run.out.done(f"The robot {robot} is removed.", {"name": robot})


@robots.group("key")
def robot_key() -> None:
    """Make, list, rotate and revoke keys of a robot."""


@robot_key.command("create")
@click.argument("robot")
@click.argument("name")
@keys.key_options
@pass_run
def create_key(run: Run, /, robot: str, name: str, **options: Any) -> None:
    """Make a key called NAME for ROBOT. The key alone goes to standard output, this once."""
    path = route("namespaces", run.namespace, "robots", robot, "keys")
    keys.make(connect(run), run.out, path, keys.asked(name, options))


@robot_key.command("list")
@click.argument("robot")
@pass_run
def list_keys(run: Run, robot: str) -> None:
    """List the keys of ROBOT."""
    run.out.table(connect(run).items(route("namespaces", run.namespace, "robots", robot, "keys")), keys.COLUMNS)


@robot_key.command("rotate")
@click.argument("robot")
@click.argument("key")
@click.option("--overlap", default="1h", show_default=True, help="How long the old one stays good: 1h, 30m, 0s.")
@pass_run
def rotate_key(run: Run, robot: str, key: str, overlap: str) -> None:
    """Replace the KEY of this id. The new key alone goes to standard output, this once."""
    path = route("namespaces", run.namespace, "robots", robot, "keys", key, "rotate")
    keys.rotate(connect(run), run.out, path, overlap)


@robot_key.command("revoke")
@click.argument("robot")
@click.argument("key")
@pass_run
def revoke_key(run: Run, robot: str, key: str) -> None:
    """End the KEY of this id at once."""
    connect(run).call("DELETE", route("namespaces", run.namespace, "robots", robot, "keys", key))
    run.out.done(f"The key {key} is revoked.", {"id": key})
