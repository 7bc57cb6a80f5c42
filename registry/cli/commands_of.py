"""Commands of `gati`: with the options of all, loaded when they are used, `list` where a group is named alone."""

import importlib
from collections.abc import Mapping
from typing import Any, Final, cast

import click

from registry.cli.run import Run

PACKAGE: Final = f"{__name__.rpartition('.')[0]}.commands"


def _note(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    run = ctx.find_root().obj
    if value and isinstance(run, Run):
        owner = run.out if param.name in {"as_json", "quiet"} else run
        setattr(owner, str(param.name), value)
    return value


def _option(*names: str, help: str, **rest: Any) -> click.Option:  # noqa: A002 - click's word
    return click.Option(list(names), expose_value=False, is_eager=True, callback=_note, help=help, **rest)


def options_of_all() -> list[click.Parameter]:
    """The options that every command has."""
    return [
        _option("--registry", metavar="URL", help="The registry; else GATI_REGISTRY, else the one last logged in to."),
        _option("--insecure", "is_insecure", is_flag=True, help="Allow plain HTTP to another machine."),
        _option("--json", "as_json", is_flag=True, help="Print one JSON document."),
        _option("--quiet", "-q", is_flag=True, help="Print results, warnings and errors only."),
        _option("--yes", "-y", "is_sure", is_flag=True, help="Ask nothing."),
    ]


def _with_examples(text: str | None) -> str | None:
    """A help text whose examples keep their lines: docstrings write click's mark of such a paragraph as two letters."""
    return None if text is None else text.replace("\\b\n", "\b\n")


class Command(click.Command):
    """A command with the options of all."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.help = _with_examples(self.help)
        self.params.extend(options_of_all())


class Group(click.Group):
    """Commands under one word; one named `list` or `show` is meant when none is named."""

    command_class = Command
    group_class = type

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.help = _with_examples(self.help)
        self.params.extend(options_of_all())

    def default(self) -> str | None:
        """The command that is meant when none is named."""
        return next((name for name in ("list", "show") if self.invoke_without_command and name in self.commands), None)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that `args` begin with; options before any belong to the default."""
        default = self.default()
        if default is not None and args[0].startswith("-"):
            args = [default, *args]
        return super().resolve_command(ctx, args)


class Lazy(Group):
    """Commands in modules that are imported when they are used.

    `entries` has for each command its module in `registry/cli/commands/`, with `:name` of the object unless that is
    `command`, and its line of help.
    """

    def __init__(self, *args: Any, entries: Mapping[str, tuple[str, str]] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._entries = dict(entries or {})

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Their names, in the order in which they are explained."""
        return list(self._entries)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """The command of this name."""
        if name not in self._entries:
            return None
        module, _, attribute = self._entries[name][0].partition(":")
        return cast("click.Command", getattr(importlib.import_module(f"{PACKAGE}.{module}"), attribute or "command"))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """Write one line for each command without loading any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self._entries.items()])
