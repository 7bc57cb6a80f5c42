"""Upload sessions: bytes first, rows second (design: architecture.md, invariant 2)."""

import asyncio
import contextlib
import re
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

import asyncpg

from registry.content import blobs, holdings, sql_blobs
from registry.content import sql_uploads as sql
from registry.content.chunks import Chunk, again, checked, is_small, wrong
from registry.content.refusals import telling
from registry.content.repositories import places
from registry.content.shelf import Shelf
from registry.content.sql_blobs import Lease
from registry.content.sql_uploads import Sealed, Start, Upload
from registry.content.terms import OPEN_TERMS, Terms
from registry.core.digest import Digest, parse_digest
from registry.core.errors import (
    BlobUploadUnknown,
    DigestInvalid,
    NameUnknown,
    NotFound,
    QuotaExceeded,
    RequestTimeout,
    SizeInvalid,
    StorageFull,
    TooLarge,
    TooManyRequests,
    Unavailable,
    UploadRangeInvalid,
)
from registry.infra.storage.directory import UploadFile
from registry.infra.storage.hashing import Hasher, resume
from registry.infra.storage.keys import blob_key, upload_key
from registry.infra.uncancelled import to_its_end

_RENEW_SECONDS = 30.0
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Session:
    """Which session: its repository's name, its id, and the principal that owns it."""

    name: str
    id: str
    owner: str


async def start(shelf: Shelf, name: str, owner: str, algorithm: str, terms: Terms = OPEN_TERMS) -> Session:
    """A new session; the repository is made when absent.

    Raises:
        StorageFull: only the reserve is left.
        NameUnknown: there is no namespace to make the repository in.
        QuotaExceeded: the namespace has as many repositories as it may.
        TooManyRequests: the repository has as many open sessions as it may.
    """
    shelf.store.check_room()
    session, limit = Session(name, str(uuid.uuid4()), owner), shelf.policy.max_uploads
    new = Start(owner, algorithm, shelf.policy.upload_expiry, limit, terms.who)
    try:
        with telling(name, terms):
            async with shelf.changes.making(name, changing=False), shelf.db.connection() as connection:
                await sql.start(connection, name, session.id, new)
    except asyncpg.PostgresError as error:
        if error.sqlstate != "GT429":
            raise
        raise TooManyRequests(
            f"{name} has {limit} open uploads, the most it may: finish or cancel some.", headers={"Retry-After": "60"}
        ) from error
    return session


async def status(shelf: Shelf, session: Session) -> Upload:
    """The session as it stands.

    Raises:
        BlobUploadUnknown: there is none of this id, repository and caller, or it is over.
    """
    upload = await _find(shelf, session)
    if upload.state == "done":
        raise _unknown(session)
    return upload


async def append(shelf: Shelf, session: Session, chunk: Chunk) -> int:
    """Add a chunk (end-5) and answer how many bytes the session holds; what came before a lost connection counts.

    Raises:
        UploadRangeInvalid: the chunk does not start at the session's offset.
        SizeInvalid: it is not as long as its range says; the session stays at its offset.
    """
    if (await status(shelf, session)).state != "open":
        raise _unknown(session)
    async with _held(shelf, session) as (upload, descriptor):
        if upload.state != "open":
            raise _unknown(session)
        file = await _begin(shelf, session, upload, descriptor)
        await _receive(shelf, session, file, chunk)
        await _commit(shelf, session, file)
        return file.offset


async def finish(shelf: Shelf, session: Session, digest: Digest, chunk: Chunk, terms: Terms = OPEN_TERMS) -> None:
    """Close a session with its last chunk and the digest of the whole (end-6); repeated, it succeeds again.

    Raises:
        DigestInvalid: the bytes have another digest; the session is gone.
        QuotaExceeded: the namespace holds as much as it may; the session is gone.
        UploadRangeInvalid, SizeInvalid: as `append`; the session stays.
    """
    found = await _find(shelf, session)
    if found.state == "done":
        await _repeat(shelf, session, found, Closing(digest, terms))
        return
    await _check_quota(shelf, session, found, chunk, Closing(digest, terms))
    if found.state == "open" and found.received == 0 and is_small(shelf.policy, chunk):
        await _finish_small(shelf, session, Closing(digest, terms), chunk)
        return
    async with _held(shelf, session, _key(session, found.digest)) as (upload, descriptor):
        if upload.state != "open":
            await _repeat(shelf, session, upload, Closing(digest, terms))
            return
        file = await _begin(shelf, session, upload, descriptor)
        await _receive(shelf, session, file, chunk)
        await _close(shelf, session, file, Closing(digest, terms))


@dataclass(frozen=True, slots=True)
class Closing:
    """What a session becomes, under which terms."""

    digest: Digest
    terms: Terms


async def whole(shelf: Shelf, name: str, owner: str, digest: Digest, chunk: Chunk, terms: Terms = OPEN_TERMS) -> None:
    """A blob in one request (end-4b). Whatever goes wrong, no session is left: nobody knows its name.

    Raises:
        as `start` and `finish`.
    """
    if chunk.size is not None:
        await holdings.check_room(shelf, name, digest, chunk.size, terms)
    if is_small(shelf.policy, chunk):
        shelf.store.check_room()
        await _put(shelf, name, Closing(digest, terms), await checked(chunk, digest))
        return
    session = await start(shelf, name, owner, digest.algorithm, terms)
    try:
        await finish(shelf, session, digest, chunk, terms)
    except BaseException:
        with contextlib.suppress(BlobUploadUnknown, Unavailable):
            await asyncio.shield(cancel(shelf, session))
        raise


async def _put(shelf: Shelf, name: str, closing: Closing, content: bytes) -> None:
    lease = Lease(shelf.policy.grace, closing.terms)

    async def put(connection: object) -> None:
        await sql_blobs.put(connection, name, str(closing.digest), content, lease)

    with telling(name, closing.terms):
        async with shelf.changes.making(name, changing=False):
            await shelf.db.retry(put, single=True)


async def cancel(shelf: Shelf, session: Session) -> None:
    """Forget a session and its bytes (end-14)."""
    await status(shelf, session)
    async with shelf.db.transaction() as connection:
        if not await sql.delete(connection, session.id):
            raise _unknown(session)
        await sql.doom(connection, [upload_key(session.id)])


async def _check_quota(shelf: Shelf, session: Session, upload: Upload, chunk: Chunk, closing: Closing) -> None:
    """Before the last bytes come: is there room for all of them? Where there is none, the session is gone."""
    if upload.state != "open" or chunk.size is None:
        return
    try:
        size = upload.received + chunk.size
        await holdings.check_room(shelf, session.name, closing.digest, size, closing.terms)
    except QuotaExceeded:
        await cancel(shelf, session)
        raise


async def _find(shelf: Shelf, session: Session) -> Upload:
    if _ID.fullmatch(session.id) is None:
        raise _unknown(session)
    async with shelf.db.connection() as connection:
        upload = await sql.select(connection, session.name, session.id, session.owner)
    if upload is None:
        raise _unknown(session)
    return upload


@asynccontextmanager
async def _held(shelf: Shelf, session: Session, key: str | None = None) -> AsyncIterator[tuple[Upload, int]]:
    """The session as it stands under the lock of its file, and a descriptor of that; sealed, it may lie under `key`."""
    try:
        async with shelf.store.locked(session.id, key) as descriptor:
            try:
                upload = await _find(shelf, session)
            except BlobUploadUnknown:
                await _leave_nothing(shelf, session)
                raise
            yield upload, descriptor
    except FileNotFoundError:
        raise _unknown(session) from None


async def _leave_nothing(shelf: Shelf, session: Session) -> None:
    """Doom the file that this request has just made for a session that ended meanwhile."""
    async with shelf.db.connection() as connection:
        if not await sql.exists(connection, session.id):
            await sql.doom(connection, [upload_key(session.id)])


def _key(session: Session, digest: str | None) -> str | None:
    """Where the bytes of a session that says its digest lie, sealed."""
    if digest is None:
        return None
    parsed = parse_digest(digest)
    return blob_key(parsed.algorithm, parsed.encoded, session.id)


async def _repeat(shelf: Shelf, session: Session, upload: Upload, closing: Closing) -> None:
    """What a final PUT does that comes again: finish what the first left, or find its blob and lease it."""
    if upload.digest != str(closing.digest):
        raise _unknown(session)
    if upload.state == "finishing":
        await _complete(shelf, session, closing, upload.received)
        return
    try:
        await blobs.find(shelf, session.name, closing.digest, leasing=True)
    except NotFound:
        raise _unknown(session) from None


def _unknown(session: Session) -> BlobUploadUnknown:
    return BlobUploadUnknown(f"{session.name} has no such open upload of yours: start a new one.")


async def _begin(shelf: Shelf, session: Session, upload: Upload, descriptor: int) -> UploadFile:
    hasher = resume(upload.algorithm, upload.hash_state, shelf.secret, session.id) if upload.received else None
    return await shelf.store.begin(descriptor, upload.received, hasher, upload.algorithm)


async def _receive(shelf: Shelf, session: Session, file: UploadFile, chunk: Chunk) -> None:
    if chunk.start is not None and chunk.start != file.offset:
        raise UploadRangeInvalid(
            f"The upload holds {file.offset} bytes; the chunk starts at {chunk.start}.", detail={"offset": file.offset}
        )
    began = file.offset
    try:
        await _take(shelf, session, file, chunk)
    except (ConnectionError, RequestTimeout, StorageFull, asyncio.CancelledError):
        await to_its_end(_commit(shelf, session, file))
        raise
    if chunk.length is not None and file.length - began != chunk.length:
        raise SizeInvalid(f"The chunk has {file.length - began} bytes; its range says {chunk.length}.")


async def _take(shelf: Shelf, session: Session, file: UploadFile, chunk: Chunk) -> None:
    loop, limit = asyncio.get_running_loop(), shelf.policy.max_blob_size
    renew_at = loop.time() + _RENEW_SECONDS
    pour = chunk.direct() if chunk.direct is not None else None
    async with aclosing(pour(file.put) if pour is not None else _write(file, chunk.pieces)) as counts:
        async for _ in counts:
            if limit is not None and file.length > limit:
                raise TooLarge(f"A blob has at most {limit} bytes here.")
            if loop.time() > renew_at:
                renew_at = loop.time() + _RENEW_SECONDS
                await _renew(shelf, session)


async def _renew(shelf: Shelf, session: Session) -> None:
    with contextlib.suppress(Unavailable):  # the commit at the end needs the database, the bytes do not
        async with shelf.db.connection() as connection:
            await sql.renew(connection, session.id, shelf.policy.upload_expiry)


async def _write(file: UploadFile, pieces: AsyncIterator[bytes]) -> AsyncGenerator[int, None]:
    async for piece in pieces:
        await file.write(piece)
        yield len(piece)


async def _commit(shelf: Shelf, session: Session, file: UploadFile) -> None:
    """Move the session's offset.

    The bytes are durable only at the end: a machine that fails may lose them, but not unnoticed, for the state of the
    hash does not outlive it.
    """
    await file.settle()
    state = file.hasher.state(shelf.secret, session.id)
    async with shelf.db.connection() as connection:
        if not await sql.advance(connection, session.id, file.offset, state, shelf.policy.upload_expiry):
            raise _unknown(session)


async def _close(shelf: Shelf, session: Session, file: UploadFile, closing: Closing) -> None:
    await file.flush()
    hasher: Hasher = file.hasher
    digest = closing.digest
    if hasher.algorithm != digest.algorithm:
        hasher = await file.read_again(digest.algorithm)
    if hasher.hexdigest() != digest.encoded:
        await cancel(shelf, session)
        raise wrong(digest, f"{digest.algorithm}:{hasher.hexdigest()}")
    try:
        await file.sync()
    except (OSError, StorageFull):  # the kernel forgets what it could not write, of earlier chunks too
        with contextlib.suppress(BlobUploadUnknown, Unavailable):
            await cancel(shelf, session)
        raise
    async with shelf.db.connection() as connection:
        if not await sql.finishing(connection, session.id, file.offset, str(digest), shelf.policy.upload_expiry):
            raise _unknown(session)
    await _complete(shelf, session, closing, file.offset)


async def _complete(shelf: Shelf, session: Session, closing: Closing, size: int) -> None:
    digest = closing.digest
    key = blob_key(digest.algorithm, digest.encoded, session.id)
    await shelf.store.seal(session.id, key)
    await _record(shelf, session, Sealed(str(digest), size, key), closing.terms)


async def _finish_small(shelf: Shelf, session: Session, closing: Closing, chunk: Chunk) -> None:
    """A whole blob in the closing PUT: no file. What comes before a lost connection is kept in one, as ever."""
    came: list[bytes] = []
    try:
        content = await checked(chunk, closing.digest, came)
    except (ConnectionError, RequestTimeout, asyncio.CancelledError):
        with contextlib.suppress(BlobUploadUnknown, UploadRangeInvalid):  # another request was faster
            await asyncio.shield(append(shelf, session, Chunk(again(came), 0)))
        raise
    except DigestInvalid:
        await cancel(shelf, session)
        raise
    await _record(shelf, session, Sealed(str(closing.digest), len(content), None, content), closing.terms)


async def _record(shelf: Shelf, session: Session, sealed: Sealed, terms: Terms) -> None:
    lease = Lease(shelf.policy.grace, terms)
    try:
        with telling(session.name, terms):
            async with shelf.db.connection() as connection:
                await sql.finish(connection, session.name, session.id, sealed, lease)
    except NameUnknown as error:
        raise _unknown(session) from error
    except QuotaExceeded:
        await _give_up(shelf, session, sealed)
        raise
    except asyncpg.PostgresError as error:
        if error.sqlstate == "GT404":
            raise _unknown(session) from error
        if isinstance(error, asyncpg.DeadlockDetectedError):
            raise Unavailable("Too many changes of the same content at once; repeat the request.") from error
        raise


async def _give_up(shelf: Shelf, session: Session, sealed: Sealed) -> None:
    """The namespace has no room for what is here already: nothing of it stays."""
    async with shelf.db.transaction() as connection:
        if await sql.give_up(connection, session.id):
            await sql.doom(connection, places(session.id, sealed.digest))
