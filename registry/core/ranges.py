"""Ranges of bytes: of reads (RFC 9110, section 14) and of upload chunks (OCI Distribution, end-5)."""

import re
from dataclasses import dataclass
from typing import Final

from registry.core.errors import BlobUploadInvalid, RangeInvalid, SizeInvalid

_READ: Final = re.compile(r"bytes=(\d{0,99})-(\d{0,99})")
_CHUNK: Final = re.compile(r"(?:bytes[ =])?(\d{1,19})-(\d{1,19})(?:/(?:\*|\d{1,19}))?")


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes `start` to `stop`, `stop` not included."""

    start: int
    stop: int


def read_span(header: str | None, size: int) -> Span | None:
    """What a Range header asks of `size` bytes; None for the whole: no header, another unit, or several ranges.

    Raises:
        RangeInvalid: nothing of it lies inside.
    """
    if header is None or "," in header:
        return None
    match = _READ.fullmatch(header.replace(" ", ""))
    if match is None or match.group(0) == "bytes=-":
        return None
    first, last = match.groups()
    if first == "":
        span = Span(max(0, size - int(last)), size)
    else:
        span = Span(int(first), min(size, int(last) + 1 if last else size))
    if span.start >= span.stop or (first and last and int(last) < int(first)):
        raise RangeInvalid(f"The blob has {size} bytes.", headers={"Content-Range": f"bytes */{size}"})
    return span


@dataclass(frozen=True, slots=True)
class ChunkRange:
    """Where a chunk starts, and how many bytes it says it has; None where the request does not say."""

    start: int | None
    length: int | None


def chunk_range(content_range: str | None, content_length: int | None) -> ChunkRange:
    """What Content-Range and Content-Length say of a chunk.

    Raises:
        BlobUploadInvalid: Content-Range is not `start-end`.
        SizeInvalid: the two differ.
    """
    if content_range is None:
        return ChunkRange(None, content_length)
    match = _CHUNK.fullmatch(content_range.strip())
    if match is None:
        raise BlobUploadInvalid("Content-Range of a chunk is <start>-<end>, both included.")
    start, end = int(match.group(1)), int(match.group(2))
    length = end - start + 1
    if length < 0 or (content_length is not None and content_length != length):
        raise SizeInvalid(f"Content-Range says {length} bytes, Content-Length {content_length}.")
    return ChunkRange(start, length)
