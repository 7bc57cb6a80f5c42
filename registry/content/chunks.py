"""What a request brings of an upload, and how a small blob is read whole."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass

from registry.content.shelf import Policy
from registry.core.digest import Digest, digest_of
from registry.core.errors import DigestInvalid, SizeInvalid

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


def is_small(policy: Policy, chunk: Chunk) -> bool:
    """Whether the blob is in this request as a whole, and lies in its row when the session holds nothing yet."""
    small, limit = policy.small_blob, policy.max_blob_size
    if not small or chunk.size is None or chunk.start:
        return False
    return chunk.size <= small and (limit is None or chunk.size <= limit)


async def checked(chunk: Chunk, digest: Digest, came: list[bytes] | None = None) -> bytes:
    """All bytes of a small chunk, which have this digest; `came` gets those that come before an error.

    Raises:
        SizeInvalid, DigestInvalid: they are not as many as the range says, or others.
    """
    came = came if came is not None else []
    async for piece in chunk.pieces:
        came.append(piece)
    content = b"".join(came)
    if chunk.length is not None and len(content) != chunk.length:
        raise SizeInvalid(f"The chunk has {len(content)} bytes; its range says {chunk.length}.")
    found = digest_of(content, digest.algorithm)
    if found != digest:
        raise wrong(digest, str(found))
    return content


async def again(pieces: list[bytes]) -> AsyncIterator[bytes]:
    """Pieces that have come already."""
    for piece in pieces:
        yield piece


def wrong(digest: Digest, found: str) -> DigestInvalid:
    """The refusal of content that has another digest."""
    return DigestInvalid(f"The content has another digest than {digest}.", detail={"found": found})
