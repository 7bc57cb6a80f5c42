"""Publishing: what is missing is sent, the manifest is put, and the registry's verdict is waited for."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from registry.artifacts.states import HELD, State
from registry.cli import transfer
from registry.cli.api import Api, route
from registry.cli.bundles import Bundle, Part
from registry.cli.catalog import Catalog
from registry.cli.oci import Fetched, Oci
from registry.cli.output import Output
from registry.cli.problems import Clash, Missing, NotSignedIn, Problem, Refused, Unreachable
from registry.cli.progress import Bars
from registry.cli.provenance import VOLATILE
from registry.cli.transfer import Blob
from registry.cli.waiting import patience

_WAIT: Final = 600.0
_SOON: Final = 8


@dataclass(frozen=True, slots=True)
class Wishes:
    """How something is published.

    Attributes:
        tags: more tags, such as `beta`.
        access: who may pull it; None: as the namespace, or the repository, has it.
        is_waiting: whether to wait for the verdict.
    """

    tags: tuple[str, ...] = ()
    access: str | None = None
    is_waiting: bool = True


@dataclass(frozen=True, slots=True)
class Counter:
    """Where it is published: the registry by both of its APIs, and where words and bars go."""

    oci: Oci
    api: Api
    out: Output


@dataclass(frozen=True, slots=True)
class Published:
    """What came of it: the digest and the state of the release, and whether it was there before."""

    digest: str
    state: str
    was_there: bool = False


def publish(counter: Counter, bundle: Bundle, wishes: Wishes) -> Published:
    """Publish an artifact that was judged.

    Raises:
        Clash: the version is something else already.
        Problem: the registry refuses or rejects it, or cannot be reached for long.
        KeyboardInterrupt: the user stopped it; the same command goes on where it was.
    """
    there = _there(counter, bundle)
    if there is None:
        _send(counter, bundle, wishes)
    else:
        _adjust(counter, bundle, wishes, there)
    _hang(counter, bundle, there)
    digest = bundle.manifest.digest if there is None else there.digest
    state = _verdict(counter, bundle, digest) if wishes.is_waiting else _state(counter, bundle, digest)
    return Published(digest, state, there is not None)


def _adjust(counter: Counter, bundle: Bundle, wishes: Wishes, there: Fetched) -> None:
    """What a version that is there already may still get: tags, and who may pull it."""
    if wishes.access is not None:
        _open(counter, bundle.repository, wishes.access)
    if wishes.tags:
        tags = (bundle.tag, *wishes.tags)
        counter.oci.push_manifest(bundle.repository, there.digest, there.raw, there.media_type, tags)


def _there(counter: Counter, bundle: Bundle) -> Fetched | None:
    """The manifest of this version, when it says the same: builds of other times and tools are the same artifact.

    Raises:
        Clash: it says something else.
    """
    found = counter.oci.digest(bundle.repository, bundle.tag)
    if found is None:
        return None
    try:
        there = counter.oci.manifest(bundle.repository, found)
    except (Missing, Refused):
        return None
    if there.digest == bundle.manifest.digest or _essence(there.raw) == _essence(bundle.manifest.raw):
        return there
    raise Clash(
        f"{bundle.repository} {bundle.version} is there already, with another content: versions are never changed.",
        f"Raise the version in the manifest, or publish with --version. What is there has the digest {there.digest}.",
        code="ARTIFACT_ALREADY_EXISTS",
    )


def _essence(raw: bytes) -> Any:
    """What a manifest says, without when and by what it was built."""
    document = json.loads(raw)
    notes = document.get("annotations") or {}
    document["annotations"] = {name: text for name, text in notes.items() if name not in VOLATILE}
    return document


def _send(counter: Counter, bundle: Bundle, wishes: Wishes) -> None:
    _send_blobs(counter, bundle.repository, bundle.parts)
    if wishes.access is not None:
        _open(counter, bundle.repository, wishes.access)
    for child in bundle.children:
        counter.oci.push_manifest(bundle.repository, child.digest, child.raw, child.media_type)
    main = bundle.manifest
    if wishes.tags:
        tags = tuple(dict.fromkeys((bundle.tag, *wishes.tags)))
        counter.oci.push_manifest(bundle.repository, main.digest, main.raw, main.media_type, tags)
    else:
        counter.oci.push_manifest(bundle.repository, bundle.tag, main.raw, main.media_type)


def _send_blobs(counter: Counter, repository: str, parts: Sequence[Part]) -> None:
    blobs = []
    for part in parts:
        content = part.content
        if isinstance(content.source, str):
            counter.oci.mount(repository, content.digest, content.source)
        else:
            blobs.append(Blob(content.digest, content.size, content.open, part.title))
    try:
        with Bars(counter.out) as bars:
            transfer.push_all(counter.oci, repository, blobs, bars)
    except KeyboardInterrupt:
        counter.out.say("Stopped. The same command goes on where it was.")
        raise


def _hang(counter: Counter, bundle: Bundle, there: Fetched | None) -> None:
    """Push the referrers that are not there yet."""
    for one in bundle.hanging:
        manifest, parts = bundle.hung(one)
        if there is not None:
            known = counter.oci.referrers(bundle.repository, there.digest, one.artifact_type)
            if known or there.digest != bundle.manifest.digest:
                continue
        _send_blobs(counter, bundle.repository, parts)
        counter.oci.push_manifest(bundle.repository, manifest.digest, manifest.raw, manifest.media_type)


def _open(counter: Counter, repository: str, access: str) -> None:
    """Have these people be able to pull it: before anything can be pulled."""
    namespace = repository.rpartition("/")[0]
    path = route("namespaces", namespace.replace("/", "~", 1), "repositories", repository)
    try:
        counter.api.call("PATCH", path, {"visibility": access})
    except NotSignedIn:
        if not counter.oci.answers_anybody():
            raise
        if access != "public":
            counter.out.warn(f"This registry is open: everybody who reaches it may pull {repository}, {access} or not.")


def _verdict(counter: Counter, bundle: Bundle, digest: str) -> str:
    """The state in which the release stays.

    Raises:
        Problem: it is rejected, for a reason.
    """
    for turn in patience(_WAIT):
        state = _state(counter, bundle, digest)
        if state not in {State.RECEIVED, State.SCANNING}:
            return state
        if turn == _SOON:
            counter.out.say(f"All is sent. The registry looks at it: {state}. With --no-wait nobody waits for it.")
    raise Unreachable(
        f"The registry has not judged {bundle.repository} {bundle.version} for {_WAIT / 60:.0f} minutes.",
        f"Look later: gati module info {bundle.repository}@{bundle.version}.",
        code="TIMEOUT",
    )


def _state(counter: Counter, bundle: Bundle, digest: str) -> str:
    release = Catalog(counter.api).release(bundle.repository, digest)
    state = str(release.get("state"))
    if state in {State.REJECTED, State.EXPIRED, State.QUARANTINED, State.UNPUBLISHED}:
        raise _rejected(bundle, state, release.get("reason"))
    return state


def _rejected(bundle: Bundle, state: str, reason: Any) -> Problem:
    told: Mapping[str, Any] = reason if isinstance(reason, dict) else {}
    why = f" {told['message']}" if told.get("message") else ""
    at = f" It stands at {told['pointer']}." if told.get("pointer") else ""
    next_step = str(told.get("suggestion") or "Mend it, and publish it again under the same version.")
    code = str(told.get("reason") or "REJECTED")
    return Problem(f"{bundle.repository} {bundle.version} is {state}.{why}{at}", next_step, code=code)


def is_held(state: str) -> bool:
    """Whether a release waits for something before others can pull it."""
    return state in HELD
