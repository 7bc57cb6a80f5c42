"""Compares rows with storage, both ways. Safe beside a running registry: what changes meanwhile is looked at again."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from registry.content import sql_fsck as sql
from registry.content.shelf import Shelf
from registry.core.digest import digest_of, parse_digest
from registry.infra.storage.hashing import Hasher
from registry.infra.storage.keys import blob_key, upload_key

_PIECE: Final = 1024 * 1024
_YOUNG_SECONDS: Final = 3600.0


@dataclass(slots=True)
class Findings:
    """What a comparison found. Only `stray` and `absent` are no lost content.

    Attributes:
        blobs: rows of blobs compared.
        manifests: manifests compared with their digests.
        missing: digests of blobs without bytes.
        resized: digests of blobs whose bytes have another length.
        unreadable: digests of blobs whose bytes cannot be read, each with the reason after `: `.
        corrupt: digests of manifests, blobs in rows and, when re-hashed, all blobs whose bytes have another digest.
        stray: keys of objects older than an hour that belong to no row.
        absent: `repository@parent: digest` of references to content that the repository does not have.
    """

    blobs: int = 0
    manifests: int = 0
    missing: list[str] = field(default_factory=list)
    resized: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    corrupt: list[str] = field(default_factory=list)
    stray: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether nothing is lost."""
        return not (self.missing or self.resized or self.unreadable or self.corrupt)

    def as_json(self) -> dict[str, object]:
        """For programs."""
        return asdict(self) | {"clean": self.is_clean}


async def compare(shelf: Shelf, *, rehash: bool) -> Findings:
    """Every blob row against its object, every object against the rows, every manifest against its digest.

    With `rehash` the bytes of every blob are read and hashed.

    Raises:
        Unavailable: the database does not answer.
    """
    objects = await asyncio.to_thread(lambda: list(shelf.store.keys()))
    found = Findings()
    async with shelf.db.connection() as connection:
        rows = await sql.blobs(connection)
    for key, (digest, size) in rows.items():
        await _check_blob(shelf, found, key, (digest, size), rehash=rehash)
    await _check_objects(shelf, found, objects)
    await _check_manifests(shelf, found)
    return found


async def _check_blob(shelf: Shelf, found: Findings, key: str, row: tuple[str, int], *, rehash: bool) -> None:
    digest, size = row
    found.blobs += 1
    try:
        length = shelf.store.path(key).stat().st_size
        right = length != size or not rehash or await asyncio.to_thread(_hash, shelf.store.path(key), digest) == digest
    except FileNotFoundError:
        if await _still_there(shelf, key):
            found.missing.append(digest)
        return
    except OSError as error:
        found.unreadable.append(f"{digest}: {error.strerror}")
        return
    if length != size:
        found.resized.append(digest)
    elif not right:
        found.corrupt.append(digest)


async def _still_there(shelf: Shelf, key: str) -> bool:
    """Whether the row is still there: the sweep may have taken it, and then its bytes, since it was read."""
    async with shelf.db.connection() as connection:
        return await sql.has_blob(connection, key)


def _hash(path: Path, digest: str) -> str:
    hasher = Hasher(parse_digest(digest).algorithm)
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            hasher.update(piece)
    return f"{hasher.algorithm}:{hasher.hexdigest()}"


async def _check_objects(shelf: Shelf, found: Findings, objects: list[tuple[str, int, float]]) -> None:
    """Find the objects of no row. Rows are read after the objects: a row that came since must not make a stray."""
    async with shelf.db.connection() as connection:
        expected = set(await sql.blobs(connection)) | await sql.doomed(connection)
        for upload_id, digest in await sql.uploads(connection):
            expected.update(_keys_of(upload_id, digest))
    oldest = time.time() - _YOUNG_SECONDS
    found.stray = sorted(
        key for key, _, changed in objects if key not in expected and changed < oldest and shelf.store.holds(key)
    )


def _keys_of(upload_id: str, digest: str | None) -> Iterator[str]:
    yield upload_key(upload_id)
    if digest is not None:
        parsed = parse_digest(digest)
        yield blob_key(parsed.algorithm, parsed.encoded, upload_id)


async def _check_manifests(shelf: Shelf, found: Findings) -> None:
    async with shelf.db.transaction() as connection:
        async for row in await sql.manifests(connection):
            found.manifests += 1
            if _digest_of(row) != row["digest"]:
                found.corrupt.append(row["digest"])
        async for row in await sql.small_blobs(connection):
            found.blobs += 1
            if _digest_of(row) != row["digest"]:
                found.corrupt.append(row["digest"])
        found.absent = await sql.absent(connection)


def _digest_of(row: Any) -> str:
    return str(digest_of(row["bytes"], parse_digest(row["digest"]).algorithm))
