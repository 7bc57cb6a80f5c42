"""Hashes that can be put down and taken up again: after a restart, or by another process.

The state is fixed-width: 8 chaining words, the count of bytes, and the unfinished block (FIPS 180-4, section 6), under
a keyed BLAKE2b that binds it to its upload and to the running of the machine: bytes that were not synced may be lost
with the machine, and then the state tells of more than there is. OpenSSL's plain context structs take it up; where
libcrypto cannot be loaded, `resume` answers None and the caller reads the stored bytes again.
"""

import contextlib
import ctypes
import ctypes.util
import hashlib
import hmac
import secrets
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_TAG_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class _Layout:
    """An OpenSSL hash context: words, two length words, one block, position in it, digest length."""

    word: str
    block: int
    digest: int
    prefix: str

    @property
    def context(self) -> struct.Struct:
        return struct.Struct(f"=8{self.word}2{self.word}{self.block}sII")

    @property
    def state(self) -> struct.Struct:
        return struct.Struct(f">8{self.word}Q{self.block}s")


_LAYOUTS: Final = {"sha256": _Layout("I", 64, 32, "SHA256"), "sha512": _Layout("Q", 128, 64, "SHA512")}


def _load() -> Any:
    name = ctypes.util.find_library("crypto")
    try:
        library = ctypes.CDLL(name) if name else None
        if library is not None:
            _ = (library.SHA256_Update, library.SHA512_Update)
    except (OSError, AttributeError):
        return None
    return library


_CRYPTO: Final = _load()


class Hasher:
    """A running sha256 or sha512 over `length` bytes so far."""

    def __init__(self, algorithm: str) -> None:
        self.algorithm = algorithm
        self.length = 0
        self._layout = _LAYOUTS[algorithm]
        self._plain: Any = None if _CRYPTO else hashlib.new(algorithm)
        self._context = ctypes.create_string_buffer(self._layout.context.size)
        if _CRYPTO:
            self._call("Init", self._context)

    def _call(self, verb: str, *arguments: Any) -> None:
        getattr(_CRYPTO, f"{self._layout.prefix}_{verb}")(*arguments)

    def update(self, data: bytes | memoryview) -> None:
        """Take in `data`; the interpreter is free meanwhile."""
        size = len(data)
        self.length += size
        if self._plain is not None:
            self._plain.update(data)
        elif isinstance(data, memoryview) and not data.readonly:
            self._call("Update", self._context, ctypes.byref(ctypes.c_char.from_buffer(data)), ctypes.c_size_t(size))
        else:
            self._call("Update", self._context, bytes(data), ctypes.c_size_t(size))

    def hexdigest(self) -> str:
        """The digest of what came so far; more may follow."""
        if self._plain is not None:
            return str(self._plain.hexdigest())
        copy = ctypes.create_string_buffer(self._context.raw, self._layout.context.size)
        out = ctypes.create_string_buffer(self._layout.digest)
        self._call("Final", out, copy)
        return out.raw.hex()

    def state(self, secret: bytes, upload_id: str) -> bytes | None:
        """What `resume` needs, bound to the upload; None where the library cannot give it."""
        if self._plain is not None:
            return None
        *words, _, _, block, position, _ = self._layout.context.unpack(self._context.raw)
        body = self._layout.state.pack(*words, self.length, block[:position].ljust(self._layout.block, b"\0"))
        return body + _tag(secret, upload_id, self.algorithm, body)


def resume(algorithm: str, state: bytes | None, secret: bytes, upload_id: str) -> Hasher | None:
    """The hasher that `state` was taken from; None when the stored bytes must be read again.

    That is when it is absent, damaged, foreign, of another machine or of before its restart, or not to be had here.
    """
    layout = _LAYOUTS[algorithm]
    if not _CRYPTO or state is None or len(state) != layout.state.size + _TAG_BYTES:
        return None
    body, tag = state[:-_TAG_BYTES], state[-_TAG_BYTES:]
    if not hmac.compare_digest(tag, _tag(secret, upload_id, algorithm, body)):
        return None
    *words, length, block = layout.state.unpack(body)
    bits = length * 8
    width = struct.calcsize(layout.word) * 8
    low, high = bits & ((1 << width) - 1), bits >> width
    hasher = Hasher(algorithm)
    packed = layout.context.pack(*words, low, high, block, length % layout.block, layout.digest)
    ctypes.memmove(hasher._context, packed, layout.context.size)  # noqa: SLF001 - this function makes the object
    hasher.length = length
    return hasher


def _boot() -> bytes:
    """Names the time since the machine started; where it has no such name, the time of this process."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()
    return secrets.token_bytes(16)


_BOOT: Final = _boot()


def _tag(secret: bytes, upload_id: str, algorithm: str, body: bytes) -> bytes:
    mac = hashlib.blake2b(key=secret[:64], digest_size=_TAG_BYTES)
    for part in (_BOOT, upload_id.encode(), algorithm.encode(), body):
        mac.update(len(part).to_bytes(8, "big") + part)
    return mac.digest()
