"""Compares rows with storage, both ways."""

import asyncio
from dataclasses import asdict, dataclass, field

from registry.content import sql_fsck as sql
from registry.content.shelf import Shelf
from registry.core.digest import digest_of, parse_digest
from registry.infra.storage.hashing import Hasher
from registry.infra.storage.keys import blob_key, upload_key

_PIECE = 1024 * 1024


@dataclass(slots=True)
class Findings:
    """Digests and keys: `missing`, `resized` and `corrupt` are lost content; `stray` objects belong to no row."""

    blobs: int = 0
    manifests: int = 0
    missing: list[str] = field(default_factory=list)
    resized: list[str] = field(default_factory=list)
    corrupt: list[str] = field(default_factory=list)
    stray: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether nothing is lost."""
        return not (self.missing or self.resized or self.corrupt)

    def as_json(self) -> dict[str, object]:
        """For programs."""
        return asdict(self) | {"clean": self.is_clean}


async def compare(shelf: Shelf, *, rehash: bool) -> Findings:
    """Every blob row against its object, every object against the rows, every manifest against its digest."""
    objects = {key: size for key, size, _ in await asyncio.to_thread(lambda: list(shelf.store.keys()))}
    async with shelf.db.connection() as connection:
        rows = await sql.blobs(connection)
        expected = await sql.doomed(connection)
        for upload_id, digest in await sql.uploads(connection):
            expected.add(upload_key(upload_id))
            if digest is not None:
                parsed = parse_digest(digest)
                expected.add(blob_key(parsed.algorithm, parsed.encoded, upload_id))
    found = Findings(blobs=len(rows))
    for key, (digest, size) in rows.items():
        if not shelf.store.holds(key):
            found.missing.append(digest)
        elif key in objects and objects[key] != size:
            found.resized.append(digest)
        elif rehash and await asyncio.to_thread(_hash, shelf, key, digest) != digest:
            found.corrupt.append(digest)
    found.stray = sorted(key for key in objects if key not in rows and key not in expected)
    await _check_manifests(shelf, found)
    return found


def _hash(shelf: Shelf, key: str, digest: str) -> str:
    hasher = Hasher(parse_digest(digest).algorithm)
    with shelf.store.path(key).open("rb") as file:
        while piece := file.read(_PIECE):
            hasher.update(piece)
    return f"{hasher.algorithm}:{hasher.hexdigest()}"


async def _check_manifests(shelf: Shelf, found: Findings) -> None:
    async with shelf.db.transaction() as connection:
        async for row in await sql.manifests(connection):
            found.manifests += 1
            if str(digest_of(row["bytes"], parse_digest(row["digest"]).algorithm)) != row["digest"]:
                found.corrupt.append(row["digest"])
