"""The folders of a user in which `gati` keeps what it can do without. Pure."""

from collections.abc import Mapping
from pathlib import Path


def cache(environ: Mapping[str, str]) -> Path:
    """Where copies and open uploads are kept (XDG Base Directory Specification: relative paths count as not set)."""
    configured = Path(environ.get("XDG_CACHE_HOME", ""))
    return (configured if configured.is_absolute() else Path.home() / ".cache") / "gati"
