"""What `gati` fetched before, by its digest: one copy for all projects of a user, checked whenever it is used.

    blobs/sha256/<hex>                     layers and manifests
    metadata/<registry>/<repository>.json  what the registry said of the releases of an artifact, for `--offline`

Files come whole, by a rename, or not at all: processes may share the folder, and it may be deleted at any time.
"""

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from registry.cli import private_files
from registry.cli.downloading import digest_of_file
from registry.cli.problems import Problem
from registry.core.digest import digest_of, parse_digest

_LARGEST_METADATA: Final = 8 << 20


class Cache:
    """The cache in a folder; `verified` remembers, for as long as it lives, what it has looked at."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._verified: set[str] = set()

    def path(self, digest: str) -> Path:
        """Where the blob of a digest lies, if it is there.

        Raises:
            DigestInvalid: it is no digest.
        """
        parsed = parse_digest(digest)
        return self._folder / "blobs" / parsed.algorithm / parsed.encoded

    def verified(self, digest: str) -> Path | None:
        """The file of a blob, after its digest was taken; None when it is not there, or was damaged: then it is gone.

        Raises:
            Problem: it cannot be read.
        """
        path = self.path(digest)
        if digest in self._verified:
            return path
        try:
            if digest_of_file(path, digest.partition(":")[0]) == digest:
                self._verified.add(digest)
                return path
            path.unlink(missing_ok=True)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise Problem(f"{path} cannot be read: {error.strerror}.") from error
        return None

    def trust(self, digest: str) -> None:
        """Note that a blob was fetched, and checked, just now."""
        self._verified.add(digest)

    def put(self, digest: str, content: bytes) -> None:
        """Keep a small blob.

        Raises:
            Problem: it is not of this digest, or cannot be written.
        """
        if str(digest_of(content, digest.partition(":")[0])) != digest:
            raise Problem(f"{digest} is not the digest of what was to be kept under it.")
        self._write(self.path(digest), content)
        self.trust(digest)

    def releases(self, registry: str, repository: str) -> list[dict[str, Any]] | None:
        """What the registry said last of the releases of an artifact; None when it was never asked."""
        try:
            with self._metadata(registry, repository).open("rb") as file:
                found = json.loads(file.read(_LARGEST_METADATA))
        except (OSError, ValueError, RecursionError):
            return None
        return found if isinstance(found, list) and all(isinstance(one, dict) for one in found) else None

    def put_releases(self, registry: str, repository: str, releases: Sequence[dict[str, Any]]) -> None:
        """Keep what the registry said of the releases of an artifact."""
        self._write(self._metadata(registry, repository), json.dumps(list(releases)).encode())

    def _metadata(self, registry: str, repository: str) -> Path:
        return self._folder / "metadata" / quote(registry, safe="") / f"{quote(repository, safe='')}.json"

    def _write(self, path: Path, content: bytes) -> None:
        """Not made durable: what a crash of the machine leaves half is found when it is used."""
        try:
            descriptor, draft = _draft(path.parent)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            Path(draft).replace(path)
        except OSError as error:
            raise Problem(f"{path} cannot be written: {error.strerror}.") from error

    @contextmanager
    def locked(self, place: Path) -> Iterator[None]:
        """Keep every other `gati` of this user out of a folder."""
        name = str(digest_of(str(place.resolve()).encode())).partition(":")[2]
        with private_files.locked(self._folder / "locks" / name[:32]):
            yield


def _draft(folder: Path) -> tuple[int, str]:
    try:
        return tempfile.mkstemp(prefix=".", dir=folder)
    except FileNotFoundError:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return tempfile.mkstemp(prefix=".", dir=folder)
