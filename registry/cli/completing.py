"""What a shell completes beside commands and options: the artifacts that a project has."""

from collections.abc import Callable
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from registry.cli import lockfile, project
from registry.cli.problems import Problem

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def locked(kind: str = "") -> Complete:
    """Complete the artifacts of `gati.lock`, all or those of a type, by their short names.

    The project is that of `--dir`, else of the folder that the shell is in. Nothing is asked of a registry.
    """

    def complete(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
        folder = Path(context.params.get("folder") or ".")
        try:
            found = lockfile.parse(project.read(folder / lockfile.FILE)).artifacts.values()
        except Problem:
            return []
        items = []
        for one in sorted(found, key=lambda one: one.repository):
            short = f"@{one.repository.partition('/')[2]}"
            name = one.repository if incomplete and not incomplete.startswith("@") else short
            if kind in {"", one.type} and name.startswith(incomplete):
                items.append(CompletionItem(name, help=f"{one.version}, {one.type}"))
        return items

    return complete
