"""The archive of an upload in one piece: taken into a file, checked against its digest, read once."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from typing import BinaryIO, Final

from registry.artifacts.formats import archive
from registry.artifacts.formats.archive import Entry, Limits
from registry.content import uploads
from registry.content.chunks import Chunk
from registry.content.shelf import Shelf
from registry.content.terms import Terms
from registry.core.digest import Digest
from registry.core.errors import DigestInvalid, NotFound, TooLarge
from registry.infra.storage.keys import upload_key

ENTRIES: Final = 10_000
_GATHERED: Final = 16
_GZIP: Final = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Arriving:
    """The body of a request: `size` where the request says it, `limit` what it may be, `digest` what it must have."""

    pieces: AsyncIterator[bytes]
    size: int | None
    limit: int
    digest: Digest


@asynccontextmanager
async def received(shelf: Shelf, name: str, owner: str, terms: Terms, arriving: Arriving) -> AsyncIterator[BinaryIO]:
    """The whole body in a file that goes with this context, and with the sweep should the process die.

    Raises:
        DigestInvalid: it has another digest; nothing of it can be read anywhere.
        TooLarge: it has more bytes than it may.
        As uploads of blobs: NameUnknown, QuotaExceeded, StorageFull, TooManyRequests, RequestTimeout.
    """
    if arriving.size is not None and arriving.size > arriving.limit:
        raise _long(arriving.limit)
    session = await uploads.start(shelf, name, owner, "sha256", terms)
    try:
        hasher = sha256()
        await uploads.append(shelf, session, Chunk(_counted(arriving, hasher.update), 0))
        if hasher.hexdigest() != arriving.digest.encoded:
            raise DigestInvalid(
                f"The body has another digest than X-Artifact-Digest says, which is {arriving.digest}.",
                detail={"reason": "DIGEST_MISMATCH", "found": f"sha256:{hasher.hexdigest()}"},
            )
        with os.fdopen(shelf.store.open(upload_key(session.id)), "rb") as file:
            yield file
    finally:
        await asyncio.shield(_forget(shelf, session))


async def _forget(shelf: Shelf, session: uploads.Session) -> None:
    try:
        await uploads.cancel(shelf, session)
    except NotFound:
        return


async def _counted(arriving: Arriving, update: Callable[[bytes], None]) -> AsyncIterator[bytes]:
    size = 0
    async for piece in arriving.pieces:
        size += len(piece)
        if size > arriving.limit:
            raise _long(arriving.limit)
        update(piece)
        yield piece


def _long(limit: int) -> TooLarge:
    return TooLarge(f"An artifact that is sent in one piece has at most {limit} bytes here: push it with gati or oras.")


async def entries(file: BinaryIO, limit: int) -> AsyncIterator[Entry]:
    """What the archive holds, in its order; whether it is compressed say its first bytes.

    Raises:
        MalformedManifest: it is no archive with one reading (`formats.archive`).
    """
    gzipped = file.read(len(_GZIP)) == _GZIP
    file.seek(0)
    listed = archive.entries(file, Limits(ENTRIES, limit), gzipped=gzipped)
    while (entry := await asyncio.to_thread(next, listed, None)) is not None:
        yield entry


async def pieces(entry: Entry) -> AsyncIterator[bytes]:
    """The bytes of a file in it, about a MiB at a time."""
    found = entry.read()
    while piece := await asyncio.to_thread(_gather, found):
        yield piece


def _gather(found: Iterator[bytes]) -> bytes:
    return b"".join(islice(found, _GATHERED))
