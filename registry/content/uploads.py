"""Upload sessions: bytes first, rows second (design: architecture.md, invariant 2)."""

import asyncio
import contextlib
import re
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

import asyncpg

from registry.content import blobs, sql_blobs
from registry.content import sql_uploads as sql
from registry.content.shelf import Shelf
from registry.content.sql_uploads import Sealed, Start, Upload
from registry.core.digest import Digest, digest_of, parse_digest
from registry.core.errors import (
    BlobUploadUnknown,
    DigestInvalid,
    NotFound,
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


# Gives every byte to the function, in order, in any thread; the counts come out on the way.
Pour = Callable[[Callable[[memoryview], None]], AsyncGenerator[int, None]]


@dataclass(frozen=True, slots=True)
class Chunk:
    """What a request brings: how its bytes come, and the range that it states, if any.

    `pieces` are its bytes; or `direct`, asked when they are wanted, answers what gives them to a `put` (`Pour`).
    `size` is what the request says of its body, `length` what its range does.
    """

    pieces: AsyncIterator[bytes]
    start: int | None = None
    length: int | None = None
    direct: Callable[[], Pour | None] | None = None
    size: int | None = None


async def start(shelf: Shelf, name: str, owner: str, algorithm: str) -> Session:
    """A new session; the repository is made when absent.

    Raises:
        StorageFull: only the reserve is left.
        TooManyRequests: the repository has as many open sessions as it may.
    """
    shelf.store.check_room()
    session, limit = Session(name, str(uuid.uuid4()), owner), shelf.policy.max_uploads
    new = Start(owner, algorithm, shelf.policy.upload_expiry, limit)
    try:
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


async def finish(shelf: Shelf, session: Session, digest: Digest, chunk: Chunk) -> None:
    """Close a session with its last chunk and the digest of the whole (end-6); repeated, it succeeds again.

    Raises:
        DigestInvalid: the bytes have another digest; the session is gone.
        UploadRangeInvalid, SizeInvalid: as `append`; the session stays.
    """
    found = await _find(shelf, session)
    if found.state == "done":
        await _repeat(shelf, session, found, digest)
        return
    if found.state == "open" and found.received == 0 and _is_small(shelf, chunk):
        await _finish_small(shelf, session, digest, chunk)
        return
    async with _held(shelf, session, _key(session, found.digest)) as (upload, descriptor):
        if upload.state != "open":
            await _repeat(shelf, session, upload, digest)
            return
        file = await _begin(shelf, session, upload, descriptor)
        await _receive(shelf, session, file, chunk)
        await _close(shelf, session, file, digest)


async def whole(shelf: Shelf, name: str, owner: str, digest: Digest, chunk: Chunk) -> None:
    """A blob in one request (end-4b). Whatever goes wrong, no session is left: nobody knows its name.

    Raises:
        as `start` and `finish`.
    """
    if _is_small(shelf, chunk):
        shelf.store.check_room()
        content = await _checked(chunk, digest)

        async def put(connection: object) -> None:
            await sql_blobs.put(connection, name, str(digest), content, shelf.policy.grace)

        async with shelf.changes.making(name, changing=False):
            await shelf.db.retry(put, single=True)
        return
    session = await start(shelf, name, owner, digest.algorithm)
    try:
        await finish(shelf, session, digest, chunk)
    except BaseException:
        with contextlib.suppress(BlobUploadUnknown, Unavailable):
            await asyncio.shield(cancel(shelf, session))
        raise


async def cancel(shelf: Shelf, session: Session) -> None:
    """Forget a session and its bytes (end-14)."""
    await status(shelf, session)
    async with shelf.db.transaction() as connection:
        if not await sql.delete(connection, session.id):
            raise _unknown(session)
        await sql.doom(connection, [upload_key(session.id)])


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


async def _repeat(shelf: Shelf, session: Session, upload: Upload, digest: Digest) -> None:
    """What a final PUT does that comes again: finish what the first left, or find its blob and lease it."""
    if upload.digest != str(digest):
        raise _unknown(session)
    if upload.state == "finishing":
        await _complete(shelf, session, digest, upload.received)
        return
    try:
        await blobs.find(shelf, session.name, digest, writer=True)
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


async def _close(shelf: Shelf, session: Session, file: UploadFile, digest: Digest) -> None:
    await file.flush()
    hasher: Hasher = file.hasher
    if hasher.algorithm != digest.algorithm:
        hasher = await file.read_again(digest.algorithm)
    if hasher.hexdigest() != digest.encoded:
        await cancel(shelf, session)
        raise _wrong(digest, f"{digest.algorithm}:{hasher.hexdigest()}")
    try:
        await file.sync()
    except (OSError, StorageFull):  # the kernel forgets what it could not write, of earlier chunks too
        with contextlib.suppress(BlobUploadUnknown, Unavailable):
            await cancel(shelf, session)
        raise
    async with shelf.db.connection() as connection:
        if not await sql.finishing(connection, session.id, file.offset, str(digest), shelf.policy.upload_expiry):
            raise _unknown(session)
    await _complete(shelf, session, digest, file.offset)


async def _complete(shelf: Shelf, session: Session, digest: Digest, size: int) -> None:
    key = blob_key(digest.algorithm, digest.encoded, session.id)
    await shelf.store.seal(session.id, key)
    await _record(shelf, session, Sealed(str(digest), size, key))


def _is_small(shelf: Shelf, chunk: Chunk) -> bool:
    """Whether the blob is in this request as a whole, and lies in its row when the session holds nothing yet."""
    small, limit = shelf.policy.small_blob, shelf.policy.max_blob_size
    if not small or chunk.size is None or chunk.start:
        return False
    return chunk.size <= small and (limit is None or chunk.size <= limit)


async def _finish_small(shelf: Shelf, session: Session, digest: Digest, chunk: Chunk) -> None:
    """A whole blob in the closing PUT: no file. What comes before a lost connection is kept in one, as ever."""
    came: list[bytes] = []
    try:
        content = await _checked(chunk, digest, came)
    except (ConnectionError, RequestTimeout, asyncio.CancelledError):
        with contextlib.suppress(BlobUploadUnknown, UploadRangeInvalid):  # another request was faster
            await asyncio.shield(append(shelf, session, Chunk(_again(came), 0)))
        raise
    except DigestInvalid:
        await cancel(shelf, session)
        raise
    await _record(shelf, session, Sealed(str(digest), len(content), None, content))


async def _checked(chunk: Chunk, digest: Digest, came: list[bytes] | None = None) -> bytes:
    came = came if came is not None else []
    async for piece in chunk.pieces:
        came.append(piece)
    content = b"".join(came)
    if chunk.length is not None and len(content) != chunk.length:
        raise SizeInvalid(f"The chunk has {len(content)} bytes; its range says {chunk.length}.")
    found = digest_of(content, digest.algorithm)
    if found != digest:
        raise _wrong(digest, str(found))
    return content


async def _again(pieces: list[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def _wrong(digest: Digest, found: str) -> DigestInvalid:
    return DigestInvalid(f"The content has another digest than {digest}.", detail={"found": found})


async def _record(shelf: Shelf, session: Session, sealed: Sealed) -> None:
    try:
        async with shelf.db.connection() as connection:
            await sql.finish(connection, session.name, session.id, sealed, shelf.policy.grace)
    except asyncpg.PostgresError as error:
        if error.sqlstate == "GT404":
            raise _unknown(session) from error
        if isinstance(error, asyncpg.DeadlockDetectedError):
            raise Unavailable("Too many changes of the same content at once; repeat the request.") from error
        raise
