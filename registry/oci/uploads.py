"""Upload sessions on the wire: end-4, end-5, end-6, end-11, end-13 and end-14."""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Final

from registry.content import blobs, repositories, uploads
from registry.content.chunks import Chunk, Pour
from registry.content.uploads import Session
from registry.core.digest import Digest, parse_algorithm, parse_digest
from registry.core.errors import BadRequest, DigestInvalid, NameInvalid, TooLarge, UploadRangeInvalid
from registry.core.names import check_name
from registry.core.ranges import chunk_range
from registry.infra.http.answers import Answer
from registry.infra.http.body import chunks
from registry.infra.http.direct import DIRECT
from registry.infra.telemetry import metrics
from registry.namespaces.access import Right
from registry.oci.door import Call, reply

CHUNK_MINIMUM: Final = 64 * 1024
_HOLDERS: Final = 100
_LENGTH: Final = re.compile(r"\d{1,19}", re.ASCII)


async def start(call: Call) -> Answer:
    """POST: a session (end-4a, end-4c), a whole blob (end-4b), or a mount (end-11)."""
    query = call.request.query_params
    algorithm = parse_algorithm(query["digest-algorithm"]) if "digest-algorithm" in query else "sha256"
    if "mount" in query:
        mounted = parse_digest(query["mount"])
        sources = await _sources(call, query.get("from"), mounted)
        if await _mount(call, sources, mounted):
            return _created(call.asked, mounted)
        return await _opened(call, mounted.algorithm)
    if "digest" not in query:
        return await _opened(call, algorithm)
    digest = parse_digest(query["digest"])
    if _is_empty(call) and digest != _empty(digest):
        return await _opened(call, digest.algorithm)
    limit = call.shelf.policy.max_blob_size
    if limit is not None and (_content_length(call) or 0) > limit:
        raise TooLarge(f"A blob has at most {limit} bytes here.")
    with metrics.UPLOADS_INFLIGHT.track_inprogress():
        await uploads.whole(call.shelf, call.name, call.principal, digest, _chunk(call), call.terms)
    return _created(call.asked, digest)


async def _mount(call: Call, sources: dict[str, bool] | None, digest: Digest) -> bool:
    if sources is None:
        return await blobs.mount(call.shelf, None, call.name, digest, call.terms)
    guarded = [name for name, is_writer in sources.items() if not is_writer]
    return bool(sources) and await blobs.mount(call.shelf, list(sources), call.name, digest, call.terms, guarded)


async def _sources(call: Call, name: str | None, digest: Digest) -> dict[str, bool] | None:
    """The repositories that a blob may be mounted from, each judged as for a GET there; None: all that there are.

    Whether the caller may push there goes with each: from others it gets only what they show.
    """
    if call.is_open and name is None:
        return None
    if name is not None:
        names = [name]
    elif (ceiling := call.admission.caller.actor.ceiling) is not None:
        names = list(ceiling)
    else:
        names = await repositories.holders(call.shelf, digest, _HOLDERS)
    found = [await _source(call, one) for one in names]
    return dict(source for source in found if source is not None)


async def _source(call: Call, name: str) -> tuple[str, bool] | None:
    """The name that a repository has now, and whether the caller may push there; None where it may not pull."""
    try:
        check_name(name)
    except NameInvalid:
        return None
    if call.is_open:
        return name, True
    look = await call.gate.readable(call.admission.caller, name)
    return None if look is None else (look.place.name, Right.PUSH in look.held)


def _empty(digest: Digest) -> Digest:
    return Digest(digest.algorithm, _EMPTY[digest.algorithm])


_EMPTY: Final = {
    "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "sha512": "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
    "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
}


async def _opened(call: Call, algorithm: str) -> Answer:
    session = await uploads.start(call.shelf, call.name, call.principal, algorithm, call.terms)
    fields = _progress(call, session, 0) | {"OCI-Chunk-Min-Length": str(CHUNK_MINIMUM)}
    return reply(202, fields)


async def show(call: Call) -> Answer:
    """GET (end-13): how far the session is."""
    session = _session(call)
    upload = await uploads.status(call.shelf, session)
    return reply(204, _progress(call, session, upload.received))


async def append(call: Call) -> Answer:
    """PATCH (end-5): the next chunk, or a stream to the end."""
    session = _session(call)
    length = _content_length(call)
    stated = chunk_range(call.request.headers.get("content-range"), length)
    chunk = _chunk(call, stated.start, stated.length)
    try:
        with metrics.UPLOADS_INFLIGHT.track_inprogress():
            offset = await uploads.append(call.shelf, session, chunk)
    except UploadRangeInvalid as error:
        raise _placed(call, session, error) from error
    return reply(202, _progress(call, session, offset))


async def finish(call: Call) -> Answer:
    """PUT (end-6): the last chunk, if any, and the digest of the whole."""
    session = _session(call)
    text = call.request.query_params.get("digest")
    stated = chunk_range(call.request.headers.get("content-range"), _content_length(call))
    if text is None:
        raise DigestInvalid("A PUT that closes an upload names the digest: ?digest=<algorithm>:<hexadecimal>.")
    digest = parse_digest(text)
    length = stated.length if stated.start is not None else None
    try:
        with metrics.UPLOADS_INFLIGHT.track_inprogress():
            await uploads.finish(call.shelf, session, digest, _chunk(call, stated.start, length), call.terms)
    except UploadRangeInvalid as error:
        raise _placed(call, session, error) from error
    return _created(call.asked, digest)


async def cancel(call: Call) -> Answer:
    """DELETE (end-14): the session and its bytes are gone."""
    await uploads.cancel(call.shelf, _session(call))
    return reply(204)


def _session(call: Call) -> Session:
    return Session(call.name, call.reference, call.principal)


def _placed(call: Call, session: Session, error: UploadRangeInvalid) -> UploadRangeInvalid:
    offset = int(error.detail["offset"])
    return UploadRangeInvalid(error.message, detail=error.detail, headers=_progress(call, session, offset))


def _progress(call: Call, session: Session, offset: int) -> dict[str, str]:
    return {
        "Location": f"/v2/{call.asked}/blobs/uploads/{session.id}",
        "Range": f"0-{max(0, offset - 1)}",
        "Docker-Upload-UUID": session.id,
    }


def _created(name: str, digest: Digest) -> Answer:
    return reply(201, {"Location": f"/v2/{name}/blobs/{digest}", "Docker-Content-Digest": str(digest)})


def _content_length(call: Call) -> int | None:
    text = call.request.headers.get("content-length")
    if text is None:
        return None
    if _LENGTH.fullmatch(text) is None:
        raise BadRequest("Content-Length is not a count of bytes.")
    return int(text)


def _chunk(call: Call, start: int | None = None, length: int | None = None) -> Chunk:
    return Chunk(_pieces(call), start, length, lambda: _direct(call), _content_length(call))


def _direct(call: Call) -> Pour | None:
    """How the body comes straight from its socket; None where it cannot, or is small and here already."""
    opened = call.request.scope.get("extensions", {}).get(DIRECT)
    body = opened() if opened is not None else None
    if body is None:
        return None

    async def pour(put: Callable[[memoryview], None]) -> AsyncGenerator[int, None]:
        async with aclosing(body.pour(put, call.body_timeout)) as counts:
            async for count in counts:
                metrics.BLOB_BYTES.labels("in").inc(count)
                yield count

    return pour


def _is_empty(call: Call) -> bool:
    """Whether no body follows (RFC 9112, section 6.3)."""
    length = _content_length(call)
    return length == 0 or (length is None and "transfer-encoding" not in call.request.headers)


async def _pieces(call: Call) -> AsyncIterator[bytes]:
    async for piece in chunks(call.receive, call.body_timeout):
        metrics.BLOB_BYTES.labels("in").inc(len(piece))
        yield piece
