"""Blobs on the wire: end-2 and end-10."""

from dataclasses import replace
from typing import Final

from registry.admission import pull, retire
from registry.content.sql_blobs import Blob
from registry.core.digest import Digest, parse_digest
from registry.core.ranges import Span, read_span
from registry.infra.http.answers import Answer, Stretch
from registry.oci.door import Call, reply
from registry.oci.manifests import matches

_SMALL: Final = 64 * 1024
_TYPE: Final = "application/octet-stream"


async def read(call: Call) -> Answer:
    """GET and HEAD (end-2), whole or one range.

    An answer lasts when all may have it, and a manifest refers to it: else a look of a writer renews its lease.
    """
    digest = parse_digest(call.reference)
    head = call.request.method == "HEAD"
    blob = await pull.blob(call.shelf, call.name, digest, call.reader)
    headers = {"Docker-Content-Digest": str(digest), "ETag": f'"{digest}"', "Accept-Ranges": "bytes"}
    if matches(call.request.headers.get("if-none-match"), str(digest)):
        return reply(304, headers)
    span = None if head else _span(call, blob.size, digest)
    if span is not None:
        headers["Content-Range"] = f"bytes {span.start}-{span.stop - 1}/{blob.size}"
        return await _body(call, blob, span, reply(206, headers | _length(span.stop - span.start), media_type=_TYPE))
    lasting = blob.reach == "all"
    answer = reply(200, headers | _length(blob.size), media_type=_TYPE, is_lasting=lasting)
    return answer if head else await _body(call, blob, Span(0, blob.size), answer)


def _length(size: int) -> dict[str, str]:
    return {"Content-Length": str(size)}


def _span(call: Call, size: int, digest: Digest) -> Span | None:
    condition = call.request.headers.get("if-range")
    if condition is not None and condition.strip('"') != str(digest):
        return None
    return read_span(call.request.headers.get("range"), size)


async def _body(call: Call, blob: Blob, span: Span, answer: Answer) -> Answer:
    """The answer with the bytes of `span`: a small one in memory, a large one left in its file."""
    store, key, size = call.shelf.store, blob.object_key, span.stop - span.start
    if key is None:
        return _with(answer, (blob.content or b"")[span.start : span.stop], size)
    if size > _SMALL:
        return replace(answer, file=Stretch(lambda: store.open(key), span.start, size))
    return _with(answer, await store.read(key, span.start, size) if size else b"", size)


def _with(answer: Answer, body: bytes, size: int) -> Answer:
    if len(body) != size:
        raise OSError("a stored blob has another length than its row says")
    return replace(answer, body=body)


async def delete(call: Call) -> Answer:
    """DELETE (end-10): gone from this repository at once."""
    await retire.blob(call.shelf, call.name, parse_digest(call.reference), call.terms)
    return reply(202)
