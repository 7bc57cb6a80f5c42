"""Blobs on the wire: end-2 and end-10."""

import asyncio
import os
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from registry.admission import pull, retire
from registry.core.digest import parse_digest
from registry.core.ranges import Span, read_span
from registry.infra.telemetry import metrics
from registry.oci.door import Call, reply
from registry.oci.manifests import matches

_PIECE: Final = 512 * 1024


class BlobResponse(Response):
    """The bytes of `span` from an open descriptor, in pieces; closes it."""

    def __init__(self, descriptor: int, span: Span, status: int, headers: dict[str, str]) -> None:
        super().__init__(None, status, headers)
        self._descriptor = descriptor
        self._span = span

    async def __call__(self, _: Scope, __: Receive, send: Send) -> None:
        """Send; the client's pace is the pace of reading."""
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            at = self._span.start
            while at < self._span.stop:
                piece = await self._read(at)
                at += len(piece)
                metrics.BLOB_BYTES.labels("out").inc(len(piece))
                await send({"type": "http.response.body", "body": piece, "more_body": at < self._span.stop})
            if self._span.start == self._span.stop:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            os.close(self._descriptor)

    async def _read(self, at: int) -> bytes:
        wanted = min(_PIECE, self._span.stop - at)
        piece = await asyncio.to_thread(os.pread, self._descriptor, wanted, at)
        if not piece:
            raise OSError("a stored blob is shorter than its row says")
        return piece


async def read(call: Call) -> Response:
    """GET and HEAD (end-2), whole or one range."""
    digest = parse_digest(call.reference)
    head = call.request.method == "HEAD"
    blob = await pull.blob(call.shelf, call.name, digest, writer=head)
    headers = {"Docker-Content-Digest": str(digest), "ETag": f'"{digest}"', "Accept-Ranges": "bytes"}
    if matches(call.request.headers.get("if-none-match"), str(digest)):
        return Response(status_code=304, headers=headers)
    fields = headers | {"Content-Type": "application/octet-stream", "Content-Length": str(blob.size)}
    if head:
        return _head(fields)
    span = _span(call, blob.size, str(digest))
    whole = span is None
    span = span or Span(0, blob.size)
    if not whole:
        fields |= {"Content-Range": f"bytes {span.start}-{span.stop - 1}/{blob.size}"}
        fields |= {"Content-Length": str(span.stop - span.start)}
    base = reply(200).headers["docker-distribution-api-version"]
    return BlobResponse(
        call.shelf.store.open(blob.object_key),
        span,
        200 if whole else 206,
        fields | {"Docker-Distribution-API-Version": base},
    )


def _span(call: Call, size: int, digest: str) -> Span | None:
    condition = call.request.headers.get("if-range")
    if condition is not None and condition.strip('"') != digest:
        return None
    return read_span(call.request.headers.get("range"), size)


def _head(fields: dict[str, str]) -> Response:
    response = reply(200)
    for name, value in fields.items():
        response.headers[name] = value
    return response


async def delete(call: Call) -> Response:
    """DELETE (end-10): gone from this repository at once."""
    await retire.blob(call.shelf, call.name, parse_digest(call.reference))
    return reply(202)
