"""Seals: committed rows get gap-free numbers, batch by batch, and each batch is chained to the one before.

A leaf is SHA-256(0x00 ‖ fields of the row), a node SHA-256(0x01 ‖ left ‖ right), the tree is that of RFC 6962,
section 2.1. A seal is SHA-256(0x02 ‖ seal before ‖ first, last, time ‖ root); before the first come 32 zero bytes.
Fields are text, each after its length in four bytes, big-endian, 0xFFFFFFFF for none: no two lists of fields have one
encoding.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final

from registry.audit import sql
from registry.audit.sql import Seal
from registry.infra.db.pool import Database

BATCH: Final = 1000
SIZE: Final = sha256().digest_size
ORIGIN: Final = bytes(SIZE)
_NONE: Final = b"\xff\xff\xff\xff"


def leaf(fields: Iterable[str | None]) -> bytes:
    """The hash of one row."""
    return sha256(b"\x00" + _encoded(fields)).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """The root of the tree over the leaves, of which there is one at least (RFC 6962, section 2.1)."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01" + root(leaves[:split]) + root(leaves[split:])).digest()


def seal_hash(previous: bytes, seal: Seal) -> bytes:
    """The hash of a seal, whatever its own field says."""
    place = _encoded((str(seal.first), str(seal.last), seal.sealed_at))
    return sha256(b"\x02" + previous + place + seal.root).digest()


def _encoded(fields: Iterable[str | None]) -> bytes:
    parts = []
    for field in fields:
        value = None if field is None else field.encode()
        parts.append(_NONE if value is None else len(value).to_bytes(4, "big") + value)
    return b"".join(parts)


async def seal(db: Database, batch: int = BATCH) -> int:
    """Seal at most `batch` rows, how many it says; none while another process seals.

    A row that commits late gets a later number than rows with a higher id.
    """
    async with db.connection() as connection:
        if not await sql.has_unsealed(connection):
            return 0
    async with db.transaction() as connection:
        if not await sql.lock_sealer(connection):
            return 0
        head = await sql.last_seal(connection)
        # Numbers above the head mean that seals were removed: the rows stay as they are, for `verify` to find.
        before = max(head.last if head else 0, await sql.last_number(connection))
        rows = await sql.unsealed(connection, before, batch)
        if rows:
            await sql.number(connection, [int(row[1] or 0) for row in rows], before + 1)
            leaves = [leaf(row) for row in rows]
            new = Seal(before + 1, before + len(rows), await sql.now(connection), root(leaves), b"", b"".join(leaves))
            previous = head.hash if head else ORIGIN
            await sql.insert_seal(connection, _closed(new, previous))
    return len(rows)


def _closed(new: Seal, previous: bytes) -> Seal:
    return Seal(new.first, new.last, new.sealed_at, new.root, seal_hash(previous, new), new.leaves)
