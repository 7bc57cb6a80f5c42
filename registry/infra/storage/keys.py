"""All keys of stored objects. A blob's key ends in the id of its upload, so a key is never used twice."""

import re
from typing import Final

UPLOADS: Final = "uploads"
BLOBS: Final = "blobs"
COUNTERS: Final = "counters"
LIMITS: Final = "limits"
_LEGAL: Final = re.compile(r"uploads/[0-9a-f-]{36}|blobs/sha(256|512)/[0-9a-f]{2}/[0-9a-f]{64,128}-[0-9a-f-]{36}")


def upload_key(upload_id: str) -> str:
    """Where the bytes of an open upload lie."""
    return f"{UPLOADS}/{upload_id}"


def blob_key(algorithm: str, encoded: str, upload_id: str) -> str:
    """Where a finished blob lies."""
    return f"{BLOBS}/{algorithm}/{encoded[:2]}/{encoded}-{upload_id}"


def folders() -> tuple[str, ...]:
    """The folders that are always there; blobs lie one level below theirs."""
    return (UPLOADS, BLOBS, f"{BLOBS}/sha256", f"{BLOBS}/sha512")


def check_key(key: str) -> str:
    """`key`, one of the two forms above; anything else is a programming error (ValueError)."""
    if _LEGAL.fullmatch(key) is None:
        raise ValueError(f"not an object key: {key[:300]!r}")
    return key
