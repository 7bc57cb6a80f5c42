"""What a release may do and what it runs on, before it is installed. Pure but for the question that is asked."""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Final

import click

from registry.artifacts import versions
from registry.artifacts.capabilities import covers, normalise
from registry.cli.graph import Release
from registry.cli.lockfile import Locked
from registry.cli.output import printable
from registry.cli.problems import Refused
from registry.cli.run import Run

_PACKAGES: Final = ("gati", "@gati-framework/core", "@gati-framework/runtime", "@gati-framework/cli")
_FIRST: Final = re.compile(r"[\^~>=v ]*([0-9]+(?:\.[0-9]+(?:\.[0-9]+(?:-[0-9A-Za-z.-]+)?)?)?)")


def wider(release: Release, before: Locked | None) -> tuple[str, ...]:
    """The capabilities of a release that the one before it did not have; all of them where there was none."""
    granted = tuple(map(_normal, before.capabilities)) if before is not None else ()
    return tuple(sorted({one for one in map(_normal, release.capabilities) if not covers(granted, one)}))


def _normal(capability: str) -> str:
    try:
        return normalise(capability)
    except ValueError:
        return capability


def ask(run: Run, releases: Sequence[Release], lock: Mapping[str, Locked]) -> None:
    """Have the user agree to what these may do beyond what the lock says.

    Raises:
        Refused: they do not, or there is no terminal to ask at.
    """
    new = {release: wider(release, lock.get(release.repository)) for release in releases}
    asked = [(release, found) for release, found in new.items() if found]
    if not asked or run.is_sure:
        return
    told = [f"{release} may {', '.join(found)}" for release, found in asked]
    if not sys.stdin.isatty():
        raise Refused(
            f"Nothing is installed, because nobody can be asked whether this is wanted: {'; '.join(told)}.",
            "Say --yes if it is.",
            code="CONSENT_REQUIRED",
        )
    for one in told:
        click.echo(printable(f"  {one}"), err=True)
    if not click.confirm("Install them with these capabilities?", default=False, err=True):
        raise Refused("Nothing is installed, because you did not agree.", code="CONSENT_REQUIRED")


def fit(releases: Sequence[Release], gati: str | None) -> None:
    """Refuse what does not run on this version of Gati, if it is known.

    Raises:
        Refused: something does not.
    """
    if gati is None:
        return
    unfit = [one for one in releases if one.engines and not versions.satisfies(gati, one.engines)]
    if unfit:
        told = ", ".join(f"{one} needs Gati {one.engines}" for one in unfit)
        raise Refused(
            f"Nothing is installed: the project runs on Gati {gati}, and {told}.",
            "Ask for other versions, say --gati-version if the project runs on another, or --force.",
            code="INCOMPATIBLE_ENGINE",
        )


def gati_version(package: bytes | None) -> str | None:
    """The version of Gati that a `package.json` asks for: the lowest of the range; None where it names none."""
    try:
        document = json.loads(package or b"{}")
        found = {**document.get("devDependencies", {}), **document.get("dependencies", {})}
    except (ValueError, RecursionError, AttributeError, TypeError):
        return None
    for name in _PACKAGES:
        match = _FIRST.match(str(found.get(name, "")))
        if match is not None:
            parts = match[1].split("-", 1)[0].split(".")
            text = match[1] if len(parts) == 3 else ".".join([*parts, "0", "0"][:3])
            return text if versions.is_version(text) else None
    return None
