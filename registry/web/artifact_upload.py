"""An artifact sent in one piece, and what has become of uploads."""

import json
import re
import time
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from registry.admission.bundle_files import Arriving
from registry.admission.bundles import Sender, take
from registry.admission.releasing import Publisher
from registry.artifacts import reading
from registry.artifacts.sql_reading import Release
from registry.artifacts.states import State, upload_status
from registry.artifacts.versions import is_version
from registry.auth.model import ANYBODY
from registry.core.digest import parse_digest
from registry.core.errors import BadRequest, DigestInvalid, NotFound
from registry.core.names import check_name
from registry.namespaces.access import Right
from registry.namespaces.entry import Level
from registry.namespaces.rights import locate, rights
from registry.web.artifact_answers import State as Shown
from registry.web.artifact_answers import path_of
from registry.web.artifact_places import VERSION, terms
from registry.web.bodies import Answer
from registry.web.rest import Call, Reply, Row
from registry.web.site import Site

_TYPES: Final = ("application/octet-stream", "application/x-tar", "application/gzip", "application/x-gzip")
_RECEIPT: Final = "/v1/uploads/{upload}"
_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LENGTH: Final = re.compile(r"[0-9]{1,18}", re.ASCII)


class UploadProblem(Answer, frozen=True, kw_only=True):
    """Why it was rejected."""

    code: str
    message: str
    details: Any = UNSET


class UploadAnswer(Answer, frozen=True, kw_only=True):
    """What has become of an upload: `location` is that of the version."""

    upload_id: str
    status: Annotated[
        Literal["pending", "processing", "completed", "rejected"], Meta(description="In the words of uploads.")
    ]
    state: Shown
    location: str
    errors: list[UploadProblem] | UnsetType = UNSET


def rows(site: Site) -> tuple[Row, ...]:
    """The endpoints of this file."""
    on, answer = _Uploads(site), UploadAnswer
    return (
        Row(
            "POST",
            VERSION,
            on.take,
            Right.PUSH,
            "Publish a version in one piece",
            answer=answer,
            status=202,
            codes=(409, 507),
            is_open=True,
            takes=_TYPES,
        ),
        Row("GET", _RECEIPT, receipt, Level.SIGNED_IN, "Show an upload", answer=answer, is_open=True),
    )


class _Uploads:
    """The handler that needs more than the realm."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def take(self, call: Call) -> Reply:
        """Publish what `gati … build --out` writes: an OCI image layout as tar or tar+gzip.

        `X-Artifact-Digest` is the SHA-256 of the body; nothing is taken that has another. `X-Signature`, base64, is
        kept beside the artifact, and verified by nobody. The same body again is the same upload.
        """
        version = call.params["version"]
        if not is_version(version):
            raise BadRequest(f"{version[:100]!r} is no version: write MAJOR.MINOR.PATCH, such as 1.4.0.")
        name = check_name(call.admitted.name)
        sender = Sender(name, call.admitted.actor.principal, terms(call), _publisher(call))
        found = await take(self._site.shelf(), sender, version, self._arriving(call), call.headers.get("x-signature"))
        answer = _shown(found)
        return Reply(answer, headers={"Location": _RECEIPT.format(upload=answer.upload_id)})

    def _arriving(self, call: Call) -> Arriving:
        text, length = call.headers.get("x-artifact-digest"), call.headers.get("content-length", "")
        if text is None:
            raise BadRequest("X-Artifact-Digest is missing: send the digest of the body, sha256:<hexadecimal>.")
        digest = parse_digest(text)
        if digest.algorithm != "sha256":
            raise DigestInvalid("X-Artifact-Digest is a sha256 digest.")
        if call.pieces is None:
            raise TypeError("The row takes a body.")
        size = int(length) if _LENGTH.fullmatch(length) else None
        return Arriving(call.pieces, size, self._site.max_archive, digest)


def _publisher(call: Call) -> Publisher:
    """The caller as one who publishes: it was counted at the door."""

    async def may_pull(name: str) -> bool:
        return await _holds(call, name, Right.PULL)

    return Publisher(may_pull)


async def receipt(call: Call) -> Reply:
    """Show what has become of an upload, to those who may push where it went: `completed` once it is published."""
    text = call.params["upload"]
    found = await reading.upload(call.realm.db, text) if _ID.fullmatch(text) else None
    if found is None or not await _holds(call, found.repository, Right.PUSH):
        raise NotFound("There is no such upload, or not of yours.")
    return Reply(_shown(found))


async def _holds(call: Call, repository: str, right: Right) -> bool:
    """Whether the caller has a right in any repository."""
    actor = call.admitted.actor
    if actor is ANYBODY:
        return True
    place = await locate(call.realm.db, repository, actor.account)
    return right in rights(actor, place, call.by.address, time.time())


def _shown(found: Release) -> UploadAnswer:
    status = upload_status(State(found.state))
    return UploadAnswer(
        upload_id=found.upload,
        status=status,  # type: ignore[arg-type]  # one of the four
        state=found.state,  # type: ignore[arg-type]  # the table holds no other
        location=path_of(found.repository, found.version),
        errors=[_problem(json.loads(found.reason))] if found.reason is not None else UNSET,
    )


def _problem(reason: dict[str, Any]) -> UploadProblem:
    rest = {key: value for key, value in reason.items() if key not in {"message", "reason"}}
    return msgspec.convert(
        {
            "code": str(reason.get("reason", "REJECTED")),
            "message": str(reason.get("message", "It was rejected.")),
            "details": rest,
        },
        UploadProblem,
    )
