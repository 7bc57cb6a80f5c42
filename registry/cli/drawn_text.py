"""Markdown as a terminal shows it."""

from rich.console import Console
from rich.markdown import Markdown


def show(text: str) -> None:
    """Print Markdown on standard output, laid out for its width."""
    Console(width=None).print(Markdown(text, hyperlinks=False))
