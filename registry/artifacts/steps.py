"""What stands between a valid artifact and its publication, as decisions that are handed in."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

from registry.artifacts.sql_releases import Release

WAIT: Final = timedelta(hours=72)


class Signature(StrEnum):
    """Whether a release is signed as its namespace demands."""

    NOT_REQUIRED = "not-required"
    WAIT = "wait"
    COUNTED = "counted"


class Scan(StrEnum):
    """What a scan of a release found."""

    NOT_SCANNED = "not-scanned"
    WAIT = "wait"
    CLEAN = "clean"
    MALICIOUS = "malicious"


SignatureStep = Callable[[Any, Release], Awaitable[Signature]]
"""Decides in the transaction, on its connection, that moves a release on; asked again when a referrer comes."""

ScanStep = Callable[[Any, Release], Awaitable[Scan]]
"""Decides likewise; on `WAIT` it is asked again in a while."""


async def _unsigned(_: Any, __: Release) -> Signature:
    return Signature.NOT_REQUIRED


async def _unscanned(_: Any, __: Release) -> Scan:
    return Scan.NOT_SCANNED


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps of a registry; `patience`: how long an artifact waits for a signature that it needs."""

    signature: SignatureStep = _unsigned
    scan: ScanStep = _unscanned
    patience: timedelta = WAIT


NO_STEPS: Final = Steps()
