"""References of container images, as docker writes them. Pure."""

import re
from typing import Final

from registry.core.errors import MalformedManifest

_COMPONENT: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE: Final = re.compile(
    rf"(?:(?:localhost|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|\[[0-9a-fA-F:]+\]|[A-Za-z0-9-]+(?=:[0-9]))(?::[0-9]{{1,5}})?/)?"
    rf"{_COMPONENT}(?:/{_COMPONENT})*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(?:@sha256:[a-f0-9]{64})?"
)
_LONGEST: Final = 512


def check(text: str, place: str) -> None:
    """Hold a reference of an image against its grammar; `place` is where it stands.

    Raises:
        MalformedManifest: it is none, or says neither tag nor digest.
    """
    is_one = len(text) <= _LONGEST and _REFERENCE.fullmatch(text) is not None
    if not is_one or not re.search(r":[^/@]+$|@", text):
        raise MalformedManifest(
            f"{text[:200]!r} names no version of a container image.",
            pointer=place,
            value=text,
            suggestion="Write registry/name@sha256:…, which never changes, or registry/name:tag.",
        )
