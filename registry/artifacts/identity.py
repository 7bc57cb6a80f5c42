"""Name, version, namespace and type: what repository, tags and annotations say, and the Gati manifest alike. Pure."""

import re
from typing import Final, NoReturn

from registry.artifacts import versions
from registry.artifacts.model import Submission
from registry.artifacts.schemas import did_you_mean
from registry.core.errors import MalformedManifest

_NAMESPACE: Final = re.compile(r"(?:[^/]+/)?((?:users|orgs)/[^/]+)")
_VERSION: Final = "org.opencontainers.image.version"


def check(submission: Submission) -> None:
    """Hold what the Gati manifest calls the artifact against where it is pushed.

    Raises:
        MalformedManifest: they differ.
    """
    config, (home, _, name) = submission.config, submission.repository.rpartition("/")
    if config["name"] != name:
        _refuse("/name", config["name"], f"It is pushed as {name!r}, and its name is another.", f'Write "{name}".')
    version = versions.check_version(config["version"])
    _check_tags(submission, version)
    given = config.get("namespace")
    if given is not None:
        match = _NAMESPACE.fullmatch(given)
        if match is None or match[1] != home:
            _refuse("/namespace", given, f"It is pushed to {home}, and its namespace is another.", f'Write "{home}".')
    kind = submission.kind.name
    if config.get("type", kind) != kind:
        hint = did_you_mean(config["type"], [kind])
        _refuse("/type", config["type"], f"Its artifactType is that of a {kind}.", f'Write "{kind}".{hint}')
    _check_engines(submission)


def version_of_tags(submission: Submission) -> str:
    """The one version that an artifact without a Gati manifest is pushed as.

    Raises:
        MalformedManifest: no tag is a version, or two are different ones.
    """
    found = sorted({version for tag in submission.tags if (version := versions.version_of(tag)) is not None})
    if len(found) == 1:
        return found[0]
    raise MalformedManifest(
        f"A {submission.kind.name} is pushed with one tag that is a version; here are {len(found)}.",
        pointer="",
        document="manifest",
        value=", ".join(submission.tags),
        suggestion="Push it with a tag such as 1.4.0, and others beside it as you like.",
    )


def _check_tags(submission: Submission, version: str) -> None:
    for tag in submission.tags:
        tagged = versions.version_of(tag)
        if tagged is not None and tagged != version:
            _refuse(
                "/version",
                version,
                f"It is pushed with the tag {tag!r}, which is another version.",
                f"Push it as {versions.tag_of(version)}, or write the version {tagged}.",
            )
    annotated = (submission.manifest.get("annotations") or {}).get(_VERSION)
    if annotated is not None and annotated != version:
        raise MalformedManifest(
            f"The annotation {_VERSION} is not the version of the Gati manifest.",
            pointer=f"/annotations/{_VERSION}",
            value=annotated,
            document="manifest",
            suggestion=f"Write {version}, or leave it out.",
        )


def _check_engines(submission: Submission) -> None:
    for member, wanted in submission.config.get("engines", {}).items():
        if member in {"gati", "node"} and not versions.is_range(wanted):
            _refuse(f"/engines/{member}", wanted, "It is no range of versions.", "Write >=1.0.0, ^1.2.0 or 1.x.")


def _refuse(place: str, value: object, message: str, suggestion: str) -> NoReturn:
    raise MalformedManifest(message, pointer=place, value=value, suggestion=suggestion)
