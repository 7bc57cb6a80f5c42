"""What publishers change: what is said of an artifact, which versions are discouraged, which are taken away."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from registry.admission import releasing
from registry.artifacts import deprecation, metadata, reading, versions
from registry.artifacts.deprecation import Deprecation
from registry.artifacts.metadata import Change
from registry.artifacts.unpublishing import Force
from registry.core.errors import Denied, PreconditionFailed, VersionUnknown
from registry.namespaces.access import Right
from registry.web.artifact_answers import ArtifactAnswer, ReleaseAnswer, shown_artifact, shown_release, warnings
from registry.web.artifact_places import ARTIFACT, VERSION, artifact, terms
from registry.web.bodies import Body, Query
from registry.web.paging import version_of
from registry.web.rest import Call, Reply, Row
from registry.web.site import Site

_Words = list[Annotated[str, Meta(min_length=1, max_length=metadata.WORD)]]
_DEPRECATION = f"{VERSION}/deprecation"


class ArtifactBody(Body, frozen=True, kw_only=True):
    """What is to change; an empty text or list empties it."""

    description: Annotated[str, Meta(max_length=metadata.LONGEST, description="What it is for.")] | None = None
    homepage: Annotated[str, Meta(max_length=500, description="An http or https URL.")] | None = None
    category: Annotated[str, Meta(max_length=metadata.WORD)] | None = None
    tags: Annotated[_Words, Meta(max_length=metadata.WORDS, description="Topics.")] | None = None
    keywords: Annotated[_Words, Meta(max_length=metadata.WORDS)] | None = None


class DeprecationBody(Body, frozen=True, kw_only=True):
    """Why a version should not be used any more, until when it works, and what to use instead."""

    reason: Annotated[str, Meta(min_length=1, max_length=deprecation.LONGEST)]
    sunset: datetime | None = None
    replacement: Annotated[str, Meta(max_length=512, description="Another artifact.")] | None = None


class UnpublishQuery(Query, frozen=True, kw_only=True):
    """Whether rules are overridden."""

    force: Annotated[
        bool,
        Meta(description="Also what is older than the window, for who manages; what others need, for administrators."),
    ] = False


def rows(site: Site) -> tuple[Row, ...]:
    """The endpoints of this file."""
    on, push = _Changes(site), Right.PUSH
    return (
        Row(
            "PATCH", ARTIFACT, on.change, push, "Change an artifact", ArtifactBody, answer=ArtifactAnswer, is_open=True
        ),
        Row(
            "DELETE",
            VERSION,
            on.unpublish,
            Right.DELETE,
            "Unpublish a version",
            query=UnpublishQuery,
            status=204,
            codes=(409, 410),
            is_open=True,
        ),
        Row(
            "POST",
            _DEPRECATION,
            on.deprecate,
            push,
            "Deprecate a version",
            DeprecationBody,
            answer=ReleaseAnswer,
            is_open=True,
        ),
        Row("DELETE", _DEPRECATION, on.undeprecate, push, "End a deprecation", status=204, is_open=True),
    )


class _Changes:
    """Handlers that change content."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def change(self, call: Call) -> Reply:
        """Change what is said of an artifact: versions and their bytes stay as they are."""
        found, body = await artifact(call), call.body
        call.require_match(version_of(shown_artifact(found)))
        revision = found.revision if "if-match" in call.headers else None
        wanted = Change(
            body.description,
            body.homepage,
            body.category,
            None if body.tags is None else tuple(body.tags),
            None if body.keywords is None else tuple(body.keywords),
        )
        try:
            await metadata.change(self._site.shelf(), found.name, wanted, revision, terms(call))
        except PreconditionFailed as error:
            now = version_of(shown_artifact(await artifact(call)))
            raise PreconditionFailed(error.message, headers={"ETag": f'"{now}"'}) from error
        answer = shown_artifact(await artifact(call))
        return Reply(answer, version=version_of(answer))

    async def unpublish(self, call: Call) -> Reply:
        """Unpublish a version: it is gone at once, and its number is never used again.

        409 once it is older than the window, or while it is the only version that others admit. What is not published
        yet is withdrawn.
        """
        found = await artifact(call)
        force = _force(call) if call.query.force else Force.NONE
        await releasing.unpublish(self._site.shelf(), found.name, _version(call), terms(call), force=force)
        return Reply()

    async def deprecate(self, call: Call) -> Reply:
        """Say why a version should not be used any more: it stays, and whoever reads it gets a Warning."""
        found, body = await artifact(call), call.body
        given, version = Deprecation(body.reason, body.sunset, body.replacement), _version(call)
        await deprecation.deprecate(self._site.shelf(), found.name, version, given, terms(call))
        changed = await reading.release(call.realm.db, found.name, version, writer=True)
        answer = shown_release(changed)
        return Reply(answer, version=version_of(answer), headers=warnings(changed))

    async def undeprecate(self, call: Call) -> Reply:
        """Let a version be one like any other again."""
        found = await artifact(call)
        await deprecation.undeprecate(self._site.shelf(), found.name, _version(call), terms(call))
        return Reply()


def _version(call: Call) -> str:
    """The version of the path: what changes is never named by a tag that moves.

    Raises:
        VersionUnknown: it is none.
    """
    text = call.params["version"]
    found = versions.version_of(text)
    if found is None:
        raise VersionUnknown(
            f"{text[:100]!r} is no version: changes name one, such as 1.4.0.", detail={"version": text[:100]}
        )
    return found


def _force(call: Call) -> Force:
    held = call.admitted.held
    if Right.ADMINISTER in held:
        return Force.DEPENDENTS
    if Right.MANAGE in held:
        return Force.WINDOW
    raise Denied(
        f"{call.admitted.actor.name} may delete in {call.admitted.name}, but force needs the right manage there.",
        detail={"needed": Right.MANAGE},
    )
