"""What handlers of artifacts do with the place of the path, its release, and who may see what."""

from registry.artifacts import reading
from registry.artifacts.sql_reading import Artifact, Release
from registry.auth.model import ANYBODY
from registry.content.terms import OPEN_TERMS, Terms
from registry.core.errors import ArtifactUnknown, Denied, RegistryError, Unauthorized
from registry.namespaces.access import Right
from registry.namespaces.catalog import Visible, visible
from registry.namespaces.entry import shown
from registry.web.keys import caller_of
from registry.web.rest import Call

ARTIFACTS = "/v1/artifacts"
NAMESPACE = f"{ARTIFACTS}/{{ns}}"
ARTIFACT = f"{NAMESPACE}/{{name}}"
VERSION = f"{ARTIFACT}/{{version}}"


def is_writer(call: Call) -> bool:
    """Whether the caller sees what is not published."""
    return Right.PUSH in call.admitted.held


def require_push(call: Call) -> None:
    """Nothing, when the caller may push where it sees something already.

    Raises:
        Denied, Unauthorized: it may not.
    """
    actor = call.admitted.actor
    if is_writer(call):
        return
    if actor.account is None:
        raise Unauthorized("This needs a login: gati login.")
    raise Denied(
        f"{actor.name} may see {shown(call.params)}, but this needs the right {Right.PUSH} there.",
        detail={"needed": Right.PUSH},
    )


def terms(call: Call) -> Terms:
    """What the namespace demands of a change, and whose it is; in an open registry nothing, and nobody's."""
    policies = call.admitted.policies
    if call.admitted.actor is ANYBODY:
        return OPEN_TERMS
    return Terms(call.by, policies.immutable_tags, policies.bytes)


async def seen(call: Call) -> Visible | None:
    """What the caller may pull from; None: everything, in an open registry."""
    return None if call.admitted.actor is ANYBODY else await visible(call.realm.db, caller_of(call))


def unknown(call: Call) -> RegistryError:
    """The refusal of an artifact that is not there, in the words for one that may not be seen."""
    actor, named = call.admitted.actor, shown(call.params)
    if actor.kind == "anonymous":
        return Unauthorized("It does not exist, or needs a login: gati login.")
    if actor is ANYBODY:
        return ArtifactUnknown(f"{named} does not exist.", detail={"name": named})
    return ArtifactUnknown(f"{named} does not exist, or {actor.name} may not see it.", detail={"name": named})


async def artifact(call: Call) -> Artifact:
    """The artifact of the path.

    Raises:
        ArtifactUnknown, Unauthorized: there is none, or none that the caller may see.
    """
    found = await reading.artifact(call.realm.db, call.admitted.name, writer=is_writer(call))
    if found is None:
        raise unknown(call)
    return found


async def release(call: Call) -> Release:
    """The release of the path.

    Raises:
        ArtifactUnknown, Unauthorized: there is no such artifact, or none that the caller may see.
        Blocked, Gone, VersionUnknown: as `reading.release`.
    """
    await artifact(call)
    return await reading.release(call.realm.db, call.admitted.name, call.params["version"], writer=is_writer(call))
