"""One run of `gati`: the options that every command has, and the words of its user."""

import os
import sys
from collections.abc import Mapping
from typing import Final

import click

from registry.cli.output import Output
from registry.cli.problems import Problem

REGISTRY_VARIABLE: Final = "GATI_REGISTRY"


class Run:
    """What a command knows besides its own options.

    Attributes:
        out: where its words go.
        registry: what `--registry` or GATI_REGISTRY names; None: the one last logged in to.
        is_sure: `--yes`: nothing is asked.
        is_insecure: `--insecure`: plain HTTP to other machines is allowed.
        namespace: the namespace that the command before a further one names.
    """

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self.environ = os.environ if environ is None else environ
        self.out = Output()
        self.registry = self.environ.get(REGISTRY_VARIABLE) or None
        self.is_sure = False
        self.is_insecure = False
        self.namespace = ""

    def confirm(self, loss: str, name: str) -> None:
        """Have the user type `name`, since `loss` cannot be brought back.

        Raises:
            Problem: they typed something else, or there is no terminal to ask at.
        """
        if self.is_sure:
            return
        if not sys.stdin.isatty():
            raise Problem(f"{loss} This cannot be undone.", "Say --yes if that is what you want.")
        click.echo(f"{loss} This cannot be undone.", err=True)
        if click.prompt(f"Type {name} to go on", default="", show_default=False, err=True) != name:
            raise Problem(f"That was not {name}: nothing was done.")

    def password(self, prompt: str, *, from_stdin: bool, twice: bool = False) -> str:
        """A secret, from one line of standard input or typed unseen.

        Raises:
            Problem: there is none, or no terminal to ask at.
        """
        if from_stdin:
            return read_line(prompt)
        if not sys.stdin.isatty():
            raise Problem(
                f"{prompt} cannot be asked for: standard input is no terminal.",
                "Pipe it in and say so, for instance with --password-stdin.",
            )
        text: str = click.prompt(prompt, hide_input=True, confirmation_prompt=twice, err=True)
        return text

    def ask(self, prompt: str, option: str) -> str:
        """What an option would have said.

        Raises:
            Problem: there is no terminal to ask at.
        """
        if not sys.stdin.isatty():
            raise Problem(f"{prompt} is missing.", f"Give it with {option}.")
        text: str = click.prompt(prompt, err=True)
        return text


def read_line(what: str) -> str:
    """The next line of standard input without its end; other white space belongs to it.

    Raises:
        Problem: it is empty.
    """
    text = sys.stdin.readline().removesuffix("\n").removesuffix("\r")
    if not text:
        raise Problem(f"{what} was to come from standard input, which is empty.")
    return text


pass_run = click.make_pass_decorator(Run)
