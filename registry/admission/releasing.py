"""The gate of an artifact: judged before anything is written, recorded and, where nothing is left to do, published."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from registry.artifacts import releases, submitting, unpublishing
from registry.artifacts import sql_releases as sql
from registry.artifacts.catalogue import BY_ARTIFACT_TYPE, RESERVED
from registry.artifacts.judging import judge
from registry.artifacts.model import Kind
from registry.artifacts.references import SLUG
from registry.artifacts.releases import Wanted, floating_of
from registry.artifacts.resolving import MayPull
from registry.artifacts.sql_releases import Release
from registry.artifacts.steps import NO_STEPS, Steps
from registry.artifacts.unpublishing import Force
from registry.artifacts.versions import tag_of, version_of
from registry.content import manifests
from registry.content.manifests import Still
from registry.content.model import Manifest
from registry.content.refusals import telling
from registry.content.shelf import Shelf
from registry.content.terms import OPEN_TERMS, Terms
from registry.core.digest import Digest
from registry.core.errors import (
    Conflict,
    Gone,
    MalformedManifest,
    ManifestUnknown,
    ReservedArtifactType,
    VersionUnknown,
)

_PLACE: Final = re.compile(rf"(?:users|orgs)/{SLUG}/{SLUG}")
_LONGEST: Final = 50


async def _yes(_: str) -> bool:
    return True


async def _free() -> None:
    return None


@dataclass(frozen=True, slots=True)
class Publisher:
    """Who publishes.

    Attributes:
        may_pull: whether it may pull from a repository, whatever its token lists: what an artifact names must be there
            for it.
        charge: counts an artifact that it publishes; raises TooManyRequests.
        steps: what stands between its artifacts and their publication.
    """

    may_pull: MayPull = _yes
    charge: Callable[[], Awaitable[None]] = _free
    steps: Steps = NO_STEPS


EVERYBODY: Final = Publisher()


def kind_of(manifest: Manifest) -> Kind | None:
    """The type of artifact that a manifest is; None for what is no artifact, or belongs to one as a referrer."""
    return None if manifest.subject is not None else BY_ARTIFACT_TYPE.get(manifest.artifact_type or "")


def refuse_reserved(manifest: Manifest) -> None:
    """Nothing, unless only the registry writes what this is.

    Raises:
        ReservedArtifactType: it does.
    """
    if manifest.artifact_type in RESERVED:
        raise ReservedArtifactType(
            f"Only the registry writes artifacts of the type {manifest.artifact_type}: use another artifactType.",
            detail={"reason": "RESERVED_ARTIFACT_TYPE", "artifactType": manifest.artifact_type},
        )


async def release(
    shelf: Shelf,
    name: str,
    manifest: Manifest,
    tags: tuple[str, ...],
    terms: Terms = OPEN_TERMS,
    publisher: Publisher = EVERYBODY,
) -> Release | None:
    """Accept a manifest of an artifact; None where it has no tag: then it is part of one, and held until that comes.

    Raises:
        ArtifactInvalid: it, or what it names, is not in order; `detail` says where.
        ArtifactExists, VersionRetired, Conflict: its version, type or a tag is taken.
        ManifestBlobUnknown, SizeInvalid, TooLarge: as its layers are.
        NameUnknown, QuotaExceeded: as of any push.
        TooManyRequests: the publisher has published too much.
    """
    kind = BY_ARTIFACT_TYPE[manifest.artifact_type or ""]
    _check_place(kind, name)
    if not tags:
        await _hold(shelf, name, manifest, terms)
        return None
    await publisher.charge()
    return await _repeated(shelf, name, manifest, tags, terms) or await _release(
        shelf, name, (kind, manifest), tags, terms, publisher
    )


def _check_place(kind: Kind, name: str) -> None:
    if _PLACE.fullmatch(name) and all(len(part) <= _LONGEST for part in name.split("/")):
        return
    raise MalformedManifest(
        f"A {kind.name} lies in users/<name>/<artifact> or orgs/<name>/<artifact>, not in {name}.",
        pointer="/artifactType",
        value=kind.artifact_type,
        document="manifest",
        suggestion="Push it to such a repository; a name has at most 50 small letters, digits and single hyphens.",
    )


async def _hold(shelf: Shelf, name: str, manifest: Manifest, terms: Terms) -> None:
    async def write(connection: object) -> None:
        repo, now = await sql.ensure_repository(connection, name, terms.who)
        await manifests.place(connection, shelf, now, manifest, [], terms)
        await sql.hold_loose(connection, repo, str(manifest.digest))

    with telling(name, terms):
        async with shelf.changes.making(name, changing=True):
            await shelf.db.retry(write)


async def _repeated(shelf: Shelf, name: str, manifest: Manifest, tags: tuple[str, ...], terms: Terms) -> Release | None:
    """The release that was recorded of the same bytes before: nothing in it is judged again."""
    async with shelf.db.connection() as connection:
        if not await sql.is_known(connection, name, str(manifest.digest)):
            return None
    async with shelf.changes.making(name, changing=True):
        return await shelf.db.retry(
            lambda connection: releases.repeat(connection, name, str(manifest.digest), tags, terms)
        )


async def _release(
    shelf: Shelf,
    name: str,
    pushed: tuple[Kind, Manifest],
    tags: tuple[str, ...],
    terms: Terms,
    publisher: Publisher,
) -> Release:
    kind, manifest = pushed
    found = await submitting.gather(shelf, kind, name, manifest, tags)
    judged = await judge(shelf, found, publisher.may_pull)
    wanted = Wanted(manifest, judged, found.size, floating_of(tags), terms)
    with telling(name, terms):
        async with shelf.changes.making(name, changing=True):
            return await shelf.db.retry(
                lambda connection: releases.record(connection, shelf, name, wanted, publisher.steps)
            )


async def unpublish(
    shelf: Shelf, name: str, version: str, terms: Terms = OPEN_TERMS, *, force: Force = Force.NONE
) -> None:
    """Take a version away, for ever; one that was not published yet, or was rejected, as if it had not been pushed.

    Raises:
        Conflict: it is too old, others depend on it, or a policy keeps its tags; `detail` says what.
        NameUnknown, VersionUnknown: there is no such version.
    """
    await unpublishing.unpublish(shelf, name, version, terms, force)


async def retire_tag(shelf: Shelf, name: str, tag: str, terms: Terms = OPEN_TERMS) -> bool:
    """Unpublish what a tag is the version of; False where it is none.

    Raises:
        Conflict: as `unpublish`.
    """
    version = version_of(tag)
    if version is None or tag != tag_of(version):
        return False
    async with shelf.db.connection() as connection:
        found = await sql.standing(connection, name, version=version)
    return await _retire(shelf, name, found, terms)


async def retire_digest(shelf: Shelf, name: str, digest: Digest, terms: Terms = OPEN_TERMS) -> bool:
    """Unpublish every version that a manifest is; False where it is none.

    Raises:
        Conflict: as `unpublish`.
    """
    async with shelf.db.connection() as connection:
        found = await sql.standing(connection, name, digest=str(digest))
    return await _retire(shelf, name, found, terms)


async def _retire(shelf: Shelf, name: str, versions: list[str], terms: Terms) -> bool:
    for version in versions:
        try:
            await unpublish(shelf, name, version, terms)
        except (Gone, VersionUnknown) as error:  # somebody else was faster
            raise ManifestUnknown(f"{name} has no version {version} any more.") from error
    return bool(versions)


def is_no_release_tag(tag: str) -> Still:
    """Holds while no release needs the tag: it is not the version of one, nor `latest` where there are any.

    Raises:
        Conflict: one does.
    """

    async def still(connection: object, repo: int) -> bool:
        kept = await sql.keeps_tag(connection, repo, tag)
        if kept:
            raise Conflict(
                f"{tag} belongs to the releases: a version is unpublished, and latest follows the highest one.",
                detail={"reason": "TAG_OF_RELEASE", "tags": [tag]},
            )
        return True

    return still


def is_no_release(digest: Digest) -> Still:
    """Holds while a manifest is none of a release."""

    async def still(connection: object, repo: int) -> bool:
        return not await sql.of_digest(connection, repo, str(digest))

    return still
