"""Digests: `algorithm ":" encoded` (OCI Image Specification, descriptor.md, "Digests")."""

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from registry.core.errors import DigestInvalid

ENCODED_LENGTH: Final = {"sha256": 64, "sha512": 128}
ALGORITHMS: Final = tuple(ENCODED_LENGTH)
_LOWER_HEX: Final = re.compile(r"[0-9a-f]+")
_SHOWN: Final = 100


@dataclass(frozen=True, slots=True)
class Digest:
    """A digest of a known algorithm whose encoded part has that algorithm's length, in lower-case hexadecimal."""

    algorithm: str
    encoded: str

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.encoded}"


def parse_digest(text: str) -> Digest:
    """The digest that `text` spells.

    Raises:
        DigestInvalid: unknown algorithm, wrong length, or anything but lower-case hexadecimal.
    """
    algorithm, _, encoded = text.partition(":")
    length = ENCODED_LENGTH.get(algorithm)
    if length is None:
        known = " or ".join(ALGORITHMS)
        raise DigestInvalid(
            f"The digest {text[:_SHOWN]!r} is not of a known algorithm: write {known}, ':' and hexadecimal."
        )
    if len(encoded) != length or _LOWER_HEX.fullmatch(encoded) is None:
        raise DigestInvalid(
            f"A {algorithm} digest has {length} lower-case hexadecimal digits, unlike {text[:_SHOWN]!r}."
        )
    return Digest(algorithm, encoded)


def is_digest(text: str) -> bool:
    """Whether `text` spells a digest, as `parse_digest` takes them."""
    try:
        parse_digest(text)
    except DigestInvalid:
        return False
    return True


def parse_algorithm(text: str) -> str:
    """A known digest algorithm by name (`digest-algorithm=` of end-4c).

    Raises:
        DigestInvalid: the algorithm is not known here.
    """
    if text not in ENCODED_LENGTH:
        raise DigestInvalid(f"The digest algorithm {text[:_SHOWN]!r} is not known here: use {' or '.join(ALGORITHMS)}.")
    return text


def digest_of(content: bytes, algorithm: str = "sha256") -> Digest:
    """The digest of `content` under a known algorithm."""
    return Digest(algorithm, hashlib.new(algorithm, content).hexdigest())
