"""Uploads that are not finished: where each goes on, so that a push that was stopped resumes."""

import hashlib
import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from registry.cli import private_files
from registry.cli.problems import Problem

_OLDEST: Final = 7 * 86400.0


class OpenUploads:
    """A file for each, which its owner alone may read, in the cache: `uploads/<digest of what it is for>.json`."""

    def __init__(self, cache: Path, registry: str) -> None:
        self._folder = cache / "uploads"
        self._registry = registry

    def get(self, repository: str, digest: str) -> str | None:
        """The place of an upload that was begun, None when there is none."""
        try:
            kept = json.loads(private_files.read(self._path(repository, digest)) or b"{}")
        except (ValueError, RecursionError, Problem):
            return None
        place = kept.get("location") if isinstance(kept, dict) else None
        return place if isinstance(place, str) else None

    def put(self, repository: str, digest: str, place: str) -> None:
        """Keep the place of an upload; where it cannot be kept, nothing but the resuming is lost."""
        content = {"registry": self._registry, "repository": repository, "digest": digest, "location": place}
        with suppress(Problem):
            private_files.write(self._path(repository, digest), json.dumps(content).encode() + b"\n")

    def drop(self, repository: str, digest: str) -> None:
        """Forget an upload that is over."""
        with suppress(OSError):
            self._path(repository, digest).unlink()

    def sweep(self) -> None:
        """Forget what is older than any registry keeps it."""
        with suppress(OSError):
            for path in self._folder.glob("*.json"):
                if time.time() - path.stat().st_mtime > _OLDEST:
                    path.unlink(missing_ok=True)

    def _path(self, repository: str, digest: str) -> Path:
        key = f"{self._registry} {repository} {digest}".encode()
        return self._folder / f"{hashlib.sha256(key).hexdigest()}.json"
