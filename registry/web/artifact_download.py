"""The bytes of a version: its single layer as it is, or a tar of all of them."""

import asyncio
import os
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import quote

from starlette.types import Scope, Send

from registry.admission import pull
from registry.artifacts import reading
from registry.artifacts.formats import paths
from registry.artifacts.sql_reading import Release
from registry.content.shelf import Shelf
from registry.content.sql_blobs import Blob
from registry.content.visibility import Reader
from registry.core.digest import parse_digest
from registry.core.ranges import Span, read_span
from registry.infra.http.answers import Answer, Headers, Stretch
from registry.namespaces.access import Right
from registry.web.artifact_answers import titles, warnings
from registry.web.artifact_places import VERSION, artifact, is_writer
from registry.web.rest import BASE, Call, Content, Reply, Row
from registry.web.site import Site

_BYTES: Final = "application/octet-stream"
_TAR: Final = "application/x-tar"
_TITLE: Final = "org.opencontainers.image.title"
_PIECE: Final = 512 * 1024
_BLOCK: Final = 512
_SMALL: Final = 64 * 1024


def rows(site: Site) -> tuple[Row, ...]:
    """The endpoints of this file."""
    on = _Download(site)
    codes = (304, 404, 410, 416)
    row = Row("GET", VERSION, on.download, Right.PULL, "Download a version", codes=codes, also=(206,), is_open=True)
    return (replace(row, gives=(_BYTES, _TAR)),)


@dataclass(frozen=True, slots=True)
class Part:
    """A layer with the name of its file."""

    name: str
    blob: Blob


class _Download:
    """The handler, with the shelf."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def download(self, call: Call) -> Reply:
        """Download the bytes: the layer where there is one, whole or a range; else a tar of all, by their titles.

        403 for what is held or blocked, 410 for what was unpublished.
        """
        await artifact(call)
        shelf, name = self._site.shelf(), call.admitted.name
        asked = call.params["version"]
        found = await reading.release(call.realm.db, name, asked, writer=True)
        reader = Reader(is_writer=is_writer(call))
        # a refusal names what was asked for: not the digest, to who had a tag
        await pull.manifest(shelf, name, parse_digest(found.digest) if ":" in asked else found.tag, reader)
        layers = _layers(await reading.manifests(call.realm.db, found))
        parts = [
            Part(one, await pull.blob(shelf, name, parse_digest(digest), reader)) for one, digest in layers.items()
        ]
        if len(parts) == 1:
            ((title, digest),) = layers.items()
            return Reply(content=await _single(call, shelf, found, Part(title, parts[0].blob), digest))
        return Reply(content=_tar(call, shelf, found, parts))


def _layers(family: Sequence[tuple[str, Mapping[str, Any]]]) -> dict[str, str]:
    """Digests of layers by the names of their files; each digest once."""
    names: dict[str, str] = {}
    known: set[str] = set()
    for _, body in family:
        for one in titles(body):
            digest = one["digest"]
            title = (one.get("annotations") or {}).get(_TITLE, "")
            is_good = bool(title) and paths.fault(title) is None and title not in names
            if digest not in known:
                names[title if is_good else digest.replace(":", "-")] = digest
                known.add(digest)
    return names


def _fields(found: Release, kind: str, version: str, name: str) -> Headers:
    plain = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "._-") else "_" for letter in name)
    headers = {
        "cache-control": "private, no-cache",
        "vary": "authorization, cookie",
        "content-type": kind,
        "etag": f'"{version}"',
        "content-disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}",
    } | {key.lower(): value for key, value in warnings(found).items()}
    return [*BASE, *((key.encode(), value.encode("latin-1")) for key, value in headers.items())]


def _is_known(call: Call, version: str) -> bool:
    given = [tag.strip() for line in call.headers.getlist("if-none-match") for tag in line.split(",")]
    return any(tag.removeprefix("W/") in {f'"{version}"', "*"} for tag in given)


async def _single(call: Call, shelf: Shelf, found: Release, part: Part, digest: str) -> Answer:
    fields = [*_fields(found, _BYTES, digest, part.name.rpartition("/")[2]), (b"accept-ranges", b"bytes")]
    fields.append((b"docker-content-digest", digest.encode()))
    if _is_known(call, digest):
        return Answer(304, fields)
    condition = call.headers.get("if-range")
    is_same = condition is None or condition.strip('"') == digest
    asked = read_span(call.headers.get("range"), part.blob.size) if is_same else None
    span = asked or Span(0, part.blob.size)
    size = span.stop - span.start
    fields.append((b"content-length", b"%d" % size))
    if asked is not None:
        fields.append((b"content-range", b"bytes %d-%d/%d" % (span.start, span.stop - 1, part.blob.size)))
    answer = Answer(206 if asked is not None else 200, fields)
    return await _filled(answer, shelf, part.blob, span)


async def _filled(answer: Answer, shelf: Shelf, blob: Blob, span: Span) -> Answer:
    key, size = blob.object_key, span.stop - span.start
    if key is None:
        return replace(answer, body=(blob.content or b"")[span.start : span.stop])
    if size > _SMALL:
        return replace(answer, file=Stretch(lambda: shelf.store.open(key), span.start, size))
    return replace(answer, body=await shelf.store.read(key, span.start, size) if size else b"")


def _tar(call: Call, shelf: Shelf, found: Release, parts: list[Part]) -> Content:
    name = f"{found.repository.rpartition('/')[2]}-{found.version}.tar"
    fields = _fields(found, _TAR, f"{found.digest}.tar", name)
    if _is_known(call, f"{found.digest}.tar"):
        return Answer(304, fields)
    archive = Archive(shelf, fields, parts)
    fields.append((b"content-length", b"%d" % archive.size))
    return archive


class Archive:
    """A tar of layers, the same bytes each time: sorted names, no times, no owners."""

    def __init__(self, shelf: Shelf, headers: Headers, parts: list[Part]) -> None:
        self._shelf = shelf
        self._headers = headers
        self._parts = [(_header(part), part.blob) for part in sorted(parts, key=lambda part: part.name)]

    @property
    def size(self) -> int:
        """Bytes of all of it."""
        inner = sum(len(header) + blob.size + -blob.size % _BLOCK for header, blob in self._parts)
        return inner + 2 * _BLOCK

    async def send(self, scope: Scope, send: Send, count: Callable[[int], Any]) -> None:
        """Send it at the client's pace, never a layer in memory."""
        await send({"type": "http.response.start", "status": 200, "headers": self._headers})
        if scope["method"] != "HEAD":
            for header, blob in self._parts:
                await send({"type": "http.response.body", "body": header, "more_body": True})
                await self._send_blob(blob, send, count)
                await send({"type": "http.response.body", "body": bytes(-blob.size % _BLOCK), "more_body": True})
            await send({"type": "http.response.body", "body": bytes(2 * _BLOCK), "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_blob(self, blob: Blob, send: Send, count: Callable[[int], Any]) -> None:
        if blob.object_key is None:
            await send({"type": "http.response.body", "body": blob.content or b"", "more_body": True})
            return
        descriptor, at = self._shelf.store.open(blob.object_key), 0
        try:
            while at < blob.size:
                piece = await asyncio.to_thread(os.pread, descriptor, min(_PIECE, blob.size - at), at)
                if not piece:
                    raise OSError("a stored object is shorter than its row says")
                at += len(piece)
                count(len(piece))
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        finally:
            os.close(descriptor)


def _header(part: Part) -> bytes:
    info = tarfile.TarInfo(part.name)
    info.size, info.mode = part.blob.size, 0o644
    return info.tobuf(tarfile.PAX_FORMAT)
