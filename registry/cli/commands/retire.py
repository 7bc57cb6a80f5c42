"""`gati module unpublish` and `gati module deprecate`."""

from datetime import UTC, datetime

import click

from registry.cli.api import route
from registry.cli.catalog import base, parse
from registry.cli.commands_of import Command
from registry.cli.problems import Problem
from registry.cli.reach import Reach, reach
from registry.cli.run import Run, pass_run


def _release(place: Reach, text: str) -> tuple[str, str]:
    """The repository and the version of a release that is named."""
    asked = parse(text)
    if asked.version is None and asked.digest is None:
        raise Problem(f"{text} names no version.", f"Write which one: {text}@1.0.0.")
    repository = place.catalog.repository(asked)
    return repository, str(place.catalog.release(repository, str(asked.digest or asked.version)).get("version"))


def _path(repository: str, version: str) -> str:
    return f"{base(repository)}/{route(version).removeprefix('/v1/')}"


@click.command(cls=Command)
@click.argument("reference")
@click.option("--force", is_flag=True, help="Also when it is older than the window, if you may manage the namespace.")
@pass_run
def unpublish(run: Run, reference: str, *, force: bool) -> None:
    r"""Take back the release REFERENCE, @NAME/ARTIFACT@VERSION. Its version can never be published again.

    \b
        gati module unpublish @alice/hello@1.0.1
    """
    place = reach(run)
    repository, version = _release(place, reference)
    run.confirm(f"{repository} {version} can be pulled by nobody any more.", f"{repository}@{version}")
    query = {"force": "true"} if force else {}
    place.api.call("DELETE", _path(repository, version), params=query)
    run.out.done(f"{repository} {version} is unpublished.", {"repository": repository, "version": version})


@click.command(cls=Command)
@click.argument("reference")
@click.option("--reason", help="Why it should not be used any more.")
@click.option("--sunset", metavar="DATE", help="Until when it works: 2027-06-30, or a time in RFC 3339.")
@click.option("--replacement", metavar="REFERENCE", help="What to use instead.")
@click.option("--undo", is_flag=True, help="Take the deprecation back.")
@pass_run
def deprecate(
    run: Run, reference: str, reason: str | None, sunset: str | None, replacement: str | None, *, undo: bool
) -> None:
    r"""Warn everybody who uses the release REFERENCE; it can still be pulled.

    \b
        gati module deprecate @alice/hello@1.0.0 --reason "It loses data." --replacement @alice/hello@1.0.1
    """
    if not undo and not reason:
        raise Problem("Nobody is told why.", "Give the reason with --reason, or take the deprecation back with --undo.")
    place = reach(run)
    repository, version = _release(place, reference)
    path = f"{_path(repository, version)}/deprecation"
    if undo:
        place.api.call("DELETE", path)
        run.out.done(f"{repository} {version} is not deprecated any more.", {"repository": repository})
        return
    body = {"reason": reason, "sunset": None if sunset is None else _time(sunset), "replacement": replacement}
    release = place.api.call("POST", path, body).body
    run.out.done(f"{repository} {version} is deprecated: {reason}", release)


def _time(text: str) -> str:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise Problem(f"{text!r} is no date.", "Write it as 2027-06-30, or 2027-06-30T12:00:00Z.") from error
    aware = found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")
