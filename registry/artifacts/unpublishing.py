"""Versions are taken away: for ever, by the rules that npm has, or withdrawn before anybody could have them."""

from datetime import timedelta
from enum import IntEnum
from typing import Any, Final

from registry.artifacts import events, references, releases, sql_dependents
from registry.artifacts import sql_releases as sql
from registry.artifacts.sql_releases import Artifact, Release
from registry.artifacts.states import State
from registry.artifacts.versions import is_version, satisfies
from registry.content import manifests, sql_manifests
from registry.content.refusals import stays
from registry.content.shelf import Shelf
from registry.content.terms import Terms
from registry.core.errors import Conflict, Gone, VersionUnknown
from registry.namespaces import catalog

_NAMED: Final = 10
_LIVING: Final = frozenset({State.PUBLISHED, State.QUARANTINED})


class Force(IntEnum):
    """Which rules do not count: none of them; those that an admin may break; also that others depend on it."""

    NONE = 0
    WINDOW = 1
    DEPENDENTS = 2


async def unpublish(shelf: Shelf, name: str, version: str, terms: Terms, force: Force) -> None:
    """Take a version away.

    Raises:
        Conflict: it is too old, others depend on it, or a policy keeps its tags; `detail` says what.
        Gone, NameUnknown, VersionUnknown: there is no such version, or not any more.
        Unsupported: an index contains its manifest.
    """

    async def remove(connection: object) -> bool:
        repo = await sql_manifests.lock_repository(connection, name)
        artifact = None if repo is None else await sql.lock_artifact(connection, repo)
        release = None if artifact is None else await sql.of_version(connection, artifact.repo, version)
        if artifact is None or release is None or release.state is State.EXPIRED:
            return False
        if release.state is State.UNPUBLISHED:
            raise Gone(f"{name}@{version} was unpublished before.", detail={"repository": name, "version": version})
        if release.state in _LIVING:
            await sql.lock_release(connection, release.id)
            await _check(connection, shelf, artifact, release, force)
            await _retire(connection, shelf, artifact, release, terms, force)
        else:
            await _withdraw(connection, shelf, artifact, release, terms)
        return True

    async with shelf.changes.of(name):
        removed = await shelf.db.retry(remove)
    if not removed:
        await catalog.require(shelf.db, name)
        raise VersionUnknown(f"{name} has no version {version}.", detail={"repository": name, "version": version})


async def _check(connection: Any, shelf: Shelf, artifact: Artifact, release: Release, force: Force) -> None:
    if force < Force.WINDOW and not await _is_young(connection, release, shelf.policy.unpublish_window):
        raise Conflict(
            f"{artifact.name}@{release.version} was published longer ago than {_told(shelf.policy.unpublish_window)}, "
            "within which a version may be unpublished: deprecate it, or let an admin of the namespace force it.",
            detail={
                "reason": "UNPUBLISH_WINDOW",
                "seconds": int(shelf.policy.unpublish_window.total_seconds()),
                "publishedAt": None if release.published_at is None else release.published_at.isoformat(),
            },
        )
    if force < Force.DEPENDENTS:
        needing = await _needing(connection, artifact, release)
        if needing:
            shown = ", ".join(needing[:_NAMED]) + (" and more" if len(needing) > _NAMED else "")
            raise Conflict(
                f"{artifact.name}@{release.version} is the only version that these admit: {shown}. Deprecate it "
                "instead, publish another version that they admit, or ask an administrator of the registry.",
                detail={"reason": "HAS_DEPENDENTS", "dependents": needing[:_NAMED]},
            )


async def _is_young(connection: Any, release: Release, window: timedelta) -> bool:
    return bool(
        await connection.fetchval(
            "SELECT $1::timestamptz > clock_timestamp() - $2::interval", release.published_at, window
        )
    )


def _told(window: timedelta) -> str:
    hours = window.total_seconds() / 3600
    return f"{hours:g} hours"


async def _needing(connection: Any, artifact: Artifact, release: Release) -> list[str]:
    """Who would have no version left that it admits."""
    others = await sql_dependents.others(connection, artifact.repo, release.version)
    return [
        f"{one.name}@{one.version}"
        for one in await sql_dependents.of(connection, artifact.repo)
        if _admits(one, release.version, release.digest)
        and (one.digest is not None or not any(_admits(one, other, "") for other in others))
    ]


def _admits(one: sql_dependents.Dependent, version: str, digest: str) -> bool:
    if one.digest is not None:
        return one.digest == digest
    named = references.parse(one.reference).version
    if named is not None and is_version(named):
        return named == version
    return one.wanted == "*" or satisfies(version, one.wanted)


async def _retire(
    connection: Any, shelf: Shelf, artifact: Artifact, release: Release, terms: Terms, force: Force
) -> None:
    await _discard(connection, shelf, artifact, release, terms if force is Force.NONE else None)
    await sql.enter(connection, release.id, State.UNPUBLISHED)
    await releases.follow(connection, artifact)
    await releases.emit(connection, events.UNPUBLISHED, artifact, release)
    detail = {"force": force.name.lower()}
    await releases.note(connection, terms, artifact, release, "artifact.unpublished", detail)


async def _withdraw(connection: Any, shelf: Shelf, artifact: Artifact, release: Release, terms: Terms) -> None:
    await _discard(connection, shelf, artifact, release, terms)
    await sql.delete(connection, release.id)
    await sql.touch(connection, artifact.repo)
    await releases.emit(connection, events.UNPUBLISHED, artifact, release)
    await releases.note(connection, terms, artifact, release, "artifact.withdrawn")


async def _discard(connection: Any, shelf: Shelf, artifact: Artifact, release: Release, terms: Terms | None) -> None:
    """Remove the manifest with its tags, unless it is another version, too: then only the tag of this one."""
    others = await releases.siblings(connection, artifact, release)
    tags = [release.tag] if others else await sql_manifests.lock_tags(connection, artifact.repo, release.digest)
    fixed = [] if terms is None else terms.fixed(tag for tag in tags if tag != releases.LATEST)
    if terms is not None and fixed:
        raise stays(artifact.name, fixed, terms)
    if others:
        await sql_manifests.delete_tag(connection, artifact.repo, release.tag)
        await releases.leave_to(connection, artifact, others)
        return
    await manifests.refuse_contained(connection, artifact.repo, release.digest)
    await manifests.discard(connection, shelf, artifact.repo, release.digest)
