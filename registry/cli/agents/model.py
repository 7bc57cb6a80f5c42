"""An agent that is to be run, and what it may use. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

TRAPPED: Final = 134
"""The exit status of an agent that trapped, as that of a program that aborted."""


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent, unpacked.

    Attributes:
        name: as it is published.
        manifest: its Gati manifest.
        folder: where its files are, by their titles; those of a runtime archive unpacked.
    """

    name: str
    manifest: Mapping[str, Any]
    folder: Path

    @property
    def config(self) -> Mapping[str, Any]:
        """The part of the manifest that says how it runs."""
        config = self.manifest.get("config")
        return config if isinstance(config, dict) else {}

    @property
    def runtime(self) -> str:
        """`js`, `wasm` or `container`."""
        return str(self.config.get("runtime"))


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may use up.

    Attributes:
        memory: bytes.
        seconds: of wall time.
        fuel: instructions of WASM, roughly.
        cores: processors of a JS agent; WASM uses one.
    """

    memory: int = 256 << 20
    seconds: float = 60.0
    fuel: int = 10_000_000_000
    cores: int = 1


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder of this machine that an agent sees under a path of its own."""

    folder: Path
    guest: str
    is_writable: bool


@dataclass(frozen=True, slots=True)
class Streams:
    """The standard streams of an agent: a file, or None for that of `gati` itself."""

    stdin: Path | None = None
    stdout: Path | None = None
    stderr: Path | None = None


@dataclass(frozen=True, slots=True)
class Setting:
    """What an agent finds when it starts."""

    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    streams: Streams = Streams()
