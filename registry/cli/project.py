"""A project on disk: what it wants, what it has, and whether what it has is still what was put there."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from registry.cli import application, lockfile, strict_json
from registry.cli.application import Application
from registry.cli.lockfile import Lock
from registry.cli.problems import Problem
from registry.cli.transaction import MODULES, STATE
from registry.core.digest import digest_of

_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Installed:
    """What is in the folder of an artifact.

    Attributes:
        digest: of its manifest; `link:` and a path for a link.
        seal: of names, sizes and times of its files, as they were when `gati` had written them.
    """

    version: str
    digest: str
    seal: str


@dataclass(frozen=True, slots=True)
class Project:
    """A project as its files say; `installed` has what `gati_modules` holds, by repository."""

    folder: Path
    application: Application
    lock: Lock
    installed: Mapping[str, Installed] = field(default_factory=dict)

    def path(self, repository: str) -> Path:
        """The folder of an artifact."""
        return self.folder / MODULES / repository

    def is_intact(self, repository: str, digest: str) -> bool:
        """Whether an artifact is there as it was put there."""
        found = self.installed.get(repository)
        return found is not None and found.digest == digest and found.seal == seal(self.path(repository))


def load(folder: Path) -> Project:
    """The project in a folder.

    Raises:
        Problem: one of its files is not as it should be.
    """
    app = application.parse(read(folder / application.FILE))
    lock = lockfile.parse(read(folder / lockfile.FILE))
    return Project(folder, app, lock, _installed(read(folder / STATE)))


def read(path: Path) -> bytes | None:
    """What a file of the project holds; None where there is none.

    Raises:
        Problem: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(strict_json.LIMIT + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Problem(f"{path} cannot be read: {error.strerror}.") from error


def _installed(raw: bytes | None) -> dict[str, Installed]:
    """What the state says; where it is not to be understood, nothing counts as installed."""
    try:
        document = json.loads(raw or b"{}")
        found = document.get("artifacts", {}) if document.get("version") == _VERSION else {}
        return {
            str(name): Installed(str(entry["version"]), str(entry["digest"]), str(entry["seal"]))
            for name, entry in found.items()
        }
    except (ValueError, RecursionError, AttributeError, KeyError, TypeError):
        return {}


def render_state(installed: Mapping[str, Installed]) -> bytes | None:
    """The state as it is kept; None where nothing is installed."""
    if not installed:
        return None
    entries: dict[str, Any] = {
        name: {"version": one.version, "digest": one.digest, "seal": one.seal}
        for name, one in sorted(installed.items())
    }
    return strict_json.write({"version": _VERSION, "artifacts": entries})


def seal(folder: Path) -> str:
    """A digest of names, sizes, modes and times of all that a folder holds: what was changed since gives another."""
    if folder.is_symlink():
        return f"link:{folder.readlink()}"
    lines: list[str] = []
    waiting = [str(folder)]
    start = len(waiting[0])
    while waiting:
        here = waiting.pop()
        try:
            with os.scandir(here) as found:
                entries = list(found)
        except OSError:
            return "missing"
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
                lines.append(f"{entry.path[start:]}/")
                continue
            status = entry.stat(follow_symlinks=False)
            lines.append(f"{entry.path[start:]}\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_mode:o}")
    return str(digest_of("\n".join(sorted(lines)).encode("utf-8", "surrogateescape")))
