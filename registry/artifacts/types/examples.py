"""Small archives and files that the examples of the types are made of. Pure."""

import gzip
import hashlib
import io
import tarfile
from collections.abc import Mapping
from typing import Final


def archive(files: Mapping[str, bytes]) -> bytes:
    """A tar+gzip of these files, the same bytes each time with one zlib."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(files):
            entry = tarfile.TarInfo(path)
            entry.size = len(files[path])
            tar.addfile(entry, io.BytesIO(files[path]))
    return gzip.compress(raw.getvalue(), mtime=0)


def sha256(data: bytes) -> str:
    """The SHA-256, in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


HELLO_ARCHIVE: Final = archive({"dist/index.js": b"export const hello = (name) => `Hello, ${name}!`;\n"})
ADDER: Final = bytes.fromhex(
    "0061736d01000000"  # \0asm, version 1
    "01070160027f7f017f"  # a type: two i32 in, one out
    "03020100"  # a function of it
    "070701036164640000"  # exported as add
    "0a09010700200020016a0b"  # local.get 0, local.get 1, i32.add
)
"""A module in WebAssembly that adds two numbers."""

ELF: Final = bytes.fromhex(
    "7f454c4602010100000000000000000002003e00010000007800400000000000"
    "4000000000000000000000000000000000000000400038000100000000000000"
    "0100000005000000000000000000000000004000000000000000400000000000"
    "840000000000000084000000000000000010000000000000b83c00000031ff0f"
    "05000000"
)
"""A program for Linux on amd64 that ends at once, with the status 0."""
