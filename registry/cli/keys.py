"""Making and rotating keys, of users and of robots: the same options and the same answers."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

import click

from registry.cli.api import Api
from registry.cli.forms import lifetime
from registry.cli.output import Output
from registry.cli.problems import Problem, Unreachable

LONGEST: Final = 3652  # days that a registry lets a key of a person live
COLUMNS: Final = ("id", "name", "hint", "scopes", "namespaces", "repositories", "addresses", "lastUsedAt", "expiresAt")
_SCOPES: Final = ("read-only", "publish", "admin")
_OPTIONS: Final = (
    click.option("--scope", type=click.Choice(_SCOPES), default="publish", show_default=True, help="What it may do."),
    click.option("--namespace", "namespaces", multiple=True, help="Only in this namespace; several times for more."),
    click.option(
        "--repository", "repositories", multiple=True, help="Only in this repository; several times for more."
    ),
    click.option("--address", "addresses", multiple=True, help="Only from this network, such as 10.0.0.0/8."),
    click.option("--expires", default="90d", show_default=True, help="When it ends: 30d, 12h, or never."),
)
_Command = TypeVar("_Command", bound=Callable[..., None])


def key_options(function: _Command) -> _Command:
    """The options of a command that makes a key."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def asked(name: str, options: dict[str, Any], longest: int | None = None) -> dict[str, Any]:
    """The body that asks for a key of this name with `key_options`; `longest` days stand for `never`."""
    limits = {field: list(options[field]) or None for field in ("namespaces", "repositories", "addresses")}
    return {"name": name, "scopes": [options["scope"]]} | limits | _expiry(lifetime(options["expires"]), longest)


def _expiry(life: timedelta | None, longest: int | None) -> dict[str, Any]:
    if life is None:
        return {"expiresInDays": longest}
    if life % timedelta(days=1):
        return {"expiresAt": (datetime.now(UTC) + life).isoformat(timespec="seconds")}
    return {"expiresInDays": life.days}


def make(api: Api, out: Output, path: str, body: dict[str, Any]) -> None:
    """Have a key made, and show it this once.

    Raises:
        Unreachable: the registry answered without one.
    """
    _show(out, api.call("POST", path, body).body, "Made")


def rotate(api: Api, out: Output, path: str, overlap: str) -> None:
    """Have a key replaced, and show the new one; the old one stays good for `overlap`.

    Raises:
        Problem: `overlap` is no length of time.
        Unreachable: the registry answered without a key.
    """
    life = timedelta(0) if overlap in {"0", "0s"} else lifetime(overlap)
    if life is None:
        raise Problem("The old key must end some time.", "Write --overlap 1h, or 0s to end it at once.")
    _show(out, api.call("POST", path, {"overlapSeconds": int(life.total_seconds())}).body, "Rotated to")
    out.say(f"The old one is good for {overlap} more." if life else "The old one is revoked.")


def _show(out: Output, made: dict[str, Any], verb: str) -> None:
    text = made.get("key")
    if not isinstance(text, str):
        raise Unreachable("The registry answered without a key.")
    end = f"until {made['expiresAt']}" if made.get("expiresAt") else "until it is revoked"
    out.say(f"{verb} the key {made.get('id')} ({made.get('name')}), good {end}. It is shown this once:")
    out.secret(text, made)
