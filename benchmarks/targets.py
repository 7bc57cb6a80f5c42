"""What is to be reached, as a ratio to the best peer, and the bar where the best of the known peers is not here.

The factors say how far the fastest known registry was ahead of distribution v3 in one run on one machine. A bar that
comes from them is an estimate and is printed as such.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Target:
    """Ratios to the best peer: what must be reached, and what is aimed at."""

    least: float
    aim: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """The bar is distribution's figure in the row `base`, times `factor`."""

    base: str
    factor: float


_HOT: Final = Target(3.0, 4.5)
_SMALL: Final = Target(3.0, 6.0)
_DOWN: Final = Target(1.0, 1.2)
_UP: Final = Target(1.1, 1.4)
_LIST: Final = Target(15.0, 40.0)
_PUSH: Final = Target(1.5, 3.0)

TARGETS: Final[Mapping[str, Target]] = {
    "version": Target(1.2, 2.0),
    "manifest-get": _HOT,
    "manifest-get-digest": _HOT,
    "manifest-head": _HOT,
    "manifest-head-digest": _HOT,
    "manifest-random": Target(1.0, 2.0),
    "blob-head": _SMALL,
    "blob-1k": _SMALL,
    "blob-1m": Target(1.3, 1.8),
    "download-100m": _DOWN,
    "download-1g": _DOWN,
    "upload-100m": _UP,
    "upload-100m-chunked": _UP,
    "upload-1g": _DOWN,
    "tags-1000": _LIST,
    "tags-10000": _LIST,
    "referrers-100": _LIST,
    "catalog-1000": _LIST,
    "catalog-10000": _LIST,
    "push-1": _PUSH,
    "push-32": _PUSH,
}
"""By row."""

ESTIMATES: Final[Mapping[str, Estimate]] = {
    "version": Estimate("version", 2.05),
    "manifest-get": Estimate("manifest-get", 3.1),
    "manifest-get-digest": Estimate("manifest-get-digest", 3.1),
    "manifest-head": Estimate("manifest-head", 3.1),
    "manifest-head-digest": Estimate("manifest-head-digest", 3.1),
    "manifest-random": Estimate("manifest-random", 3.1),
    "blob-head": Estimate("blob-head", 1.0),
    "blob-1k": Estimate("blob-1k", 9.2),
    "blob-1m": Estimate("blob-1m", 2.7),
    "upload-100m": Estimate("upload-100m", 1.34),
    "download-100m": Estimate("download-100m", 1.02),
    "tags-1000": Estimate("tags-1000", 2.7),
    "referrers-100": Estimate("tags-1000", 2.2),
}
"""By row; a row that is not here has no estimate."""

LIMITS: Final[Mapping[str, Target]] = {
    "memory-idle": Target(200, 120),
    "memory-5g": Target(200, 120),
    "auth-basic-cost": Target(1.25, 1.1),
    "auth-bearer-cost": Target(1.25, 1.1),
    "client-start": Target(150, 100),
    "publish-20m": Target(2.0, 1.0),
    "publish-1g": Target(1.2, 1.0),
}
"""By row, in its unit: what must not be exceeded, and what is aimed at."""

CPU_PER_GB: Final[Mapping[str, float]] = {"upload-1g": 1.3}
"""By row: CPU seconds for each GB, at most."""

CPU_RATIOS: Final[Mapping[str, Target]] = {"download-100m": _DOWN, "download-1g": _DOWN}
"""By row: the best peer's CPU seconds for each GB, divided by ours."""
