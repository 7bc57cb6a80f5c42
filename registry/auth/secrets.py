"""Secrets that a registry gives out (keys, sessions, codes in mail), and the file of what they are kept with.

A secret is `gati_<kind>_`, 32 random bytes in base62 of fixed width, and the CRC-32 of all that as six digits: garbage
is told without a look into the database, and scanners of source code find what was lost. The database has keyed
BLAKE2b-256 (RFC 7693) alone; its keys, the peppers, lie in a file that the database does not have.
"""

import fcntl
import hashlib
import json
import os
import re
import secrets
import string
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from zlib import crc32

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from registry.core.errors import Unavailable

KINDS: Final = ("key", "robot", "refresh", "session", "renew", "verify", "reset")
LONGEST: Final = len("gati_refresh_") + 49
_DIGITS: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM: Final = 32
_BODY: Final = 43  # 62 ** 43 > 256 ** 32
_CHECK: Final = 6
_FORM: Final = re.compile(rf"(gati_({'|'.join(KINDS)})_[0-9A-Za-z]{{{_BODY}}})([0-9A-Za-z]{{{_CHECK}}})", re.ASCII)
_SHOWN: Final = 4
_PEPPER_ID: Final = re.compile(r"[0-9A-Za-z-]{1,32}", re.ASCII)
_NONCE: Final = 12


def mint(kind: str) -> str:
    """A new secret of one of `KINDS`."""
    if kind not in KINDS:
        raise ValueError(kind)
    text = f"gati_{kind}_" + _base62(int.from_bytes(secrets.token_bytes(_RANDOM)), _BODY)
    return text + _base62(crc32(text.encode()), _CHECK)


def parse(text: str) -> str | None:
    """The kind of a secret, None when none of this form was ever made; costs the same for all that is as long."""
    match = _FORM.fullmatch(text) if len(text) <= LONGEST else None
    if match is None or _base62(crc32(match[1].encode()), _CHECK) != match[3]:
        return None
    return match[2]


def hint(text: str) -> str:
    """The first characters of a secret, by which its owner knows it again."""
    kind = parse(text)
    return "" if kind is None else text[: len(f"gati_{kind}_") + _SHOWN]


class Secrets:
    """The peppers of this registry: the current one hashes, all of them are tried."""

    def __init__(self, peppers: dict[str, bytes], current: str) -> None:
        self._peppers = peppers
        self.current = current

    @classmethod
    def load(cls, path: Path) -> "Secrets":
        """Those of the file at `path`, which is made when absent, by one process for all.

        Raises:
            Unavailable: it cannot be read or made, is none of ours, or others than its owner may read it.
        """
        try:
            return cls._read(path)
        except FileNotFoundError:
            _make(path)
        try:
            return cls._read(path)
        except FileNotFoundError as error:
            raise Unavailable(f"{path} was removed while the registry started: start it again.") from error

    @classmethod
    def _read(cls, path: Path) -> "Secrets":
        try:
            with path.open("rb") as file:
                mode, raw = os.fstat(file.fileno()).st_mode, file.read(1 << 16)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise Unavailable(f"{path} cannot be read: {error.strerror}.") from error
        if mode & 0o077:
            raise Unavailable(f"{path} can be read by others than its owner: run chmod 600 on it.")
        try:
            content = json.loads(raw)
            return cls(_peppers(content), content["current"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise Unavailable(f"{path} is not a file of secrets: bring it back from a copy.") from error

    def hash(self, secret: str) -> tuple[str, bytes]:
        """The id of the current pepper, and what the database keeps of a secret: 32 bytes."""
        return self.current, _hash(secret, self._peppers[self.current])

    def candidates(self, secret: str) -> list[bytes]:
        """What the database may have of a secret, by whichever pepper; the current one first."""
        first = self._peppers[self.current]
        return [_hash(secret, pepper) for pepper in (first, *(p for p in self._peppers.values() if p is not first))]

    def wrapping_key(self, pepper_id: str | None = None) -> bytes:
        """The 32 bytes (HKDF-SHA-256, RFC 5869) that seal signing keys: of the current pepper, or of another."""
        return derive(self._peppers[pepper_id or self.current], b"gati seal")

    def seal(self, content: bytes, label: bytes) -> bytes:
        """`content` under AES-256-GCM, bound to `label` and readable by every process with this file."""
        nonce, name = secrets.token_bytes(_NONCE), self.current.encode()
        sealed = AESGCM(self.wrapping_key()).encrypt(nonce, content, label)
        return bytes([len(name)]) + name + nonce + sealed

    def unseal(self, sealed: bytes, label: bytes) -> bytes:
        """What was sealed under this label.

        Raises:
            Unavailable: this file is not the one that it was sealed with.
        """
        end = 1 + sealed[0]
        try:
            key = self.wrapping_key(sealed[1:end].decode("ascii", "replace"))
            return AESGCM(key).decrypt(sealed[end : end + _NONCE], sealed[end + _NONCE :], label)
        except (KeyError, InvalidTag) as error:
            raise Unavailable(
                "The database was written with another SECRETS_FILE: every process of a registry has the same one."
            ) from error


def derive(secret: bytes, info: bytes) -> bytes:
    """32 bytes for the use `info`, by HKDF-SHA-256 (RFC 5869)."""
    return HKDF(SHA256(), 32, None, info).derive(secret)


def _hash(secret: str, pepper: bytes) -> bytes:
    return hashlib.blake2b(secret.encode(), digest_size=32, key=pepper, person=b"gati secret").digest()


def _base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 62)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))


def _peppers(content: Any) -> dict[str, bytes]:
    peppers = {name: bytes.fromhex(value) for name, value in content["peppers"].items()}
    for name, pepper in peppers.items():
        if _PEPPER_ID.fullmatch(name) is None or not 32 <= len(pepper) <= hashlib.blake2b.MAX_KEY_SIZE:
            raise ValueError(name)
    if content["current"] not in peppers:
        raise ValueError(content["current"])
    return peppers


def _make(path: Path) -> None:
    """A file of one new pepper, durable, unless another process was first; the folder is locked meanwhile."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            if not path.exists():
                _write(path)
                os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise Unavailable(f"{path} cannot be made: {error.strerror}.") from error


def _write(path: Path) -> None:
    name = secrets.token_hex(4)
    content = {"current": name, "peppers": {name: secrets.token_hex(_RANDOM)}}
    draft = path.with_name(f".{path.name}.new")
    with suppress(FileNotFoundError):
        draft.unlink()
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
