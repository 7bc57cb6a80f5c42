"""The error tree: every refusal of the registry, with its code and HTTP status.

RegistryError
├── BadRequest (400)
│   ├── NameInvalid · TagInvalid · DigestInvalid · SizeInvalid · ManifestInvalid
│   ├── ManifestBlobUnknown · BlobUploadInvalid · PageInvalid
│   ├── ArtifactInvalid
│   │   └── MalformedManifest (400) · ModelFormatMismatch · CircularDependency (422)
│   │       ModuleDependencyMissing · AmbiguousReference (422)
├── Unauthorized (401)
│   └── InvalidCredentials
│       └── InvalidToken · CredentialExpired · CredentialRevoked
├── Denied (403)
│   └── Held · Blocked · ReservedArtifactType
├── NotFound (404)
│   ├── NameUnknown · ManifestUnknown · BlobUnknown · BlobUploadUnknown · RouteUnknown
│   └── VersionUnknown · ArtifactUnknown
├── Gone (410)
├── Unsupported (405) · RequestTimeout (408) · Conflict (409)
│   └── ArtifactExists · VersionRetired · PreconditionFailed (412)
├── TooLarge (413) · TooManyTags (414)
├── MediaTypeUnsupported (415) · RangeInvalid (416) · UploadRangeInvalid (416)
├── Unprocessable (422) · TooManyRequests (429)
├── HeadersTooLarge (431) · Internal (500) · Unavailable (503) · StorageFull (507) · QuotaExceeded (507)

Codes are those of the OCI Distribution specification, section "Error Codes", where it has one.
`message` is a whole sentence that says who is refused what and what to do; `detail` holds JSON values for programs.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from registry.core.legible import legible, quoted


class RegistryError(Exception):
    """A refusal: `code` and `status` belong to the class, `message`, `detail` and `headers` to the case.

    Attributes:
        code: the OCI error code, or one of ours in the same form.
        status: the HTTP status of the answer.
        message: one whole sentence for a person; docker and podman show nothing else.
        detail: JSON values for programs, or None.
        headers: header fields that belong to the answer (`Allow`, `Retry-After`, `Content-Range` …).
    """

    code: ClassVar[str] = "UNKNOWN"
    status: ClassVar[int] = 500

    def __init__(self, message: str, *, detail: Any = None, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail
        self.headers: dict[str, str] = dict(headers or {})


class BadRequest(RegistryError):
    """The request cannot mean anything (RFC 9110, section 15.5.1)."""

    code = "UNSUPPORTED"
    status = 400


class NameInvalid(BadRequest):
    """The repository name is outside the grammar."""

    code = "NAME_INVALID"


class TagInvalid(BadRequest):
    """The tag is outside the grammar."""

    code = "MANIFEST_INVALID"


class DigestInvalid(BadRequest):
    """The digest is malformed, of an unknown algorithm, or not that of the content."""

    code = "DIGEST_INVALID"


class SizeInvalid(BadRequest):
    """A length differs from what was stated."""

    code = "SIZE_INVALID"


class ManifestInvalid(BadRequest):
    """The manifest breaks a rule; `detail` holds a JSON pointer."""

    code = "MANIFEST_INVALID"


class ArtifactInvalid(ManifestInvalid):
    """An artifact is not what its type demands.

    `detail` has `reason` (of the class), `document` (`manifest`: that of OCI; `config`: the Gati manifest; `layer`),
    `pointer` (RFC 6901; of a layer: into the OCI manifest), `value` (what stands there, cut), `path` inside an archive
    where there is one, and `suggestion` (what to write instead).
    """

    reason: ClassVar[str] = "MALFORMED_MANIFEST"

    def __init__(
        self,
        message: str,
        *,
        pointer: str,
        suggestion: str,
        document: str = "config",
        value: Any = None,
        path: str | None = None,
    ) -> None:
        place = {} if path is None else {"path": legible(path[:500])}
        detail = {"reason": self.reason, "document": document, "pointer": legible(pointer), "value": quoted(value)}
        suggestion = legible(suggestion)
        super().__init__(legible(message), detail=detail | place | {"suggestion": suggestion})
        self.pointer, self.suggestion, self.document = pointer, suggestion, document


class MalformedManifest(ArtifactInvalid):
    """The manifest of an artifact, or what a layer of it holds, breaks a rule of its type."""


class ModelFormatMismatch(ArtifactInvalid):
    """The bytes of a model are not of the format that it declares."""

    reason = "MODEL_FORMAT_MISMATCH"
    status = 422


class CircularDependency(ArtifactInvalid):
    """A graph that must not has a cycle."""

    reason = "CIRCULAR_DEPENDENCY"
    status = 422


class ModuleDependencyMissing(ArtifactInvalid):
    """What an artifact needs does not exist, or not for its publisher."""

    reason = "MODULE_DEPENDENCY_MISSING"
    status = 422


class AmbiguousReference(ArtifactInvalid):
    """A bare name leads nowhere, or to several."""

    reason = "AMBIGUOUS_REFERENCE"
    status = 422


class ManifestBlobUnknown(BadRequest):
    """The manifest refers to content that this repository does not have; `detail` lists all of it."""

    code = "MANIFEST_BLOB_UNKNOWN"


class BlobUploadInvalid(BadRequest):
    """The upload request breaks a rule of its session."""

    code = "BLOB_UPLOAD_INVALID"


class PageInvalid(BadRequest):
    """`n` is not a count; the specification has no code of its own for this."""

    code = "UNSUPPORTED"


class Unauthorized(RegistryError):
    """A credential is missing or not good; the answer carries the challenge."""

    code = "UNAUTHORIZED"
    status = 401


class InvalidCredentials(Unauthorized):
    """What the caller sent to be known by is wrong: counted against it. The message never tells whose it might be."""

    reason: ClassVar[str] = "INVALID_CREDENTIALS"

    def __init__(self, message: str, *, detail: Any = None, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message, detail={"reason": self.reason} | dict(detail or {}), headers=headers)


class InvalidToken(InvalidCredentials):
    """The registry token is not one that this registry made, for this use."""


class CredentialExpired(InvalidCredentials):
    """It was good until its time ran out; told only to who has it."""

    reason = "TOKEN_EXPIRED"


class CredentialRevoked(InvalidCredentials):
    """It was good until somebody revoked it, or ended its account; told only to who has it."""

    reason = "TOKEN_REVOKED"


class Denied(RegistryError):
    """The caller may not do this."""

    code = "DENIED"
    status = 403


class Held(Denied):
    """A release that is not published yet; `detail` has its state."""


class Blocked(Denied):
    """A release that was rejected or quarantined; `detail` has the reason."""


class ReservedArtifactType(Denied):
    """Only the registry writes artifacts of this type."""


class Gone(RegistryError):
    """A version that was here and was unpublished (RFC 9110, section 15.5.11)."""

    code = "VERSION_UNPUBLISHED"
    status = 410


class NotFound(RegistryError):
    """There is no such thing here."""

    code = "NOT_FOUND"
    status = 404


class NameUnknown(NotFound):
    """There is no such repository."""

    code = "NAME_UNKNOWN"


class ManifestUnknown(NotFound):
    """The repository has no such manifest or tag."""

    code = "MANIFEST_UNKNOWN"


class ArtifactUnknown(NotFound):
    """There is no such artifact, or not for the caller."""

    code = "ARTIFACT_NOT_FOUND"


class VersionUnknown(NotFound):
    """The artifact has no such version."""

    code = "VERSION_NOT_FOUND"


class BlobUnknown(NotFound):
    """The repository has no such blob."""

    code = "BLOB_UNKNOWN"


class BlobUploadUnknown(NotFound):
    """The repository has no such upload session of this caller."""

    code = "BLOB_UPLOAD_UNKNOWN"


class RouteUnknown(NotFound):
    """The path belongs to no endpoint."""

    code = "UNSUPPORTED"


class Unsupported(RegistryError):
    """The method is not one of this resource, or not now; `headers` holds `Allow` (RFC 9110, section 15.5.6)."""

    code = "UNSUPPORTED"
    status = 405


class RequestTimeout(RegistryError):
    """The body came too slowly (RFC 9110, section 15.5.9)."""

    code = "REQUEST_TIMEOUT"
    status = 408


class Conflict(RegistryError):
    """The state of the resource forbids the change."""

    code = "DENIED"
    status = 409


class ArtifactExists(Conflict):
    """The version is there, with other bytes: versions never change. `detail` has `reason`."""


class VersionRetired(Conflict):
    """The version was unpublished: its number is never used again. `detail` has `reason`."""


class PreconditionFailed(RegistryError):
    """The resource is not any more what the caller has seen of it (RFC 9110, section 15.5.13)."""

    code = "PRECONDITION_FAILED"
    status = 412


class TooLarge(RegistryError):
    """The body is over a limit (RFC 9110, section 15.5.14)."""

    code = "SIZE_INVALID"
    status = 413


class TooManyTags(RegistryError):
    """One manifest PUT names more tags than a request may."""

    code = "TOO_MANY_TAGS"
    status = 414


class MediaTypeUnsupported(RegistryError):
    """The Content-Type of a manifest is none that is accepted (RFC 9110, section 15.5.16)."""

    code = "MANIFEST_INVALID"
    status = 415


class RangeInvalid(RegistryError):
    """The range of a read lies outside the blob; `headers` holds `Content-Range` (RFC 9110, section 15.5.17)."""

    code = "RANGE_INVALID"
    status = 416


class UploadRangeInvalid(RegistryError):
    """A chunk does not start at the offset of its session; `headers` holds `Location` and `Range`."""

    code = "BLOB_UPLOAD_INVALID"
    status = 416


class Unprocessable(RegistryError):
    """The request is well formed, but a value in it cannot be taken (RFC 9110, section 15.5.21)."""

    code = "UNPROCESSABLE"
    status = 422


class TooManyRequests(RegistryError):
    """The caller holds or asks for more than the registry gives; `headers` holds `Retry-After`."""

    code = "TOOMANYREQUESTS"
    status = 429


class HeadersTooLarge(RegistryError):
    """The header section is over its limit (RFC 6585, section 5)."""

    code = "HEADERS_TOO_LARGE"
    status = 431


class Internal(RegistryError):
    """The registry failed; the log has the cause under the request id."""

    code = "INTERNAL"
    status = 500


class Unavailable(RegistryError):
    """A part that the registry needs does not answer now; `headers` holds `Retry-After`."""

    code = "UNAVAILABLE"
    status = 503

    def __init__(self, message: str, *, detail: Any = None, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message, detail=detail, headers={"Retry-After": "1"} | dict(headers or {}))


class StorageFull(RegistryError):
    """There is no room for more content (RFC 4918, section 11.5)."""

    code = "STORAGE_FULL"
    status = 507


class QuotaExceeded(RegistryError):
    """The namespace holds as much as it may; `detail` holds `quota`, and `used` where it counts bytes."""

    code = "DENIED"
    status = 507
