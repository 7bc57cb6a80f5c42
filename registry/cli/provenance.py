"""Where and when something was built: annotations that are the same for the same commit."""

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from registry import __version__
from registry.cli.problems import Problem

EPOCH_VARIABLE: Final = "SOURCE_DATE_EPOCH"
BUILDER: Final = f"gati-cli/{__version__}"
VOLATILE: Final = frozenset(
    {"org.opencontainers.image.created", "dev.gati.build.timestamp", "dev.gati.builder"}
    | {"org.opencontainers.image.source", "org.opencontainers.image.revision"}
)
"""Annotations that say when, by what and from where something was built, not what it is."""

_SECONDS: Final = 20
_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SSH: Final = re.compile(r"(?:[A-Za-z0-9._-]+@)?(?P<host>[A-Za-z0-9.-]+):(?P<path>(?!//)[^\s]+)")


@dataclass(frozen=True, slots=True)
class Origin:
    """What is known of a build: `created` in RFC 3339, the repository's URL and the commit (None: not known)."""

    created: str
    source: str | None = None
    revision: str | None = None

    def annotations(self) -> dict[str, str]:
        """As the manifest says it."""
        found = {
            "org.opencontainers.image.created": self.created,
            "org.opencontainers.image.source": self.source,
            "org.opencontainers.image.revision": self.revision,
            "dev.gati.builder": BUILDER,
            "dev.gati.build.timestamp": self.created,
        }
        return {name: value for name, value in found.items() if value is not None}


def origin(folder: Path, manifest: Mapping[str, Any], environ: Mapping[str, str]) -> Origin:
    """Where what lies in a folder comes from.

    A commit is named only where the folder is as the commit has it.

    Raises:
        Problem: SOURCE_DATE_EPOCH is no count of seconds.
    """
    head = _git(folder, "log", "-1", "--format=%H %ct").split()
    is_clean = len(head) == 2 and not _git(folder, "status", "--porcelain", "--", ".")
    revision = head[0] if is_clean and _COMMIT.fullmatch(head[0]) else None
    seconds = _epoch(environ)
    if seconds is None:
        seconds = int(head[1]) if revision is not None else int(datetime.now(UTC).timestamp())
    remote = _git(folder, "remote", "get-url", "origin") if head else ""
    source = address(remote) or address(_written(manifest.get("repository")))
    return Origin(_time(seconds), source, revision)


def _epoch(environ: Mapping[str, str]) -> int | None:
    text = environ.get(EPOCH_VARIABLE)
    if not text:
        return None
    if re.fullmatch(r"[0-9]{1,11}", text) is None:
        raise Problem(f"{EPOCH_VARIABLE} is {text[:40]!r}, which is no count of seconds since 1970.")
    return int(text)


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _written(value: Any) -> str:
    found = value.get("url") if isinstance(value, dict) else value
    return found if isinstance(found, str) else ""


def address(text: str) -> str | None:
    """The https address of a repository, without any credentials in it; None for what is none, such as a folder."""
    text = text.strip().removeprefix("git+")
    match = _SSH.fullmatch(text)
    if "://" not in text and match is not None:
        text = f"https://{match['host']}/{match['path']}"
    elif "://" not in text and re.match(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+/", text):
        text = f"https://{text}"
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port and parts.scheme in {"http", "https"} else ""
    except ValueError:
        return None
    if parts.scheme not in {"http", "https", "ssh", "git"} or not host:
        return None
    scheme = "http" if parts.scheme == "http" else "https"
    return urlunsplit((scheme, host + port, parts.path.removesuffix(".git"), "", ""))


def _git(folder: Path, *words: str) -> str:
    """What git says; nothing where there is no git, or no repository of its."""
    command = ["git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-C", str(folder), *words]
    environ = os.environ | {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(  # noqa: S603 - the user's own git
            command, capture_output=True, text=True, check=False, timeout=_SECONDS, env=environ
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
