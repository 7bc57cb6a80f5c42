"""Releases on their way: recorded, moved on, published or rejected, each in the transaction of its caller.

The caller holds the row of the artifact (`sql_releases.lock_artifact`).
"""

import json
from dataclasses import dataclass
from typing import Any, Final

from registry.artifacts import events
from registry.artifacts import sql_releases as sql
from registry.artifacts.judging import Judged
from registry.artifacts.sql_releases import Artifact, New, Release
from registry.artifacts.states import State, closeness, content_state, may_follow
from registry.artifacts.steps import Scan, Signature, Steps
from registry.artifacts.versions import tag_of, version_of
from registry.audit.model import Event
from registry.audit.record import text
from registry.content import manifests, sql_manifests, trail
from registry.content.model import Manifest
from registry.content.refusals import stays
from registry.content.shelf import Shelf
from registry.content.terms import Terms
from registry.core.errors import ArtifactExists, Conflict, ModuleDependencyMissing, RegistryError, VersionRetired

LATEST: Final = "latest"
REPLACEABLE: Final = frozenset({State.REJECTED, State.EXPIRED})
_SIGNATURE: Final = {
    "reason": "SIGNATURE_REQUIRED",
    "message": "It waits for a signature that its namespace accepts.",
    "suggestion": "Sign its digest with cosign.",
}
_SCAN: Final = {
    "reason": "SCAN_PENDING",
    "message": "It waits for its scan.",
    "suggestion": "Ask again in a minute.",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be recorded: a manifest, judged, with the `floating` tags that it was pushed with."""

    manifest: Manifest
    judged: Judged
    size: int
    floating: tuple[str, ...]
    terms: Terms

    @property
    def version(self) -> str:
        """The version that it says it is."""
        return self.judged.extract.version


def floating_of(tags: tuple[str, ...]) -> tuple[str, ...]:
    """The tags that move: those that are no version, but for `latest`, which is the registry's own."""
    return tuple(tag for tag in tags if version_of(tag) is None and tag != LATEST)


async def record(connection: Any, shelf: Shelf, name: str, wanted: Wanted, steps: Steps) -> Release:
    """Record a release, or find it recorded; publish it where nothing is left to be looked at.

    Raises:
        ArtifactExists, VersionRetired: the version is, or was, another one.
        Conflict: the artifact has another type; a tag is immutable and names another manifest.
        ManifestBlobUnknown, NameUnknown, QuotaExceeded: as of a push of any manifest.
        ModuleDependencyMissing: what it depends on was unpublished at the same moment.
    """
    repo, name = await sql.ensure_repository(connection, name, wanted.terms.who)
    kind = wanted.judged.submission.kind.name
    await sql.ensure_artifact(connection, repo, kind)
    artifact = await sql.lock_artifact(connection, repo)
    assert artifact is not None  # noqa: S101 - it was made
    if artifact.type != kind and not await sql.set_type(connection, repo, kind):
        raise Conflict(
            f"{name} is a {artifact.type}, and stays one: publish the {kind} under another name.",
            detail={"reason": "ARTIFACT_TYPE", "type": artifact.type},
        )
    await _check_fixed(connection, artifact, str(wanted.manifest.digest), wanted.floating, wanted.terms)
    there = await sql.of_version(connection, repo, wanted.version)
    _check_version(artifact, there, wanted)
    if there is not None and there.state not in REPLACEABLE:
        await _tag_again(connection, artifact, there, wanted.floating)
        return there
    if there is None and await sql.is_buried(connection, repo, tag_of(wanted.version)):
        raise _retired(name, wanted.version, "was here before its repository was deleted")
    if there is not None and there.digest != str(wanted.manifest.digest):
        await _clear(connection, shelf, artifact, there)
    await _check_fixed(connection, artifact, str(wanted.manifest.digest), (tag_of(wanted.version),), wanted.terms)
    return await _write(connection, shelf, artifact, wanted, steps)


async def repeat(connection: Any, name: str, digest: str, tags: tuple[str, ...], terms: Terms) -> Release | None:
    """The release that a manifest is already, with further floating tags; None where it is none, or another version.

    Raises:
        Conflict: a floating tag is immutable and names another manifest.
    """
    repo = await sql_manifests.lock_repository(connection, name)
    artifact = None if repo is None else await sql.lock_artifact(connection, repo)
    if artifact is None:
        return None
    versions = {version for tag in tags if (version := version_of(tag)) is not None}
    known = [
        one
        for one in await sql.of_digest(connection, artifact.repo, digest)
        if one.state not in REPLACEABLE and versions <= {one.version}
    ]
    if len(known) != 1:
        return None
    floating = floating_of(tags)
    await _check_fixed(connection, artifact, digest, floating, terms)
    await _tag_again(connection, artifact, known[0], floating)
    return known[0]


async def _check_fixed(connection: Any, artifact: Artifact, digest: str, tags: tuple[str, ...], terms: Terms) -> None:
    fixed = terms.fixed(tags)
    moved = await sql.tagged_otherwise(connection, artifact.repo, digest, fixed) if fixed else []
    if moved:
        raise stays(artifact.name, moved, terms)


def _check_version(artifact: Artifact, there: Release | None, wanted: Wanted) -> None:
    if there is None or there.state in REPLACEABLE:
        return
    if there.state is State.UNPUBLISHED:
        raise _retired(artifact.name, there.version, "was unpublished")
    if there.digest != str(wanted.manifest.digest):
        raise ArtifactExists(
            f"{artifact.name}@{there.version} exists already, with other content, and a version never changes: "
            "publish this under a higher one.",
            detail={"reason": "ARTIFACT_ALREADY_EXISTS", "version": there.version, "digest": there.digest},
        )


def _retired(name: str, version: str, why: str) -> VersionRetired:
    return VersionRetired(
        f"{name}@{version} {why}, and a version is never used again: publish this under a higher one.",
        detail={"reason": "VERSION_RETIRED", "version": version},
    )


async def _tag_again(connection: Any, artifact: Artifact, there: Release, floating: tuple[str, ...]) -> None:
    """The same manifest once more, perhaps with further floating tags; one that is not published yet keeps them."""
    new = [tag for tag in floating if tag not in there.floating]
    if there.state is State.PUBLISHED:
        await sql.move_tags(connection, artifact.repo, there.digest, list(floating))
    if new:
        await sql.note_floating(connection, there.id, [*there.floating, *new])


async def _clear(connection: Any, shelf: Shelf, artifact: Artifact, old: Release) -> None:
    """Let go of the manifest of a release that never was published, unless another version or an index has it too."""
    if await siblings(connection, artifact, old):
        await sql_manifests.delete_tag(connection, artifact.repo, old.tag)
    elif not await sql_manifests.parents(connection, artifact.repo, old.digest, 1):
        await manifests.discard(connection, shelf, artifact.repo, old.digest)


async def _write(connection: Any, shelf: Shelf, artifact: Artifact, wanted: Wanted, steps: Steps) -> Release:
    manifest, judged, tag = wanted.manifest, wanted.judged, tag_of(wanted.version)
    terms = Terms(wanted.terms.by, quota=wanted.terms.quota)  # that of a policy's tags has been asked
    await manifests.place(connection, shelf, artifact.name, manifest, [tag], terms)
    new = New(
        wanted.version,
        tag,
        str(manifest.digest),
        judged.submission.kind.name,
        wanted.floating,
        judged.config,
        wanted.size,
        None if wanted.terms.by is None else wanted.terms.by.account,
    )
    release = await sql.record(connection, artifact.repo, new)
    await emit(connection, events.UPLOADED, artifact, release)
    await note(connection, wanted.terms, artifact, release, "artifact.uploaded")
    await describe(connection, release, judged)
    if judged.is_complete:
        return await advance(connection, artifact, release, steps, wanted.terms)
    await show(connection, artifact, release, release.state)
    await sql.wake(connection, release.id)
    return release


async def siblings(connection: Any, artifact: Artifact, release: Release) -> list[Release]:
    """The other versions that a manifest is: an image is what its tags say."""
    return [one for one in await sql.of_digest(connection, artifact.repo, release.digest) if one.id != release.id]


async def show(connection: Any, artifact: Artifact, release: Release, state: State, notice: str | None = None) -> None:
    """Write what the manifest of a release in `state` is to those who pull it: the best of all versions that it is."""
    others = [closeness(one.state) for one in await siblings(connection, artifact, release)]
    if closeness(state) <= min(others, default=closeness(state)):
        await sql.set_content(connection, artifact.repo, release.digest, content_state(state), notice)


async def leave_to(connection: Any, artifact: Artifact, others: list[Release]) -> None:
    """Let a manifest be to those who pull it what it is as one of these versions, now that another one has gone."""
    best = min(others, key=lambda one: closeness(one.state))
    if best.state is not State.PUBLISHED:
        notice = None if best.reason is None else json.loads(best.reason).get("message")
        await sql.set_content(connection, artifact.repo, best.digest, content_state(best.state), notice)


async def describe(connection: Any, release: Release, judged: Judged) -> None:
    """Write what is known of a release, and whom it names.

    Raises:
        ModuleDependencyMissing: one of those was unpublished meanwhile.
    """
    if judged.config is not None:
        await sql.describe(connection, release.id, judged.extract, judged.config)
    await sql.set_dependencies(connection, release.id, list(judged.dependencies))
    found = [one.release for one in judged.dependencies if one.release is not None and not one.is_optional]
    if not await sql.hold_found(connection, found):
        raise ModuleDependencyMissing(
            "An artifact that this one needs was unpublished at this moment.",
            pointer="/dependencies",
            suggestion="Push it again to learn which, then choose another version.",
        )


async def advance(connection: Any, artifact: Artifact, release: Release, steps: Steps, terms: Terms) -> Release:
    """Move a valid release on as far as it goes: to be published, or to wait for a signature or a scan."""
    await sql.lock_release(connection, release.id)  # a signature that comes now is seen by the step, or wakes a worker
    if release.state is State.RECEIVED or release.state is State.AWAITING_SIGNATURE:
        if await steps.signature(connection, release) is Signature.WAIT:
            return await wait(connection, artifact, release, State.AWAITING_SIGNATURE, _SIGNATURE)
        release = await _enter(connection, release, State.SCANNING)
    match await steps.scan(connection, release):
        case Scan.WAIT:
            return await wait(connection, artifact, release, State.SCANNING, _SCAN)
        case Scan.MALICIOUS:
            reason = {
                "reason": "MALICIOUS_CONTENT_DETECTED",
                "message": "A scan found malicious content in it.",
                "suggestion": "Remove it, and publish what is left as this version.",
            }
            return await reject(connection, artifact, release, reason, terms)
        case _:
            return await _publish(connection, artifact, release, terms)


async def _enter(connection: Any, release: Release, state: State, reason: dict[str, Any] | None = None) -> Release:
    if not may_follow(release.state, state):
        raise RegistryError(f"A release does not come from {release.state} into {state}.")
    await sql.enter(connection, release.id, state, reason)
    found = await sql.of_id(connection, release.id)
    assert found is not None  # noqa: S101 - its artifact is locked
    return found


async def wait(connection: Any, artifact: Artifact, release: Release, state: State, reason: dict[str, Any]) -> Release:
    """Leave a release in `state`, held, until what it waits for has come; that is looked for from time to time, too."""
    await show(connection, artifact, release, state, str(reason["message"]))
    if release.state is not state:
        release = await _enter(connection, release, state)
    await sql.look_again(connection, release.id, reason)
    return release


async def _publish(connection: Any, artifact: Artifact, release: Release, terms: Terms) -> Release:
    await show(connection, artifact, release, State.PUBLISHED)
    release = await _enter(connection, release, State.PUBLISHED)
    for other in await siblings(connection, artifact, release):
        if other.state is State.REJECTED:  # its manifest can be pulled now, but not as that version
            await sql_manifests.delete_tag(connection, artifact.repo, other.tag)
    fixed = await sql.tagged_otherwise(connection, artifact.repo, release.digest, terms.fixed(release.floating))
    moving = [tag for tag in release.floating if tag not in fixed]
    await sql.move_tags(connection, artifact.repo, release.digest, moving)
    await follow(connection, artifact)
    await emit(connection, events.PUBLISHED, artifact, release)
    previous = {"previousVersion": artifact.latest, "newVersion": release.version}
    await emit(connection, events.VERSION_PUBLISHED, artifact, release, previous)
    await note(connection, terms, artifact, release, "artifact.published")
    return release


async def follow(connection: Any, artifact: Artifact) -> None:
    """Let `latest` follow the highest release, and the artifact say what that does."""
    highest = await sql.highest(connection, artifact.repo)
    if highest is None:
        await sql_manifests.delete_tag(connection, artifact.repo, LATEST)
    else:
        await sql.move_tags(connection, artifact.repo, highest.digest, [LATEST])
    if highest is None or highest.version != artifact.latest:
        await sql.set_latest(connection, artifact.repo, None if highest is None else highest.id)
    await sql.touch(connection, artifact.repo)


async def reject(
    connection: Any, artifact: Artifact, release: Release, reason: dict[str, Any], terms: Terms
) -> Release:
    """End a release for what is in it: it stays to be looked up, and its version may be published anew."""
    reason = _storable(reason)
    await show(connection, artifact, release, State.REJECTED, str(reason["message"]))
    if any(one.state is State.PUBLISHED for one in await siblings(connection, artifact, release)):
        await sql_manifests.delete_tag(connection, artifact.repo, release.tag)
    release = await _enter(connection, release, State.REJECTED, reason)
    await emit(connection, events.REJECTED, artifact, release, {"reason": reason})
    await note(connection, terms, artifact, release, "artifact.rejected", {"reason": str(reason.get("reason", ""))})
    return release


def _storable(value: Any) -> Any:
    """A JSON value as PostgreSQL can keep it: it may quote what a layer holds."""
    match value:
        case dict():
            return {text(str(key)): _storable(item) for key, item in value.items()}
        case list() | tuple():
            return [_storable(item) for item in value]
        case str():
            return text(value)
        case _:
            return value


async def expire(connection: Any, shelf: Shelf, artifact: Artifact, release: Release, terms: Terms) -> Release:
    """End a release that nobody signed in time; its bytes go."""
    release = await _enter(connection, release, State.EXPIRED)
    await _clear(connection, shelf, artifact, release)
    await emit(connection, events.EXPIRED, artifact, release)
    await note(connection, terms, artifact, release, "artifact.expired")
    return release


async def emit(
    connection: Any, kind: str, artifact: Artifact, release: Release, more: dict[str, Any] | None = None
) -> None:
    """Write a fact of a release."""
    body = {
        "uploadId": release.upload,
        "repository": artifact.name,
        "version": release.version,
        "digest": release.digest,
        "type": release.type,
    }
    await sql_manifests.emit(connection, kind, artifact.repo, json.dumps(body | (more or {})))


async def note(
    connection: Any,
    terms: Terms,
    artifact: Artifact,
    release: Release,
    action: str,
    detail: dict[str, Any] | None = None,
) -> None:
    """Write the audit row of what was done with a release."""
    said = {"digest": release.digest} | (detail or {})
    await trail.note(connection, terms, artifact.repo, Event(action, f"{artifact.name}@{release.version}", detail=said))
