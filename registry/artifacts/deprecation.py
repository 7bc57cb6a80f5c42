"""Versions are discouraged, with a reason: they stay, and whoever pulls them is told."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from registry.artifacts import events, references, releases
from registry.artifacts import sql_releases as sql
from registry.artifacts.sql_releases import Artifact, Release
from registry.artifacts.states import State
from registry.content import sql_manifests
from registry.content.shelf import Shelf
from registry.content.terms import Terms
from registry.core.errors import MalformedManifest, Unprocessable, VersionUnknown
from registry.core.legible import is_legible
from registry.namespaces import catalog

LONGEST: Final = 2000


@dataclass(frozen=True, slots=True)
class Deprecation:
    """Why a version is discouraged.

    Attributes:
        reason: 1 to 2,000 characters.
        sunset: when it stops being looked after; with an offset from UTC.
        replacement: a reference of what to use instead.
    """

    reason: str
    sunset: datetime | None = None
    replacement: str | None = None


def check(given: Deprecation) -> None:
    """Nothing, when it can be shown.

    Raises:
        Unprocessable: it cannot; the message says why.
    """
    if not 1 <= len(given.reason.strip()) <= LONGEST or not is_legible(given.reason):
        raise Unprocessable(
            f"The reason of a deprecation has 1 to {LONGEST} characters, none of them a control "
            "character or a mark that turns the direction of text.",
            detail={"pointer": "/reason"},
        )
    if given.sunset is not None and given.sunset.tzinfo is None:
        raise Unprocessable("Write the sunset with its offset from UTC.", detail={"pointer": "/sunset"})
    if given.replacement is not None:
        try:
            references.parse(given.replacement, "/replacement")
        except MalformedManifest as error:
            raise Unprocessable(f"{error.message} {error.suggestion}", detail={"pointer": "/replacement"}) from error


def parse(stored: str) -> Deprecation:
    """A deprecation, from the JSON that is kept of it."""
    found = json.loads(stored)
    sunset = found.get("sunset")
    return Deprecation(
        found["reason"], None if sunset is None else datetime.fromisoformat(sunset), found.get("replacement")
    )


def notice(name: str, version: str, given: Deprecation) -> str:
    """What whoever pulls it is told."""
    reason = given.reason.strip()
    told = f"{name}@{version} is deprecated: {reason}{'' if reason[-1] in '.!?' else '.'}"
    if given.sunset is not None:
        told += f" It ends on {given.sunset.date().isoformat()}."
    if given.replacement is not None:
        told += f" Use {given.replacement} instead."
    return told


async def deprecate(shelf: Shelf, name: str, version: str, given: Deprecation, terms: Terms) -> None:
    """Discourage a published version, or say so in other words.

    Raises:
        NameUnknown, VersionUnknown: there is no such version, or it is not published.
        Unprocessable: it cannot be shown.
    """
    check(given)
    await _change(shelf, name, version, given, terms)


async def undeprecate(shelf: Shelf, name: str, version: str, terms: Terms) -> None:
    """Let a version be one like any other.

    Raises:
        NameUnknown, VersionUnknown: there is no such version, or it is not published.
    """
    await _change(shelf, name, version, None, terms)


async def _change(shelf: Shelf, name: str, version: str, given: Deprecation | None, terms: Terms) -> None:
    async def write(connection: Any) -> bool:
        repo = await sql_manifests.lock_repository(connection, name)
        artifact = None if repo is None else await sql.lock_artifact(connection, repo)
        release = None if artifact is None else await sql.of_version(connection, artifact.repo, version)
        if artifact is None or release is None or release.state is not State.PUBLISHED:
            return False
        await _write(connection, artifact, release, given, terms)
        return True

    async with shelf.changes.of(name):
        done = await shelf.db.retry(write)
    if not done:
        await catalog.require(shelf.db, name)
        raise VersionUnknown(
            f"{name} has no published version {version}.", detail={"repository": name, "version": version}
        )


async def _write(
    connection: Any, artifact: Artifact, release: Release, given: Deprecation | None, terms: Terms
) -> None:
    told = None if given is None else notice(artifact.name, release.version, given)
    await sql.set_content(connection, artifact.repo, release.digest, "live", told)
    await sql.set_deprecation(connection, release.id, None if given is None else json.dumps(_shown(given)))
    await sql.touch(connection, artifact.repo)
    if given is None:
        await releases.emit(connection, events.UPDATED, artifact, release)
        await releases.note(connection, terms, artifact, release, "artifact.undeprecated")
        return
    await releases.emit(connection, events.DEPRECATED, artifact, release, {"deprecation": _shown(given)})
    await releases.note(connection, terms, artifact, release, "artifact.deprecated", _shown(given))


def _shown(given: Deprecation) -> dict[str, str]:
    found = {"reason": given.reason.strip()}
    if given.sunset is not None:
        found["sunset"] = given.sunset.isoformat()
    if given.replacement is not None:
        found["replacement"] = given.replacement
    return found
