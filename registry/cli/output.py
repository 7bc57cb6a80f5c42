"""What commands print: results on standard output, everything else on standard error."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

from registry.cli.problems import Problem

_UNPRINTABLE: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_SECRET: Final = re.compile(r"(gati_[a-z]{1,16}_)[0-9A-Za-z]{8,}")


def printable(text: str) -> str:
    """`text` without what would steer a terminal, and without the secrets of a registry."""
    return _SECRET.sub(r"\1…", _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text))


def _cell(value: Any) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case list():
            return ",".join(map(_cell, value)) or "-"
        case dict():
            return printable(json.dumps(value, ensure_ascii=False))
        case _:
            return printable(str(value)).replace("\n", " ")


class Output:
    """Where a command's words go.

    Attributes:
        as_json: results are one JSON document each, errors too.
        quiet: nothing but results, warnings and errors.
    """

    def __init__(self) -> None:
        self.as_json = False
        self.quiet = False

    def say(self, sentence: str) -> None:
        """Tell a person what was done."""
        if not self.quiet:
            click.echo(printable(sentence), err=True)

    def warn(self, sentence: str) -> None:
        """Tell a person what they should know."""
        click.echo(f"Warning: {printable(sentence)}", err=True)

    def fail(self, problem: Problem) -> None:
        """Tell why the command ends."""
        if self.as_json:
            self._document(problem.document())
            return
        click.echo(f"Error: {printable(problem.message)}", err=True)
        for suggestion in problem.suggestions:
            click.echo(f"  {printable(suggestion)}", err=True)

    def done(self, sentence: str, document: Mapping[str, Any] | None = None) -> None:
        """What was done: a sentence for a person, unless it has been told already; `document` for a program."""
        if sentence:
            self.say(sentence)
        if self.as_json:
            self._document(dict(document or {}))

    def record(self, document: Mapping[str, Any], fields: Sequence[str]) -> None:
        """One thing: the fields that it has, a line each."""
        if self.as_json:
            self._document(document)
            return
        shown = [field for field in fields if field in document]
        width = max(map(len, shown), default=0)
        for field in shown:
            click.echo(f"{field:<{width}}  {_cell(document[field])}")

    def table(self, items: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
        """Many things: a line each; as JSON `{"items": […]}`."""
        if self.as_json:
            self._document({"items": list(items)})
            return
        if not items:
            self.say("There is none.")
            return
        rows = [list(columns), *([_cell(item.get(column)) for column in columns] for item in items)]
        widths = [max(len(row[index]) for row in rows) for index in range(len(columns))]
        for row in rows:
            click.echo("  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip())

    def secret(self, text: str, document: Mapping[str, Any]) -> None:
        """A secret that is shown once: alone on standard output, so that it can be piped."""
        if self.as_json:
            self._document(document)
        else:
            click.echo(text)

    def raw(self, text: str) -> None:
        """Text as it is."""
        click.echo(text, nl=False)

    @staticmethod
    def _document(document: Mapping[str, Any]) -> None:
        click.echo(json.dumps(document, ensure_ascii=False, indent=2))
